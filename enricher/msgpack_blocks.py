"""Blocks of MessagePack maps at a time: the twin of `blocks` for what Fluentd hands over."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, repeat
from typing import Any

import msgspec

from enricher.added import NOTHING, Added
from enricher.blocks import Tally
from enricher.enrich import Enricher
from enricher.errors import InvalidRecord
from enricher.msgpack_record import MsgpackRecord, extend
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
        self._planner = Planner(enricher, _decoder, MsgpackRecord, lambda added: added)

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

    def enrich_stream(self, data: bytes, ends: Sequence[int]) -> bytes:
        """Return the records enriched, one behind the other.

        Args:
            data: whole records, one behind the other.
            ends: where each of them ends, with 0 before them.
        """
        gains = self._planner.gains_of_array(data, ends) if self._planner.ready else None
        if gains is None or None in gains:
            return self.enrich([data[begin:end] for begin, end in pairwise(ends)])
        pieces: list[bytes] = []
        for begin, end, added in zip(ends, ends[1:], gains, strict=False):
            if added.count == 1 and (header := _NEXT[data[begin]]):
                pieces += (header, data[begin + 1 : end], added.msgpack)
            else:
                pieces.append(_extended(data[begin:end], added))
        self._planner.settle(gains, count=self._count)
        self.tally.lines += len(gains)
        return b"".join(pieces)

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
            elif added.count == 1 and (header := _NEXT[record[0]]):
                pieces += (prefix, header, record[1:], added.msgpack)
            else:
                pieces += (prefix, _extended(record, added))
        planner.settle(gains, count=self._count)
        return b"".join(pieces)

    def _start(self, records: Sequence[bytes]) -> bool:
        return len(records) >= WORTH and self._planner.start(map(self._traced, records[:WORTH]))

    def _traced(self, record: bytes) -> Trace:
        try:
            return trace_of(self._enricher.process_msgpack, record)
        except InvalidRecord:
            return Trace()

    def _one(self, record: bytes, place: int, trace: Trace | None = None) -> bytes:
        try:
            enriched = self._enricher.process_msgpack(record, trace)
        except InvalidRecord as error:
            self._open.invalid += 1
            return self._on_invalid(record, place, error)
        self._open.conflicts += enriched.conflict
        self._open.added[enriched.added] += 1
        if enriched.added is NOTHING and trace:
            trace.paths.clear()  # see trace_of
        return enriched.record


def _decoder(kind: type[msgspec.Struct]) -> Callable[[bytes], Any]:
    return msgspec.msgpack.Decoder(kind).decode


def _extended(record: bytes, added: Added) -> bytes:
    return extend(record, added.msgpack, added.count) if added.count else record
