"""Blocks of lines at a time: the fast twin of the record path, with the same bytes as its result.

No bytecode runs per record: one `map` decodes all lines, another looks up what they gain, one `join` splices it in. A
record that does not fit the plan takes the record path, alone.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import msgspec

from enricher.enrich import CACHE_ENTRIES, CACHED_LENGTH, NOTHING, Added, Enricher
from enricher.errors import InvalidRecord
from enricher.plan import WIDEST, Plan, Trace, Uncovered
from enricher.profiles import Path

OnInvalid = Callable[[bytes, int, InvalidRecord], bytes]

# A plan is worth making for blocks of so many lines, and for a kind of record that is more than this part of them.
_WORTH = 16
_TOO_MANY = 1 / 50
# A plan that is too wide is made anew, but not more often than this.
_BLOCKS_A_PLAN = 64

_ODD = object()


class Tally:
    """Counts what became of the lines.

    Args:
        added: how often each addition was made; NOTHING counts the records that are no call logs.
    """

    def __init__(self) -> None:
        self.lines = self.blank = self.invalid = self.conflicts = 0
        self.added: Counter[Added] = Counter()

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.lines += other.lines
        self.blank += other.blank
        self.invalid += other.invalid
        self.conflicts += other.conflicts
        self.added.update(other.added)


class Blocks:
    """Enriches JSON lines, a block at a time.

    Args:
        enricher: the record path, which is the reference.
        on_invalid: gets a line that is no record (without its newline), its place in the block and what is wrong;
            returns what is written in its place.
        count: whether the tally says what was added.
    """

    def __init__(self, enricher: Enricher, on_invalid: OnInvalid, *, count: bool = True) -> None:
        self.tally = Tally()
        self._open = self.tally  # of the block in hand, so that one that is given up leaves no trace
        self._enricher = enricher
        self._on_invalid = on_invalid
        self._count = count
        self._guarded = [enricher.target] if not enricher.flat else [f"{enricher.target}_{k}" for k in enricher.fields]
        self._plan: Plan | None = None
        self._age = 0
        self._misfits: list[set[Path]] = []
        self._decode: Callable[[bytes], Any] = _undecodable
        self._ends = _LineEnds(enricher, None)

    def enrich(self, block: bytes) -> bytes:
        """Return the block with each record enriched.

        Args:
            block: lines, each with its newline.
        """
        lines = block.split(b"\n")
        lines.pop()
        self._open = Tally()
        result = self._enriched(block, lines)
        self.tally.add(self._open)
        return result

    def _enriched(self, block: bytes, lines: list[bytes]) -> bytes:
        if (self._plan is None and not self._start(lines)) or not _is_utf8(block):
            return self._one_by_one(lines)
        table = self._ends
        ends = list(map(table.__getitem__, self._views(lines)))
        cut = list(map(bytes.removesuffix, lines, repeat(b"}")))
        odd = [place for place, end in enumerate(ends) if end is None] if None in ends else []
        for place in odd:
            cut[place] = ends[place] = b""
        # Each line is shorter by its newline and its brace; if not, some line ends in white space.
        if sum(map(len, cut)) != len(block) - 2 * len(lines) - sum(len(lines[place]) - 1 for place in odd):
            return self._one_by_one(lines)
        for place in odd:
            cut[place] = self._odd(lines[place], place)
        pieces = [b""] * (2 * len(lines))
        pieces[::2] = cut
        pieces[1::2] = ends
        self._age += 1
        self._open.lines = len(lines)
        if self._count:
            table.seen.update(map(id, ends))
        if self._misfits:
            self._learn(len(lines))
        return b"".join(pieces)

    def counted(self) -> Tally:
        """Return the tally, complete."""
        self.tally.added.update(self._ends.take())
        return self.tally

    def _views(self, lines: list[bytes]) -> list[Any]:
        views: list[Any] = []
        rest = map(self._decode, lines)
        while True:
            try:
                views.extend(rest)  # what came before an error stays, and the map goes on behind it
            except (msgspec.DecodeError, RecursionError):
                views.append(_ODD)
            else:
                return views

    def _odd(self, line: bytes, place: int) -> bytes:
        """Return what is written for a line that does not fit the plan, and note what it lacks."""
        trace = Trace()
        written = self._one(line, place, trace)
        if self._plan and not self._plan.covers(trace.paths):
            self._misfits.append(trace.paths)
        return written

    def _learn(self, count: int) -> None:
        """Widen the plan if too many of `count` records asked for more than it covers."""
        misfits, self._misfits = self._misfits, []
        if self._plan is None or len(misfits) <= _TOO_MANY * count:
            return
        wanted = set().union(*misfits)
        if len(self._plan.paths | wanted) <= WIDEST:
            self._adopt(Plan(self._plan.paths | wanted, self._guarded))
        elif self._age >= _BLOCKS_A_PLAN:
            self._adopt(Plan(wanted, self._guarded))

    def _start(self, lines: Sequence[bytes]) -> bool:
        """Make a first plan from the first call log, if there are enough lines."""
        if len(lines) < _WORTH:
            return False
        for line in lines[:_WORTH]:
            trace = Trace()
            try:
                added = self._enricher.process_json(line, trace).added
            except InvalidRecord:
                continue
            if added is not NOTHING:
                self._adopt(Plan(trace.paths, self._guarded))
                return True
        return False

    def _adopt(self, plan: Plan) -> None:
        self.tally.added.update(self._ends.take())
        self._plan, self._age = plan, 0
        self._decode = msgspec.json.Decoder(plan.type).decode
        self._ends = _LineEnds(self._enricher, plan)

    def _one_by_one(self, lines: Sequence[bytes]) -> bytes:
        self._open = Tally()
        self._open.lines = len(lines)
        return b"".join([self._one(line, place) for place, line in enumerate(lines)])

    def _one(self, line: bytes, place: int, trace: Trace | None = None) -> bytes:
        """Return what is written for one line."""
        if not line.strip():
            self._open.blank += 1
            return b""
        try:
            enriched = self._enricher.process_json(line, trace)
        except InvalidRecord as error:
            self._open.invalid += 1
            return self._on_invalid(line, place, error)
        if enriched.conflict:
            self._open.conflicts += 1
        self._open.added[enriched.added] += 1
        if enriched.added is NOTHING and trace:
            trace.paths.clear()  # strangers answer no to everything: a plan for them would be wide and slow
        return enriched.record + b"\n"


class _LineEnds(dict[Any, Any]):
    """From the deciding values of a record to the end of its line; None sends it to the record path."""

    def __init__(self, enricher: Enricher, plan: Plan | None) -> None:
        super().__init__({_ODD: None})
        self.seen: Counter[int] = Counter()
        self._enricher = enricher
        self._plan = plan
        self._added: dict[int, Added] = {}

    def __missing__(self, view: Any) -> bytes | None:
        end = self._end(view)
        if len(self) >= CACHE_ENTRIES:
            self.clear()
            self[_ODD] = None
        if len(msgspec.json.encode(view)) <= CACHED_LENGTH:
            self[view] = end
        return end

    def _end(self, view: Any) -> bytes | None:
        plan = self._plan
        if plan is None or plan.guards(view):
            return None
        try:
            _, added = self._enricher.explain(plan.getter(view))
        except Uncovered:
            return None
        if added.explanation and added.explanation.evidence:
            return None  # connect evidence is different in each record
        self._added[id(added.line_end)] = added
        return added.line_end

    def take(self) -> Counter[Added]:
        """Return how often each addition was made since last asked."""
        taken = Counter({self._added[key]: count for key, count in self.seen.items() if key in self._added})
        self.seen.clear()
        return taken


def _undecodable(line: bytes) -> Any:
    raise AssertionError("no plan yet")


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode())
    except UnicodeDecodeError:
        return False
