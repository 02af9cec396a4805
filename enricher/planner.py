"""Keeps the plan of a stream of records: decodes by it, remembers what equal records gain, and learns from misfits."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from enricher.added import NOTHING, Added, Record
from enricher.enrich import CACHE_ENTRIES, CACHED_LENGTH, Enricher
from enricher.errors import InvalidRecord
from enricher.plan import WIDEST, Plan, Trace, Uncovered
from enricher.profiles import Get, Path

# A plan is made for blocks of so many records, and for a kind of record that is more than this part of them.
WORTH = 16
_TOO_MANY = 1 / 50
# A plan that is too wide is made anew, but not more often than this.
_BLOCKS_A_PLAN = 64


class Planner:
    """Decides what records gain by the few values that decide.

    Args:
        enricher: the record path, which is the reference.
        decoder: makes the function that decodes a record as a type.
        open: gives the record as the record path reads it.
        gain: what is remembered of an addition; equal additions must give the same object.
    """

    def __init__(
        self,
        enricher: Enricher,
        decoder: Callable[[type[msgspec.Struct]], Callable[[bytes], Any]],
        open: Callable[[bytes], Record],
        gain: Callable[[Added], Any],
    ) -> None:
        self._enricher = enricher
        self._decoder = decoder
        self._open = open
        self._gain = gain
        flat = [f"{enricher.target}_{key}" for key in (*enricher.fields, "match")]
        self._guarded = flat if enricher.flat else [enricher.target]
        self._plan: Plan | None = None
        self._decode: Callable[[bytes], Any] = _no_plan
        self._decode_array: Callable[[bytes], Any] = _no_plan
        self._gains = _Gains(enricher, None, gain)
        self._misfits: list[set[Path]] = []
        self._age = 0
        self._past: Counter[Added] = Counter()

    @property
    def ready(self) -> bool:
        """Return whether there is a plan."""
        return self._plan is not None

    def start(self, traces: Iterable[Trace]) -> bool:
        """Make the first plan, from the first record that is a call log; return whether there was one.

        With ECS there is none: when a call began and ended is different in each record.
        """
        if self._enricher.ecs:
            return False
        paths = next((trace.paths for trace in traces if trace.paths), None)
        if paths:
            self._adopt(Plan(paths, self._guarded))
        return paths is not None

    def gains(self, records: Sequence[bytes]) -> list[Any]:
        """Return what each record gains; None for one that has to take the record path."""
        gains: list[Any] = []
        rest = map(self._gains.__getitem__, map(self._decode, records))
        while True:
            try:
                gains.extend(rest)  # what came before an error stays, and the map goes on behind it
            except (msgspec.DecodeError, RecursionError):
                gains.append(None)
            else:
                break
        if self._gains.weighers and None in gains:
            return [
                self._weighed(record) if gain is None else gain for record, gain in zip(records, gains, strict=True)
            ]
        return gains

    def gains_of_array(self, data: bytes, ends: Sequence[int]) -> list[Any] | None:
        """Return what MessagePack records gain, decoded at one go; None if one does not fit.

        Args:
            ends: where each of them ends, with 0 before them.
        """
        try:
            views = self._decode_array(b"\xdd" + (len(ends) - 1).to_bytes(4, "big") + data)
        except (msgspec.DecodeError, RecursionError):
            return None
        gains = list(map(self._gains.__getitem__, views))
        if self._gains.weighers and None in gains:
            return [
                self._weighed(data[begin:end]) if gain is None else gain
                for (begin, end), gain in zip(pairwise(ends), gains, strict=True)
            ]
        return gains

    def _weighed(self, record: bytes) -> Any:
        """Return what a record gains whose connect evidence decides; None for one that takes the record path."""
        try:
            weigher = self._gains.weighers.get(self._decode(record))
            return weigher(self._open(record).get) if weigher else None
        except (msgspec.DecodeError, RecursionError, InvalidRecord):
            return None

    def settle(self, gains: Sequence[Any], *, count: bool) -> None:
        """Count what a block gained, and learn from its misfits."""
        self._age += 1
        if count:
            self._gains.seen.update(map(id, gains))
        if self._misfits:
            self._learn(len(gains))

    def note(self, trace: Trace) -> None:
        """Note what a record asked for that did not fit the plan."""
        if self._plan and not self._plan.covers(trace.paths):
            self._misfits.append(trace.paths)

    def take(self) -> Counter[Added]:
        """Return how often each addition was made since last asked."""
        taken, self._past = self._past + self._gains.take(), Counter()
        return taken

    def _learn(self, count: int) -> None:
        misfits, self._misfits = self._misfits, []
        if self._plan is None or len(misfits) <= _TOO_MANY * count:
            return
        wanted = set().union(*misfits)
        if len(self._plan.paths | wanted) <= WIDEST:
            self._adopt(Plan(self._plan.paths | wanted, self._guarded))
        elif self._age >= _BLOCKS_A_PLAN:
            self._adopt(Plan(wanted, self._guarded))

    def _adopt(self, plan: Plan) -> None:
        self._past += self._gains.take()
        self._plan, self._age = plan, 0
        self._decode = self._decoder(plan.type)
        self._decode_array = msgspec.msgpack.Decoder(list[plan.type]).decode  # type: ignore[name-defined]
        self._gains = _Gains(self._enricher, plan, self._gain)


def trace_of(process: Callable[[bytes, Trace], Any], record: bytes) -> Trace:
    """Return what the record path asks a record for; nothing if it is no call log.

    Strangers answer no to every question: a plan for them would be wide and slow.
    """
    trace = Trace()
    if process(record, trace).added is NOTHING:
        trace.paths.clear()
    return trace


class _Gains(dict[Any, Any]):
    """From the deciding values of a record to what it gains; None sends it to the record path."""

    def __init__(self, enricher: Enricher, plan: Plan | None, gain: Callable[[Added], Any]) -> None:
        super().__init__()
        self.seen: Counter[int] = Counter()
        self.weighers: dict[Any, Callable[[Get], Any]] = {}
        self._enricher = enricher
        self._plan = plan
        self._gain = gain
        self._added: dict[int, Added] = {}

    def __missing__(self, view: Any) -> Any:
        gain, weigher = self._find(view)
        if len(self) >= CACHE_ENTRIES:
            self.clear()
            self.weighers.clear()
        if len(msgspec.json.encode(view)) <= CACHED_LENGTH:
            self[view] = gain
            if weigher:
                self.weighers[view] = weigher
        return gain

    def _find(self, view: Any) -> tuple[Any, Callable[[Get], Any] | None]:
        """Return what the record gains, or what finds that by its connect evidence."""
        plan = self._plan
        if plan is None or plan.guards(view):
            return None, None
        get = plan.getter(view)
        try:
            _, added = self._enricher.explain(get, get_evidence=_refuse)
        except _EvidenceAsked:
            return None, self._weigher(get)
        except Uncovered:
            return None, None
        return self._noted(added), None

    def _weigher(self, get: Get) -> Callable[[Get], Any]:
        connected, gains = self._enricher.weigh(get)
        by_evidence = {verdict: self._noted(added) for verdict, added in gains.items()}
        return lambda get_evidence: by_evidence[connected(get_evidence)]

    def _noted(self, added: Added) -> Any:
        gain = self._gain(added)
        self._added[id(gain)] = added
        return gain

    def take(self) -> Counter[Added]:
        """Return how often each addition was made since last asked."""
        taken = Counter({self._added[key]: count for key, count in self.seen.items() if key in self._added})
        self.seen.clear()
        return taken


class _EvidenceAsked(Exception):
    """Connect evidence decides, which is different in each record."""


def _refuse(path: Path) -> Any:
    raise _EvidenceAsked


def _no_plan(record: bytes) -> Any:
    raise AssertionError("no plan yet")
