"""A day of sample calls as Prometheus and Loki would have it, so that queries of the dashboards can be asked for real.

Nobody here speaks LogQL; but what a dashboard asks Loki are counts of lines by their labels, and Prometheus answers the
same about a counter with these labels. So lines as the Loki sink makes them become such a counter, and the counts in a
LogQL query become those of PromQL.
"""

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "elastic"))

import sample_calls  # noqa: E402
from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: E402

from enricher import Enricher  # noqa: E402
from filters.batch import Batch  # noqa: E402
from filters.invalid import Invalid  # noqa: E402
from filters.metrics import Collector  # noqa: E402
from filters.pipeline import Outlet, Stage  # noqa: E402
from filters.watch import Watch  # noqa: E402

BEGIN, END = (moment.timestamp() for moment in (sample_calls.START, sample_calls.END))
# Seconds between two values of a counter, and what a graph shows in one point.
SCRAPE, STEP = 300, 1800
# After so many calls comes a record that is none.
STRANGERS = 50
_COUNT = re.compile(
    r"count_over_time\((?P<lines>\{[^}]*\}(?: \| [^\[]+?)*) \[(?P<window>\w+)\](?P<offset> offset \w+)?\)"
)
Key = tuple[str, tuple[tuple[str, str], ...]]


class Line(NamedTuple):
    """A line as it is pushed to Loki: its time in seconds, its labels and metadata, and its text."""

    time: float
    labels: dict[str, str]
    text: str


def records() -> list[tuple[float, bytes]]:
    """Return the day's records, each with the time at which its call ended."""
    found = []
    for record in sample_calls.records():
        ended = datetime.fromisoformat(record["attributes"]["time_end"]).replace(tzinfo=UTC).timestamp()
        found.append((ended, json.dumps(record).encode()))
        if len(found) % STRANGERS == 0:
            found.append((ended, b'{"path":"/favicon.ico","status":404}'))
    return sorted(found)


def lines(made: Sequence[tuple[float, bytes]]) -> list[Line]:
    """Return the lines that the Loki sink makes of the records."""
    paths = "trunk=attributes.trunk_destination,number=attributes.did_number"
    command = [sys.executable, "-m", "filters", "--to", "loki", "--metadata", paths]
    command += ["--late-age", "none", "--late-behind", "none"]
    data = b"".join(record + b"\n" for _, record in made)
    done = subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=True, timeout=60)
    found = []
    for body in done.stdout.splitlines():
        for stream in json.loads(body)["streams"]:
            for time, text, *metadata in stream["values"]:
                found.append(Line(int(time) / 1e9, stream["stream"] | (metadata[0] if metadata else {}), text))
    return sorted(found)


def metrics_over_time(made: Sequence[tuple[float, bytes]]) -> str:
    """Return what a process gives as metrics in the course of the day, when records come as their calls end."""
    watch = Watch()
    stage = Stage(Enricher, Invalid("wrap"), 1 << 20, count=True)
    outlet = Outlet(_Taker(), None, None, watch)
    registry = CollectorRegistry()
    registry.register(Collector(stage.state, watch.counts, watch.counts))
    ProcessCollector(registry=registry)

    def scraped() -> Iterator[tuple[float, Key, float]]:
        rest = list(made)
        for moment in _moments():
            due = [record for time, record in rest if time <= moment]
            del rest[: len(due)]
            if due:
                outlet.write(stage.process(Batch(b"".join(record + b"\n" for record in due))))
            for family in registry.collect():
                for sample in family.samples:
                    yield moment, (sample.name, tuple(sample.labels.items())), sample.value

    return _openmetrics(scraped(), job="sipsense", instance="127.0.0.1:9464")


class _Taker:
    """A sink that takes everything at once."""

    def write(self, data: bytes, ack: Any) -> None:
        ack()


def lines_over_time(found: Sequence[Line]) -> str:
    """Return a counter of lines by all their labels."""

    def counted() -> Iterator[tuple[float, Key, float]]:
        labels: Counter[Key] = Counter({_key(line): 0 for line in found})
        rest = list(found)
        for moment in _moments():
            due = [line for line in rest if line.time <= moment]
            del rest[: len(due)]
            labels.update(map(_key, due))
            for key, count in labels.items():
                yield moment, key, count

    return _openmetrics(counted())


def _key(line: Line) -> Key:
    labels = {name: value for name, value in line.labels.items() if name != "call_id"}
    return "lines", tuple(sorted(labels.items()))


def as_promql(logql: str) -> str:
    """Return what asks the counter of lines the same."""
    return _COUNT.sub(_increase, logql)


def _increase(found: re.Match[str]) -> str:
    selector, *filters = found["lines"].split(" | ")
    ways = [[selector[1:-1]]]
    for text in filters:
        either = [one.strip("()").split(" and ") for one in text.split(" or ")]
        ways = [[*way, *more] for way in ways for more in either]
    window, offset = found["window"], found["offset"] or ""
    return " or ".join(f"increase(lines{{{', '.join(way)}}}[{window}]{offset})" for way in ways)


def _moments() -> Iterable[int]:
    return range(int(BEGIN), int(END) + 1, SCRAPE)


def _openmetrics(values: Iterator[tuple[float, Key, float]], **labels: str) -> str:
    """Return values with their times in the format of OpenMetrics, the values of a series together."""
    series: defaultdict[Key, list[str]] = defaultdict(list)
    for moment, (name, own), value in values:
        key = name, (*own, *labels.items())
        shown = ",".join(f"{label}={json.dumps(text, ensure_ascii=False)}" for label, text in key[1])
        series[key].append(f"{name}{{{shown}}} {value} {moment}\n")
    return "".join(line for found in series.values() for line in found) + "# EOF\n"
