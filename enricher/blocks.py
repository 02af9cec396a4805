"""Blocks of lines at a time: the fast twin of the record path, with the same bytes as its result.

No bytecode runs per record: one `map` decodes all lines, another looks up what they gain, one `join` splices it in. A
record that does not fit the plan takes the record path, alone.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import repeat
from operator import attrgetter
from typing import Any

import msgspec

from enricher.added import NOTHING, Added
from enricher.enrich import Enricher
from enricher.errors import InvalidRecord
from enricher.json_record import JsonRecord
from enricher.plan import Trace
from enricher.planner import WORTH, Planner, trace_of

OnInvalid = Callable[[bytes, int, InvalidRecord], bytes]


class Tally:
    """Counts what became of the records.

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
        self._planner = Planner(enricher, _decoder, JsonRecord, attrgetter("line_end"))

    def enrich(self, block: bytes) -> bytes:
        """Return the block with each record enriched.

        Args:
            block: lines, each with its newline.
        """
        lines = list(BytesIO(block))  # bytes.split goes byte by byte, this by memchr
        self._open = Tally()
        self._open.lines = len(lines)
        result = self._enriched(block, lines)
        self.tally.add(self._open)
        return result

    def counted(self) -> Tally:
        """Return the tally, complete."""
        self.tally.added.update(self._planner.take())
        return self.tally

    def _enriched(self, block: bytes, lines: list[bytes]) -> bytes:
        planner = self._planner
        if not (planner.ready or self._start(lines)) or not _is_utf8(block):
            return self._one_by_one(lines)
        ends = planner.gains(lines)
        cut = list(map(bytes.removesuffix, lines, repeat(b"}\n")))
        odd = [place for place, end in enumerate(ends) if end is None] if None in ends else []
        for place in odd:
            cut[place] = ends[place] = b""
        # Each line is shorter by its brace and its newline; if not, some line ends in white space.
        if sum(map(len, cut)) != len(block) - 2 * len(lines) - sum(len(lines[place]) - 2 for place in odd):
            return self._one_by_one(lines)
        for place in odd:
            trace = Trace()
            cut[place] = self._one(lines[place], place, trace)
            planner.note(trace)
        pieces = [b""] * (2 * len(lines))
        pieces[::2] = cut
        pieces[1::2] = ends
        planner.settle(ends, count=self._count)
        return b"".join(pieces)

    def _start(self, lines: Sequence[bytes]) -> bool:
        """Make a first plan, if there are enough lines."""
        return len(lines) >= WORTH and self._planner.start(map(self._traced, lines[:WORTH]))

    def _traced(self, line: bytes) -> Trace:
        try:
            return trace_of(self._enricher.process_json, line[:-1])
        except InvalidRecord:
            return Trace()

    def _one_by_one(self, lines: Sequence[bytes]) -> bytes:
        return b"".join([self._one(line, place) for place, line in enumerate(lines)])

    def _one(self, line: bytes, place: int, trace: Trace | None = None) -> bytes:
        """Return what is written for one line, which ends in its newline."""
        if line.isspace():
            self._open.blank += 1
            return b""
        line = line[:-1]
        try:
            enriched = self._enricher.process_json(line, trace)
        except InvalidRecord as error:
            self._open.invalid += 1
            return self._on_invalid(line, place, error)
        self._open.conflicts += enriched.conflict
        self._open.added[enriched.added] += 1
        if enriched.added is NOTHING and trace:
            trace.paths.clear()  # see trace_of
        return enriched.record + b"\n"


def _decoder(kind: type[msgspec.Struct]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(kind).decode


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode())
    except UnicodeDecodeError:
        return False
