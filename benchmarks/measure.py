"""Runs a program on a file and says what it cost."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Literal, NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIPSENSE = (sys.executable, "-m", "filters")

Sink = Literal["null", "pipe"]
SINKS: tuple[Sink, ...] = ("null", "pipe")

# Modules are compiled once, as for a user, also where a container forbids that to its tests.
_ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONPATH": ROOT
}
_DRAIN = "import os\nwhile os.read(0, 1 << 20): pass"


class Cost(NamedTuple):
    """What a run cost, or the medians of several runs.

    Args:
        cpu: seconds of processor time of the program and those that it started.
        wall: seconds that it took.
        peak: most memory that it had at a time, in MiB.
    """

    cpu: float
    wall: float
    peak: float


class Way(NamedTuple):
    """A way to do a job: a program and what it reads on standard input."""

    command: Sequence[str]
    path: str


Costs = dict[tuple[str, Sink], Cost]


class Cores(NamedTuple):
    """Which processor cores a server and a client get.

    Where both share few cores, a client that is busy takes from the server what the server would need to be measured.
    """

    name: str
    server: set[int]
    client: set[int]


def all_cores() -> list[Cores]:
    """Return what can be compared on this machine: all cores for both, and one each as if they were on two machines."""
    cores = os.sched_getaffinity(0)
    shared = Cores(f"{len(cores)} cores for both", cores, cores)
    return [shared, Cores("a core each", {min(cores)}, {max(cores)})] if len(cores) > 1 else [shared]


@contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """Give these cores to what is started inside the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def in_turn(ways: Mapping[str, Way], rounds: int, sinks: Sequence[Sink] = SINKS) -> Costs:
    """Return the medians for each way, measured in turn (A B C A B C ...), so that all meet the same disturbances."""
    costs: dict[tuple[str, Sink], list[Cost]] = {}
    for _ in range(rounds):
        for sink in sinks:
            for name, way in ways.items():
                costs.setdefault((name, sink), []).append(_run(way, sink))
    return {key: medians(several) for key, several in costs.items()}


def first_record(commands: Mapping[str, Sequence[str]], record: bytes, rounds: int) -> dict[str, Cost]:
    """Return the medians from the start to the first byte of output, or to the end of a program that says nothing."""
    costs: dict[str, list[Cost]] = {}
    for command in commands.values():
        _start(command, record)  # compiles the modules
    for _ in range(rounds):
        for name, command in commands.items():
            costs.setdefault(name, []).append(_start(command, record))
    return {name: medians(several) for name, several in costs.items()}


def _run(way: Way, sink: Sink) -> Cost:
    drain = None
    with open(way.path, "rb") as source, open(os.devnull, "wb") as null:
        output: int = null.fileno()
        if sink == "pipe":
            drain = subprocess.Popen([sys.executable, "-c", _DRAIN], stdin=subprocess.PIPE)
            assert drain.stdin
            output = drain.stdin.fileno()
        begin = time.perf_counter()
        child = _spawn(way.command, source.fileno(), output)
        cost = _wait(child, way.command, begin)
    if drain:
        drain.communicate()
    return cost


def _start(command: Sequence[str], record: bytes) -> Cost:
    into, record_end = os.pipe()
    output_end, output = os.pipe()
    os.write(record_end, record)
    begin = time.perf_counter()
    child = _spawn(command, into, output)
    os.close(into)
    os.close(output)
    os.read(output_end, 1)
    wall = time.perf_counter() - begin
    os.close(record_end)
    cost = _wait(child, command, begin)
    os.close(output_end)
    return cost._replace(wall=wall)


def run(command: Sequence[str]) -> Cost:
    """Run a command that reads and writes where we do; return what it cost."""
    begin = time.perf_counter()
    return _wait(_spawn(command, None, None), command, begin)


def medians(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(*(median(values) for values in zip(*costs, strict=True)))


def _spawn(command: Sequence[str], source: int | None, output: int | None) -> int:
    child = subprocess.Popen(command, stdin=source, stdout=output, cwd=ROOT, env=_ENVIRONMENT)
    child.returncode = 0  # it is waited for here, which Popen is not to do again
    return child.pid


def _wait(child: int, command: Sequence[str], begin: float) -> Cost:
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    unit = 1024 if sys.platform == "darwin" else 1
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / unit / 1024)
