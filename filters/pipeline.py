"""The flow: a source gives batches, the enricher maps them, a sink takes them, and only then the source hears of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from enricher.blocks import Blocks, Tally
from enricher.enrich import Enricher
from filters.batch import Batch, Events, Sink, Source
from filters.errors import InvalidLine, Stop
from filters.invalid import DeadLetter, Failed, Invalid, Rejected
from filters.reload import Reload, loaded
from filters.stats import Statistics

if TYPE_CHECKING:
    from filters.events import EventBlocks


class Done(msgspec.Struct, frozen=True):
    """A batch that was enriched.

    Args:
        data: lines; or entries of the forward protocol, one behind the other, where there is a tag.
        lines: how many lines or events of input it was.
        stop: what ends the run when this is written.
        tag: of events, None for lines.
        count: how many entries there are.
    """

    data: bytes
    lines: int
    origin: str = ""
    rejected: list[Rejected] = []
    stop: Stop | None = None
    tag: str | None = None
    count: int = 0


class Stage:
    """Enriches batches.

    Args:
        make: makes the enricher, and makes it anew when it is to be loaded again.
        max_line: the longest line, named in messages.
        count: whether the tally says what was added.
    """

    def __init__(self, make: Callable[[], Enricher], invalid: Invalid, max_line: int, *, count: bool) -> None:
        self._make = make
        self._invalid = invalid
        self._max_line = max_line
        self._count = count
        self._past = Tally()
        self._enricher = make()
        self._blocks = Blocks(self._enricher, invalid, count=count)
        self._events: EventBlocks | None = None

    @property
    def tally(self) -> Tally:
        """Return what became of all lines so far."""
        total = Tally()
        total.add(self._past)
        total.add(self._blocks.counted())
        if self._events:
            total.add(self._events.counted())
        return total

    def process_events(self, events: Events) -> Done:
        """Return the events enriched; those behind one that ends the run are left out."""
        if self._events is None:
            from filters.events import EventBlocks

            self._events = EventBlocks(self._enricher, self._invalid, count=self._count)
        return self._events.process(events)

    def process(self, batch: Batch) -> Done:
        """Return the batch enriched; lines behind one that ends the run are left out."""
        try:
            if batch.length:
                self._past.lines += 1
                self._past.invalid += 1
                data, lines = self._invalid.too_long(batch.data, batch.length, self._max_line), 1
            else:
                before = self._blocks.tally.lines
                data = self._blocks.enrich(batch.data)
                lines = self._blocks.tally.lines - before
        except Failed as failed:
            return self._given_up(batch, failed.rejected)
        return Done(data, lines, batch.origin, self._invalid.take())

    def _given_up(self, batch: Batch, rejected: Rejected) -> Done:
        before = batch.data.split(b"\n")[: rejected.place]
        data = self._blocks.enrich(b"".join(line + b"\n" for line in before)) if before else b""
        return Done(data, rejected.place, batch.origin, stop=InvalidLine(rejected.message))

    def reload(self) -> None:
        """Load catalog and profiles anew; what cannot be loaded leaves the old ones in place."""
        enricher = loaded(self._make)
        if enricher:
            self._past = self.tally
            self._enricher = enricher
            self._blocks, self._events = Blocks(enricher, self._invalid, count=self._count), None


class Outlet:
    """Writes what was enriched, and knows which line of its input comes next.

    Args:
        events: takes events: their tag, their entries and how many those are.
    """

    def __init__(
        self, sink: Sink, dead_letter: DeadLetter | None, events: Callable[[str, bytes, int], None] | None = None
    ) -> None:
        self._sink = sink
        self._dead_letter = dead_letter
        self._events = events
        self.origin = ""
        self.lines = 0

    def write(self, done: Done) -> None:
        """Write a batch, lines that are no records first.

        Raises:
            Stop: nothing more is to be written.
        """
        if done.origin != self.origin:
            self.origin, self.lines = done.origin, 0
        if self._dead_letter:
            self._dead_letter.write(done.rejected, self.lines, done.origin)
        if done.tag is None:
            self._sink.write(done.data)
        elif self._events:
            self._events(done.tag, done.data, done.count)
        self.lines += done.lines
        if isinstance(done.stop, InvalidLine):
            where = f"{done.origin or 'line'}{':' if done.origin else ' '}{self.lines + 1}"
            raise InvalidLine(f"{where}: {done.stop}")


def run(source: Source, stage: Stage, outlet: Outlet, reload: Reload, statistics: Statistics | None = None) -> None:
    """Pass all batches of the source on.

    Args:
        statistics: what sends the counts to where messages go.

    Raises:
        Stop: the run ended early.
    """
    for batch in source.batches():
        if isinstance(batch, Events):
            outlet.write(stage.process_events(batch))
            batch.ack()
        elif batch.data or batch.length:
            outlet.write(stage.process(batch))
            batch.ack()
        if reload.due():
            stage.reload()
        if statistics:
            statistics.tick()
