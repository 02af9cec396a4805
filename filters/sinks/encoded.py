"""A sink behind an encoder: what is written is made of the lines."""

from collections.abc import Callable

from filters.batch import Sink, nobody
from filters.endpoints import Encode


class Encoded:
    """Writes what an encoder makes of lines to another sink."""

    def __init__(self, sink: Sink, encode: Encode) -> None:
        self._sink = sink
        self._encode = encode

    def write(self, data: bytes, ack: Callable[[], None] = nobody) -> None:
        """Write what is made of the lines; see the other sink."""
        self._sink.write(self._encode(data), ack)
