"""Measures what sipsense costs a Fluentd: a route through exec_filter, with sipsense and with a child that copies.

The routes take turns, each number is the median. Of a child that copies there are two: one gets the plain records, one
gets records that are enriched already, so that Fluentd has the same bytes to parse as with sipsense. Fluentd is the one
of the tests (see tests/servers/fluentd.py), and so is the configuration (tests/fluentd/route.py).
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(2, str(Path(__file__).resolve().parent.parent / "tests" / "fluentd"))

from route import Route  # type: ignore[import-not-found]  # of the tests
from servers.fluentd import start_fluentd  # type: ignore[import-not-found]

from benchmarks.data import flat
from enricher import Enricher

TARGET = 0.95
CODECS = ("msgpack", "json")
COLUMNS = (f"{'child of exec_filter':32}", "records/s", "Fluentd CPU", "child CPU", "sipsense / it", "target", "")
# Seconds without a new byte after which the route is done, and after which it is given up.
QUIET, PATIENCE = 3.0, 600.0


class Run(NamedTuple):
    """What a run took: seconds from Fluentd's start to the last byte, processor seconds of Fluentd and of the child."""

    wall: float
    fluentd: float
    child: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000, metavar="N", help="how many pass (default: 100000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often (default: 3)")
    args = parser.parse_args()
    plain = list(islice(flat(), args.records))
    enriched = list(map(Enricher().enrich_json, plain))
    _print([COLUMNS])
    for codec in CODECS:
        ways: dict[str, Callable[[], Run]] = {
            "sipsense": lambda codec=codec: _run(codec, "", plain),
            "a copy": lambda codec=codec: _run(codec, "cat", plain),
            "a copy, enriched before": lambda codec=codec: _run(codec, "cat", enriched),
        }
        runs: dict[str, list[Run]] = {name: [] for name in ways}
        for turn in range(args.rounds):
            for name, run in ways.items():
                print(f"{codec}, round {turn + 1}: {name} ...", file=sys.stderr, flush=True)
                runs[name].append(run())
        _print(_rows(codec, args.records, {name: _medians(several) for name, several in runs.items()}))
    print(f"\nPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors.")


def _rows(codec: str, records: int, costs: dict[str, Run]) -> list[tuple[str, ...]]:
    ours = costs["sipsense"]
    rows = []
    for name, cost in costs.items():
        ratio = cost.wall / ours.wall
        numbers = (f"{records / cost.wall:,.0f}", f"{cost.fluentd:.2f} s", f"{cost.child:.2f} s")
        against = (
            ("", "", "") if cost is ours else (f"{ratio:.2f}", f">= {TARGET}", "met" if ratio >= TARGET else "missed")
        )
        rows.append((f"{codec}: {name}", *numbers, *against))
    return rows


def _medians(runs: list[Run]) -> Run:
    return Run(*(median(values) for values in zip(*runs, strict=True)))


def _run(codec: str, command: str, lines: list[bytes]) -> Run:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "calls.jsonl").write_bytes(b"".join(lines))
        route = Route(folder, codec, command=command)
        fluentd = start_fluentd(route.config, folder, route.env)
        try:
            begin, before = time.perf_counter(), _cpu(fluentd.process.pid)
            end = _done(route, begin)
            cpu = _cpu(fluentd.process.pid) - before
            child = sum(map(_cpu, route.pids()))
        finally:
            fluentd.stop()
        # Of a copy of JSON the last records come only here, see filters/codecs/padding.py.
        if route.lines() != len(lines):
            raise SystemExit(
                f"{codec}, {command or 'sipsense'}: {len(lines)} records went in, {route.lines()} came out"
            )
        return Run(end - begin, cpu, child)


def _done(route: Route, begin: float) -> float:
    """Return when the last byte came."""
    size, last = 0, begin
    while (now := time.perf_counter()) - begin < PATIENCE and (not size or now - last < QUIET):
        if (new := route.size()) != size:
            size, last = new, now
        time.sleep(0.05)
    return last


def _cpu(pid: int) -> float:
    """Return the processor seconds of a process so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(rows: list[tuple[str, ...]]) -> None:
    for what, *numbers in rows:
        aligned = [number.rjust(len(column)) for number, column in zip(numbers, COLUMNS[1:], strict=True)]
        print("  ".join([what.ljust(len(COLUMNS[0])), *aligned]).rstrip(), flush=True)


if __name__ == "__main__":
    main()
