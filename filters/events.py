"""Events enriched: the twin of the lines' part of the pipeline, for what comes by the forward protocol."""

from enricher.blocks import Tally
from enricher.enrich import Enricher
from enricher.errors import InvalidRecord
from enricher.msgpack_blocks import MsgpackBlocks
from filters.batch import Events
from filters.codecs.convert import json_of, record_of
from filters.errors import InvalidLine
from filters.forward.wire import NIL, split
from filters.invalid import Failed, Invalid
from filters.pipeline import Done


class EventBlocks:
    """Enriches events, a batch at a time.

    Args:
        invalid: decides what stands in place of a record that is no map.
        count: whether the tally says what was added.
    """

    def __init__(self, enricher: Enricher, invalid: Invalid, *, count: bool) -> None:
        self._invalid = invalid
        self._removed: list[int] = []
        self._blocks = MsgpackBlocks(enricher, self._instead, count=count)

    def counted(self) -> Tally:
        """Return the tally, complete."""
        return self._blocks.counted()

    def process(self, events: Events) -> Done:
        """Return the events enriched; those behind one that ends the run are left out."""
        self._removed = []
        try:
            entries = self._blocks.enrich(events.records, events.heads)
        except Failed as failed:
            place = failed.rejected.place
            before = self.process(Events(events.tag, events.heads[:place], events.records[:place]))
            return Done(
                before.data, place, stop=InvalidLine(failed.rejected.message), tag=events.tag, count=before.count
            )
        count = len(events.records)
        if self._removed:
            entries = self._without_removed(entries, count)
        rejected = self._invalid.take()
        return Done(entries, count, rejected=rejected, tag=events.tag, count=count - len(self._removed))

    def _instead(self, record: bytes, place: int, error: InvalidRecord) -> bytes:
        line = json_of(record)
        instead = self._invalid(line, place, error)
        if not instead:
            self._removed.append(place)
            return NIL
        return record if instead == line + b"\n" else record_of(instead)

    def _without_removed(self, entries: bytes, count: int) -> bytes:
        heads, records = split(entries, count)
        removed = set(self._removed)
        kept = [
            head + record
            for place, (head, record) in enumerate(zip(heads, records, strict=True))
            if place not in removed
        ]
        return b"".join(kept)
