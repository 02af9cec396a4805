"""The flow: a source gives batches, the enricher maps them, a sink takes them, and only then the source hears of it."""

import time
from _thread import allocate_lock  # threading.Lock; threading itself costs each start a millisecond
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from enricher.blocks import Blocks, Tally
from enricher.catalog import Catalog
from enricher.enrich import Enricher
from filters.batch import Batch, Events, Sink, Source, nobody
from filters.errors import InvalidLine, Stop
from filters.invalid import DeadLetter, Failed, Invalid, Rejected
from filters.reload import Reload, loaded
from filters.stats import Statistics

if TYPE_CHECKING:
    from enricher.identity import Identity
    from filters.events import EventBlocks
    from filters.watch import Watch

# Takes the tag of events, their entries, how many those are, and the ack.
WriteEvents: TypeAlias = Callable[[str, bytes, int, Callable[[], None]], None]


class Done(msgspec.Struct, frozen=True):
    """A batch that was enriched.

    Args:
        data: lines; or entries of the forward protocol, one behind the other, where there is a tag.
        lines: how many lines or events of input it was.
        stop: what ends the run when this is written.
        tag: of events, None for lines.
        count: how many records or entries there are in the data.
    """

    data: bytes
    lines: int
    origin: str = ""
    rejected: list[Rejected] = []
    stop: Stop | None = None
    tag: str | None = None
    count: int = 0


class State(msgspec.Struct, frozen=True):
    """What a stage tells of itself at one moment.

    Args:
        tally: what became of all records so far.
        loaded: when catalog and profiles in use were loaded, in seconds since 1970.
        reloaded: whether the last try to load them anew succeeded.
    """

    tally: Tally
    catalog: Catalog
    loaded: float
    reloaded: bool


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
        self._lock = allocate_lock()  # another thread may ask for the state
        self._loaded, self._reloaded = time.time(), True
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

    def state(self) -> State:
        """Return the state, to any thread."""
        with self._lock:
            return State(self.tally, self._enricher.catalog, self._loaded, self._reloaded)

    def identify(self, records: Sequence[bytes]) -> "list[Identity]":
        """Return what tells records from others, as the profiles that are loaded now say."""
        return self._enricher.identify(records)

    def process_events(self, events: Events) -> Done:
        """Return the events enriched; those behind one that ends the run are left out."""
        if self._events is None:
            from filters.events import EventBlocks

            self._events = EventBlocks(self._enricher, self._invalid, count=self._count)
        with self._lock:
            return self._events.process(events)

    def process(self, batch: Batch) -> Done:
        """Return the batch enriched; lines behind one that ends the run are left out."""
        with self._lock:
            try:
                if batch.length:
                    return self._too_long(batch)
                data, lines, count = self._enriched(batch.data)
            except Failed as failed:
                return self._given_up(batch, failed.rejected)
        return Done(data, lines, batch.origin, self._invalid.take(), count=count)

    def _enriched(self, data: bytes) -> tuple[bytes, int, int]:
        """Return the lines enriched, how many there were, and how many of them are in the result."""
        tally = self._blocks.tally
        lines, left_out = tally.lines, tally.blank + self._invalid.removed
        data = self._blocks.enrich(data)
        lines = tally.lines - lines
        return data, lines, lines - (tally.blank + self._invalid.removed - left_out)

    def _too_long(self, batch: Batch) -> Done:
        self._past.lines += 1
        self._past.invalid += 1
        data = self._invalid.too_long(batch.data, batch.length, self._max_line)
        return Done(data, 1, batch.origin, self._invalid.take(), count=1 if data else 0)

    def _given_up(self, batch: Batch, rejected: Rejected) -> Done:
        before = batch.data.split(b"\n")[: rejected.place]
        data, _, count = self._enriched(b"".join(line + b"\n" for line in before)) if before else (b"", 0, 0)
        return Done(data, rejected.place, batch.origin, stop=InvalidLine(rejected.message), count=count)

    def reload(self) -> None:
        """Load catalog and profiles anew; what cannot be loaded leaves the old ones in place."""
        enricher = loaded(self._make)
        with self._lock:
            self._reloaded = enricher is not None
            if enricher:
                self._past = self.tally
                self._enricher, self._loaded = enricher, time.time()
                self._blocks, self._events = Blocks(enricher, self._invalid, count=self._count), None


class Outlet:
    """Writes what was enriched, and knows which line of its input comes next.

    Args:
        events: takes events.
        watch: follows what is written to its acknowledgement.
    """

    def __init__(
        self,
        sink: Sink,
        dead_letter: DeadLetter | None,
        events: WriteEvents | None = None,
        watch: "Watch | None" = None,
    ) -> None:
        self._sink = sink
        self._dead_letter = dead_letter
        self._events = events
        self._watch = watch
        self.origin = ""
        self.lines = 0

    def write(self, done: Done, ack: Callable[[], None] = nobody) -> None:
        """Write a batch, lines that are no records first.

        Args:
            ack: called when the sink's target has taken all of it; never for a batch that ends the run.

        Raises:
            Stop: nothing more is to be written.
        """
        if done.origin != self.origin:
            self.origin, self.lines = done.origin, 0
        if self._dead_letter:
            self._dead_letter.write(done.rejected, self.lines, done.origin)
        ack = nobody if done.stop else ack
        if self._watch:
            ack = self._watch.begin(done.count, len(done.data), len(done.rejected), ack)
        if done.tag is None:
            self._sink.write(done.data, ack)
        elif self._events:
            self._events(done.tag, done.data, done.count, ack)
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
            outlet.write(stage.process_events(batch), batch.ack)
        elif batch.data or batch.length:
            outlet.write(stage.process(batch), batch.ack)
        if reload.due():
            stage.reload()
        if statistics:
            statistics.tick()
