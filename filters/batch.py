"""What flows from a source through the enricher to a sink."""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec


def nobody() -> None:
    """Acknowledge to nobody."""


class Batch(msgspec.Struct, frozen=True):
    """Records that travel together.

    Args:
        data: whole lines, each with its newline; or the head of one line that was too long; b"" when only time passed.
        length: how long that line was, 0 for whole lines.
        origin: the path of the file that they are from, "" for others.
        ack: called when a sink's target has taken them, from any thread.
    """

    data: bytes
    length: int = 0
    origin: str = ""
    ack: Callable[[], None] = nobody


class Events(msgspec.Struct, frozen=True):
    """Records with a tag and a time each, as MessagePack.

    Args:
        heads: for each record the bytes that stand in front of it in a forward entry: its time and metadata.
        records: a MessagePack value each.
        ack: called when a sink's target has taken them, from any thread.
    """

    tag: str
    heads: list[bytes]
    records: list[bytes]
    ack: Callable[[], None] = nobody


class Source(Protocol):
    """Gives batches."""

    def batches(self) -> Iterator[Batch | Events]:
        """Give one batch after the other; an empty one when only time passed."""


class Sink(Protocol):
    """Takes records."""

    def write(self, data: bytes, ack: Callable[[], None] = nobody) -> None:
        """Take JSON lines; return when the target has them, or early, as long as there is room for them here.

        Args:
            data: whole lines, each with its newline.
            ack: called, from any thread, once the target has taken all of them or they lie in the dead letter.

        Raises:
            OutputFailed: the target cannot take them.
            OutputClosed: the target wants no more.
        """
