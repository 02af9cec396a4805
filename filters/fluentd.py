"""What a child of Fluentd's exec_filter does between standard input and output."""

import os
import time
from _thread import allocate_lock  # threading.Lock; threading itself costs each start a millisecond
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from enricher.blocks import Tally
from enricher.enrich import Enricher
from enricher.errors import InvalidRecord
from enricher.msgpack_blocks import MsgpackBlocks
from filters.batch import Batch, nobody
from filters.codecs.lines import LineCutter
from filters.codecs.msgpack_stream import Cut, Cutter, Skipper
from filters.codecs.padding import Padding
from filters.errors import Stop
from filters.invalid import Invalid, Rejected, wrapped
from filters.messages import warn
from filters.pipeline import Stage, State
from filters.reload import Reload, loaded
from filters.signals import Signals
from filters.sinks.descriptor import Descriptor
from filters.stats import Statistics, Summary

if TYPE_CHECKING:
    from filters.watch import Watch

# A pipe gives 64 KiB at once; a file, or a pipe that was made larger, gives more.
READ = 256 * 1024
# Seconds between two looks at the parent.
PAUSE = 1.0


class Child(Protocol):
    """Enriches what comes on standard input, in one codec."""

    @property
    def tally(self) -> Tally:
        """Return what became of all records so far."""

    def state(self) -> State:
        """Return the state, to any thread."""

    def feed(self, chunk: bytes) -> bytes:
        """Return what is to be written for the records that end in the chunk."""

    def idle(self) -> bytes:
        """Return what makes Fluentd read what was written, when no more comes for now."""

    def finish(self) -> bytes:
        """Return what is to be written when no more comes at all."""

    def reload(self) -> None:
        """Load catalog and profiles anew."""


class JsonChild:
    """JSON lines in, JSON lines out, padded to the blocks that Fluentd reads."""

    def __init__(self, make: Callable[[], Enricher], max_record: int, *, count: bool = True) -> None:
        self._stage = Stage(make, Invalid("wrap"), max_record, count=count)
        self._cutter = LineCutter(max_record)
        self._padding = Padding()
        self.reload = self._stage.reload
        self.state = self._stage.state

    @property
    def tally(self) -> Tally:
        """Return what became of all records so far."""
        return self._stage.tally

    def feed(self, chunk: bytes) -> bytes:
        """Return the enriched lines."""
        data = b"".join(self._stage.process(Batch(block.data, block.length)).data for block in self._cutter.feed(chunk))
        self._padding.wrote(len(data))
        return data

    def idle(self) -> bytes:
        """Return the padding."""
        return self._padding.take()

    def finish(self) -> bytes:
        """Return the last line, if it has no newline."""
        return b"".join(self._stage.process(Batch(block.data, block.length)).data for block in self._cutter.finish())


class MsgpackChild:
    """MessagePack maps in, MessagePack maps out.

    A record longer than `max_record` bytes passes as it is, piece by piece.
    """

    def __init__(self, make: Callable[[], Enricher], max_record: int, *, count: bool = True) -> None:
        self._make = make
        self._max_record = max_record
        self._count = count
        self._past = Tally()
        self._lock = allocate_lock()  # another thread may ask for the state
        self._adopt(make())
        self._cutter = Cutter()
        self._skipper: Skipper | None = None

    @property
    def tally(self) -> Tally:
        """Return what became of all records so far."""
        total = Tally()
        total.add(self._past)
        total.add(self._blocks.counted())
        return total

    def state(self) -> State:
        """Return the state, to any thread."""
        with self._lock:
            return State(self.tally, self._catalog, self._loaded, self._reloaded)

    def feed(self, chunk: bytes) -> bytes:
        """Return the enriched maps."""
        with self._lock:
            return self._fed(chunk)

    def _fed(self, chunk: bytes) -> bytes:
        pieces = []
        while chunk:
            if self._skipper:
                passed, chunk = self._skipped(self._skipper, chunk)
                pieces.append(passed)
                continue
            cut, chunk = self._cutter.feed(chunk), b""
            if cut.data:
                pieces.append(self._enriched(cut))
            if cut.problem == "not_msgpack":
                pieces.append(self._broken(self._cutter.take(), "expected MessagePack, got other bytes"))
            elif cut.problem or self._cutter.size > self._max_record:
                self._pass("is nested too deeply" if cut.problem else f"has more than {self._max_record} bytes")
                self._skipper, chunk = Skipper(), self._cutter.take()
        return b"".join(pieces)

    def idle(self) -> bytes:
        """Return nothing: Fluentd reads MessagePack as it comes."""
        return b""

    def finish(self) -> bytes:
        """Return what is left of a record that was cut off, marked."""
        rest = self._cutter.take()
        return self._broken(rest, "the input ended inside a record") if rest else b""

    def reload(self) -> None:
        """Load catalog and profiles anew; what cannot be loaded leaves the old ones in place."""
        enricher = loaded(self._make)
        with self._lock:
            self._reloaded = enricher is not None
            if enricher:
                self._past = self.tally
                self._adopt(enricher)

    def _adopt(self, enricher: Enricher) -> None:
        self._blocks = MsgpackBlocks(enricher, _marked, count=self._count)
        self._catalog, self._loaded, self._reloaded = enricher.catalog, time.time(), True

    def _enriched(self, cut: Cut) -> bytes:
        if len(cut.data) <= self._max_record:
            return self._blocks.enrich_stream(cut.data, cut.ends)
        pieces = []
        for begin, end in pairwise(cut.ends):
            record = cut.data[begin:end]
            if len(record) > self._max_record:
                self._pass(f"has more than {self._max_record} bytes")
                pieces.append(record)
            else:
                pieces.append(self._blocks.enrich([record]))
        return b"".join(pieces)

    def _pass(self, why: str) -> None:
        """Say that a record is passed as it is."""
        warn(f"a record {why}: it is passed as it is")
        self._past.lines += 1

    def _skipped(self, skipper: Skipper, chunk: bytes) -> tuple[bytes, bytes]:
        """Return what belongs to the record that is passed as it is, and what comes behind it."""
        end = skipper.skip(chunk)
        if end is None:
            return chunk, b""
        self._skipper = None
        return chunk[:end], chunk[end:]

    def _broken(self, data: bytes, message: str) -> bytes:
        """Return the record that stands for bytes that cannot be read; nothing behind them can be found."""
        warn(message)
        self._past.lines += 1
        self._past.invalid += 1
        return _marked(data, 0, InvalidRecord("not_msgpack", message))


def _marked(data: bytes, place: int, error: InvalidRecord) -> bytes:
    """Return the MessagePack map that stands for a value that is no record."""
    import msgspec

    record = wrapped(Rejected(place, data[:4096], error.kind, str(error), len(data) if len(data) > 4096 else 0))
    return msgspec.msgpack.encode(msgspec.json.decode(record))


def run(
    child: Child,
    signals: Signals,
    output: Descriptor,
    reload: Reload,
    *,
    read: int = READ,
    watch: "Watch | None" = None,
) -> Stop | None:
    """Enrich until standard input ends, or the parent does; return what ended it early.

    Args:
        read: how many bytes are read at once.
        watch: follows what is written.
    """
    parent = os.getppid()
    write = _watched(child, output, watch) if watch else lambda make: output.write(make())
    statistics = Statistics(lambda: Summary.of(child.tally))
    stop = None
    try:
        ready = signals.wait(0, PAUSE)
        while ready or os.getppid() == parent:
            if ready:
                chunk = os.read(0, read)
                if not chunk:
                    break
                write(partial(child.feed, chunk))
                ready = signals.wait(0, 0)
                if not ready:
                    output.write(child.idle())
            if reload.due():
                child.reload()
            statistics.tick()
            ready = ready or signals.wait(0, PAUSE)
        write(child.finish)
    except Stop as reason:
        stop = reason
    statistics.tell()
    return stop


def _watched(child: Child, output: Descriptor, watch: "Watch") -> Callable[[Callable[[], bytes]], None]:
    """Return what writes the data that is made, and counts the records in it."""

    def records() -> int:
        tally = child.state().tally
        return tally.lines - tally.blank

    def write(make: Callable[[], bytes]) -> None:
        before = records()
        data = make()
        ack = watch.begin(records() - before, len(data), 0, nobody)
        output.write(data)
        ack()

    return write
