"""Cuts a stream of bytes into blocks of whole lines, in bounded memory."""

from collections.abc import Iterator

import msgspec

# How much of a line that is too long is kept.
HEAD = 4096
BOM = b"\xef\xbb\xbf"


class Block(msgspec.Struct, frozen=True):
    """Whole lines, each with its newline; or the head of one line that was too long.

    Args:
        length: how long that line was, 0 for whole lines.
    """

    data: bytes
    length: int = 0


class LineCutter:
    """Cuts what it is fed into blocks.

    Args:
        max_line: the longest line, in bytes without its newline; of a longer one only the head is kept. Chunks must not
            be longer than this.
        rest: what is left over from a cutter before this one, to go on where it stopped.
    """

    def __init__(self, max_line: int, rest: "Rest | None" = None) -> None:
        self._max_line = max_line
        rest = rest or Rest()
        self._parts: list[bytes | memoryview] = [rest.begun] if rest.begun else []
        self._size = rest.size
        self._fresh = rest.fresh

    @property
    def rest(self) -> "Rest":
        """Return the unfinished line."""
        return Rest(begun=b"".join(self._parts), size=self._size, fresh=self._fresh)

    def feed(self, chunk: bytes) -> Iterator[Block]:
        """Give the blocks that end in this chunk."""
        first = chunk.find(b"\n") + 1
        if not first:
            self._keep(chunk)
            return
        if self._size + first - 1 > self._max_line:
            self._keep(chunk[: first - 1])
            yield from self.finish()
        else:
            first = 0
        end = chunk.rfind(b"\n") + 1
        if end > first:
            self._parts.append(memoryview(chunk)[first:end])  # a slice would be one copy more
            yield self._taken()
        self._keep(chunk[end:])

    def finish(self) -> Iterator[Block]:
        """Give the last line, which has no newline."""
        if not self._size:
            return
        if self._size > self._max_line:
            yield Block(_head(self._parts), self._size)
            self._parts, self._size = [], 0
        else:
            self._parts.append(b"\n")
            yield self._taken()

    def _keep(self, piece: bytes) -> None:
        """Add to the unfinished line, as much as is needed of it."""
        if not piece:
            return
        self._size += len(piece)
        self._parts.append(piece)
        if self._size > self._max_line and (len(self._parts) > 1 or len(piece) > HEAD):
            self._parts = [_head(self._parts)]

    def _taken(self) -> Block:
        data = b"".join(self._parts)
        if self._fresh:
            data, self._fresh = data.removeprefix(BOM), False
        self._parts, self._size = [], 0
        return Block(data)


def _head(parts: list[bytes | memoryview]) -> bytes:
    """Return the first bytes of the parts, without joining all of them."""
    head = b""
    for part in parts:
        if len(head) >= HEAD:
            break
        head += part[: HEAD - len(head)]
    return head


class Rest(msgspec.Struct, frozen=True):
    """What a cutter holds between two chunks.

    Args:
        begun: the unfinished line, or the head of one that is already too long.
        size: how long the unfinished line is so far.
        fresh: whether nothing was cut yet, so that a byte order mark may come.
    """

    begun: bytes = b""
    size: int = 0
    fresh: bool = True
