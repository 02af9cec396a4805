"""A child that reads one codec and writes the other, for an exec_filter whose <format> and <parse> differ."""

from typing import TYPE_CHECKING

from enricher.blocks import Tally
from filters.codecs.convert import json_of, record_of
from filters.codecs.msgpack_stream import Cutter
from filters.codecs.padding import Padding

if TYPE_CHECKING:
    from filters.fluentd import Child


class ToMsgpack:
    """Writes the lines of a JSON child as MessagePack."""

    def __init__(self, child: "Child") -> None:
        self._child = child
        self.reload = child.reload
        self.state = child.state

    @property
    def tally(self) -> Tally:
        """Return what became of all records so far."""
        return self._child.tally

    def feed(self, chunk: bytes) -> bytes:
        """Return the enriched maps."""
        return _maps(self._child.feed(chunk))

    def idle(self) -> bytes:
        """Return nothing: Fluentd reads MessagePack as it comes."""
        return b""

    def finish(self) -> bytes:
        """Return the last map."""
        return _maps(self._child.finish())


class ToJson:
    """Writes the maps of a MessagePack child as JSON lines, padded to the blocks that Fluentd reads."""

    def __init__(self, child: "Child") -> None:
        self._child = child
        self._cutter = Cutter()
        self._padding = Padding()
        self.reload = child.reload
        self.state = child.state

    @property
    def tally(self) -> Tally:
        """Return what became of all records so far."""
        return self._child.tally

    def feed(self, chunk: bytes) -> bytes:
        """Return the enriched lines."""
        data = self._lines(self._child.feed(chunk))
        self._padding.wrote(len(data))
        return data

    def idle(self) -> bytes:
        """Return the padding."""
        return self._padding.take()

    def finish(self) -> bytes:
        """Return the last line."""
        return self._lines(self._child.finish())

    def _lines(self, data: bytes) -> bytes:
        cut = self._cutter.feed(data)
        spans = zip(cut.ends, cut.ends[1:], strict=False)
        return b"".join(json_of(cut.data[begin:end]) + b"\n" for begin, end in spans)


def _maps(lines: bytes) -> bytes:
    return b"".join(record_of(line) for line in lines.split(b"\n") if line)
