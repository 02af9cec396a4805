"""The rows of the table: what is compared, and what was to be reached."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from benchmarks.measure import ROOT, SIPSENSE, Costs, Sink, Way, first_record, in_turn

FOLDER = os.path.join(ROOT, "benchmarks")
SPLIT = "bare loop over lines"
FLAT_BYTES, NESTED_BYTES = 276, 1802

Goal = Literal["at least", "below"]


class Row(NamedTuple):
    """A comparison; `ratio` says how many times faster ours is, or in "below" rows how many times more it takes.

    Args:
        pipe: the ratio when the output goes to another program instead of nowhere.
        target: None where none was set.
        note: stands in place of the numbers.
    """

    what: str
    ours: float = 0.0
    theirs: float = 0.0
    unit: str = "s CPU"
    ratio: float | None = None
    pipe: float | None = None
    goal: Goal = "at least"
    target: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Return whether the target was met, None where there is none."""
        if self.target is None or self.note:
            return None
        reached = self.ratio if self.ratio is not None else self.ours
        return reached >= self.target if self.goal == "at least" else reached < self.target


class Sizes(NamedTuple):
    """How much is measured.

    Args:
        peers: lines for programs that are much slower.
        reasons: lines with a different reason text each.
    """

    flat: int = 1_800_000
    nested: int = 280_000
    peers: int = 200_000
    peers_nested: int = 100_000
    msgpack: int = 1_000_000
    reasons: int = 1_000_000
    rounds: int = 5
    starts: int = 20


QUICK = Sizes(2000, 500, 500, 200, 2000, 2000, 1, 2)


class Inputs:
    """Files of records, made when they are asked for, in a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __call__(self, kind: str, count: int) -> str:
        """Return the path of a file with so many records of a kind."""
        path = os.path.join(self._folder, f"{kind}-{count}")
        if not os.path.exists(path):
            # Another process makes it: a program's peak begins with the memory of the one that starts it.
            self._call("data.py", path, kind, str(count))
        return path

    def mapping(self) -> str:
        """Return the path of the mapping without its ending."""
        path = os.path.join(self._folder, "mapping")
        if not os.path.exists(f"{path}.json"):
            self._call("mapping.py", "write", self._folder)
        return path

    def agreement(self, kind: str, command: Sequence[str]) -> str:
        """Return for which part of the records of a kind the command adds the same object as sipsense."""
        return self._call("mapping.py", "compare", self(kind, 1000), *command)

    def forget(self) -> None:
        """Delete the files of records."""
        for name in os.listdir(self._folder):
            if not name.startswith("mapping"):
                os.unlink(os.path.join(self._folder, name))

    @staticmethod
    def _call(script: str, *arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": ROOT}
        command = [sys.executable, os.path.join(FOLDER, script), *arguments]
        return subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout.strip()


def _way(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, os.path.join(FOLDER, "ways", f"{name}.py"), *arguments)


def _compared(
    what: str, costs: Costs, ours: str, theirs: str, target: float | None = None, *, wall: bool = False
) -> Row:
    """Return the row that says how many times less ours takes."""

    def pair(sink: Sink) -> tuple[float, float]:
        costs_of = costs[ours, sink], costs[theirs, sink]
        one, other = (cost.wall if wall else cost.cpu for cost in costs_of)
        return one, other

    (one, other), (piped, other_piped) = pair("null"), pair("pipe")
    unit = "s wall" if wall else "s CPU"
    return Row(what, one, other, unit, other / one, other_piped / piped, target=target)


def lines(inputs: Inputs, sizes: Sizes, shape: str, target: float) -> Iterator[Row]:
    """Give the rows for lines of one shape."""
    path = inputs(shape, sizes.flat if shape == "flat" else sizes.nested)
    ways = {
        "sipsense": Way(SIPSENSE, path),
        SPLIT: Way(_way("split"), path),
        "one msgspec decode a line + splice": Way(_way("msgspec_lines", f"{inputs.mapping()}.json"), path),
        "orjson loads + dumps": Way(_way("orjson_lines"), path),
        "jobs": Way((*SIPSENSE, "--jobs", "2"), path),
    }
    costs = in_turn(ways, sizes.rounds)
    yield _compared(f"{shape}: {SPLIT}", costs, "sipsense", SPLIT, target)
    for name in list(ways)[2:4]:
        yield _compared(f"{shape}: {name}", costs, "sipsense", name)
    yield _compared(f"{shape}: --jobs 2 against one process", costs, "jobs", "sipsense", 1.6, wall=True)
    yield _compared(f"{shape}: --jobs 2 against one process", costs, "jobs", "sipsense")
    peak = costs["sipsense", "null"].peak
    yield Row(f"{shape}: peak memory, {os.path.getsize(path) >> 20} MiB", peak, unit="MiB", goal="below", target=60)


def peers(inputs: Inputs, sizes: Sizes, shape: str) -> Iterator[Row]:
    """Give the rows for other programs that do the same mapping."""
    path = inputs(shape, sizes.peers if shape == "flat" else sizes.peers_nested)
    mapping, jq_program = inputs.mapping(), os.path.join(FOLDER, "mapping.jq")
    wanted: dict[str, tuple[str, ...]] = {
        "jq": ("jq", "-c", "--slurpfile", "mapping", f"{mapping}.json", "-f", jq_program),
        "mlr": ("mlr", "--ijsonl", "--ojsonl", "put", "-f", f"{mapping}.mlr"),
    }
    there = {name: Way(command, path) for name, command in wanted.items() if shutil.which(name)}
    costs = in_turn({"sipsense": Way(SIPSENSE, path), **there}, min(sizes.rounds, 3))
    for name, target in (("jq", 15.0), ("mlr", None)):
        what = f"{shape}: {'Miller' if name == 'mlr' else name}, same mapping"
        if name in there:
            same = inputs.agreement(shape, wanted[name])
            yield _compared(f"{what} ({same} alike)", costs, "sipsense", name, target)
        else:
            yield Row(what, target=target, note=f"{name} is not installed")


def packed(inputs: Inputs, sizes: Sizes) -> Iterator[Row]:
    """Give the row for MessagePack."""
    path = inputs("msgpack", sizes.msgpack)
    ways = {"blocks": Way(_way("msgpack_blocks"), path), "repack": Way(_way("msgpack_repack"), path)}
    costs = in_turn(ways, sizes.rounds)
    yield _compared("MessagePack: unpack + pack", costs, "blocks", "repack", 2.8)


def odd(inputs: Inputs, sizes: Sizes) -> Iterator[Row]:
    """Give the rows for streams that are not all of one kind: our speed there against our speed on even ones."""
    half = sizes.nested // 2 * 2
    ways = {
        "flat": Way(SIPSENSE, inputs("flat", sizes.flat // 2)),
        "bad": Way(SIPSENSE, inputs("bad", sizes.flat // 2)),
        "half flat": Way(SIPSENSE, inputs("flat", half // 2)),
        "half nested": Way(SIPSENSE, inputs("nested", half // 2)),
        "mixed": Way(SIPSENSE, inputs("mixed", half)),
    }
    costs = in_turn(ways, sizes.rounds)
    yield _compared("one bad line in a hundred: none", costs, "bad", "flat", 2 / 3)
    sinks: tuple[Sink, ...] = ("null", "pipe")
    for sink in sinks:
        both = [costs["half flat", sink], costs["half nested", sink]]
        costs["apart", sink] = both[0]._replace(cpu=both[0].cpu + both[1].cpu)
    yield _compared("two profiles in turn: each apart", costs, "mixed", "apart", 1 / 2)


def many(inputs: Inputs, sizes: Sizes) -> Iterator[Row]:
    """Give the rows for a stream in which each reason text is new."""
    ways = {
        "many": Way(SIPSENSE, inputs("reasons", sizes.reasons)),
        "few": Way(SIPSENSE, inputs("flat", sizes.reasons)),
    }
    costs = in_turn(ways, 1)
    texts = f"{sizes.reasons:,} different reasons"
    yield _compared(f"{texts}: few reasons", costs, "many", "few")
    peak = costs["many", "null"].peak
    yield Row(f"{texts}: peak memory", peak, unit="MiB", goal="below", target=60)


def start(inputs: Inputs, sizes: Sizes) -> Iterator[Row]:
    """Give the rows for the time to the first record."""
    with open(inputs("flat", 1), "rb") as file:
        record = file.read()
    commands = {"sipsense": SIPSENSE, "python": (sys.executable, "-c", "pass")}
    costs = first_record(commands, record, sizes.starts)
    ours, theirs = costs["sipsense"], costs["python"]
    for unit, one, other in (("s wall", ours.wall, theirs.wall), ("s CPU", ours.cpu, theirs.cpu)):
        yield Row("start to first record: python -c pass", one, other, unit, one / other, goal="below", target=5)


def small(inputs: Inputs, sizes: Sizes) -> Iterator[Row]:
    """Give the row for the memory that a short stream takes."""
    path = inputs("flat", sizes.flat // 10)
    costs = in_turn({"small": Way(SIPSENSE, path)}, 1, ("null",))
    size = os.path.getsize(path) >> 20
    yield Row(f"flat: peak memory, {size} MiB", costs["small", "null"].peak, unit="MiB", goal="below", target=60)


GROUPS: dict[str, Callable[[Inputs, Sizes], Iterator[Row]]] = {
    "start": start,
    "flat": lambda inputs, sizes: lines(inputs, sizes, "flat", 0.55),
    "nested": lambda inputs, sizes: lines(inputs, sizes, "nested", 0.60),
    "peers-flat": lambda inputs, sizes: peers(inputs, sizes, "flat"),
    "peers-nested": lambda inputs, sizes: peers(inputs, sizes, "nested"),
    "msgpack": packed,
    "odd": odd,
    "memory": small,
    "many": many,
}
