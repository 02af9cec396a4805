"""Blocks of MessagePack maps at a time: the twin of `blocks` for what Fluentd hands over."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise, repeat

import msgspec

from enricher.blocks import Tally
from enricher.enrich import NOTHING, Added, Enricher
from enricher.errors import InvalidRecord
from enricher.msgpack_record import extend, process
from enricher.plan import Trace
from enricher.planner import WORTH, Planner, trace_of

_NOTHING_BEFORE = repeat(b"")
OnInvalid = Callable[[bytes, int, InvalidRecord], bytes]

# The header of a map of so many members, where both it and the next larger one are a single byte.
_NEXT = [bytes([first + 1]) if 0x80 <= first < 0x8F else b"" for first in range(256)]


class MsgpackBlocks:
    """Enriches MessagePack maps, many at a time.

    Args:
        enricher: the record path, which is the reference.
        on_invalid: gets the bytes of a value that is no record, its place in the block and what is wrong; returns what
            is written in its place.
        count: whether the tally says what was added.
    """

    def __init__(self, enricher: Enricher, on_invalid: OnInvalid, *, count: bool = True) -> None:
        self.tally = Tally()
        self._open = self.tally
        self._enricher = enricher
        self._on_invalid = on_invalid
        self._count = count
        self._process = partial(process, enricher)
        self._planner = Planner(enricher, lambda kind: msgspec.msgpack.Decoder(kind).decode, lambda added: added)

    def enrich(self, records: Sequence[bytes], before: Iterable[bytes] = _NOTHING_BEFORE) -> bytes:
        """Return the records enriched, one behind the other.

        Args:
            before: what is written before each record.
        """
        self._open = Tally()
        self._open.lines = len(records)
        result = self._enriched(records, before)
        self.tally.add(self._open)
        return result

    def enrich_stream(self, data: bytes) -> tuple[bytes, int]:
        """Return the whole records in the data enriched, and how many bytes of it they are.

        Raises:
            InvalidRecord: the data is no MessagePack.
        """
        ends = bounds(data)
        gains = self._planner.gains_of_array(data[: ends[-1]], len(ends) - 1) if self._planner.ready else None
        if gains is None or None in gains:
            return self.enrich([data[begin:end] for begin, end in pairwise(ends)]), ends[-1]
        pieces: list[bytes] = []
        for begin, end, added in zip(ends, ends[1:], gains, strict=False):
            if added.count == 1 and (header := _NEXT[data[begin]]):
                pieces += (header, data[begin + 1 : end], added.msgpack)
            else:
                pieces.append(_extended(data[begin:end], added))
        self._planner.settle(gains, count=self._count)
        self.tally.lines += len(gains)
        return b"".join(pieces), ends[-1]

    def counted(self) -> Tally:
        """Return the tally, complete."""
        self.tally.added.update(self._planner.take())
        return self.tally

    def _enriched(self, records: Sequence[bytes], before: Iterable[bytes]) -> bytes:
        planner = self._planner
        ready = planner.ready or self._start(records)
        gains = planner.gains(records) if ready else [None] * len(records)
        pieces: list[bytes] = []
        for place, (prefix, record, added) in enumerate(zip(before, records, gains, strict=False)):
            if added is None:
                trace = Trace() if ready else None
                pieces += (prefix, self._one(record, place, trace))
                if trace:
                    planner.note(trace)
            else:
                pieces += (prefix, _extended(record, added))
        planner.settle(gains, count=self._count)
        return b"".join(pieces)

    def _start(self, records: Sequence[bytes]) -> bool:
        return len(records) >= WORTH and self._planner.start(map(self._traced, records[:WORTH]))

    def _traced(self, record: bytes) -> Trace:
        try:
            return trace_of(self._process, record)
        except InvalidRecord:
            return Trace()

    def _one(self, record: bytes, place: int, trace: Trace | None = None) -> bytes:
        try:
            enriched = self._process(record, trace)
        except InvalidRecord as error:
            self._open.invalid += 1
            return self._on_invalid(record, place, error)
        self._open.conflicts += enriched.conflict
        self._open.added[enriched.added] += 1
        if enriched.added is NOTHING and trace:
            trace.paths.clear()  # see trace_of
        return enriched.record


def _extended(record: bytes, added: Added) -> bytes:
    return extend(record, added.msgpack, added.count) if added.count else record


def bounds(data: bytes) -> list[int]:
    """Return where the whole MessagePack values of a stream end, with 0 before them.

    Raises:
        InvalidRecord: the bytes are no MessagePack.
    """
    from msgpack import FormatError, OutOfData, StackError, Unpacker

    unpacker = Unpacker(None, max_buffer_size=0)
    unpacker.feed(data)
    skip, tell = unpacker.skip, unpacker.tell
    ends = [0]
    note = ends.append
    try:
        while True:
            skip()
            note(tell())
    except OutOfData:
        return ends
    except (FormatError, StackError, ValueError) as error:
        raise InvalidRecord("not_msgpack", f"expected MessagePack, got other bytes at {ends[-1]}: {error}") from None
