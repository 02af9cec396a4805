"""Cuts a stream of MessagePack into chunks of whole values, in bounded memory."""

from typing import Literal, NamedTuple


class Cut(NamedTuple):
    """Whole values, one behind the other.

    Args:
        ends: where each of them ends, with 0 before them.
        problem: why what comes behind them cannot be cut.
    """

    data: bytes
    ends: list[int]
    problem: Literal["", "not_msgpack", "too_deep"] = ""


class Cutter:
    """Cuts what it is fed into whole values; each byte is looked at once, however long a value is."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []
        self._start()

    def feed(self, chunk: bytes) -> Cut:
        """Return the values that end in this chunk; `size` bytes stay behind."""
        from msgpack import FormatError, OutOfData, StackError

        skip, tell, begin = self._unpacker.skip, self._unpacker.tell, self._begin
        ends = [0]
        note = ends.append
        problem: Literal["", "not_msgpack", "too_deep"] = ""
        self._unpacker.feed(chunk)
        try:
            while True:
                skip()
                note(tell() - begin)
        except OutOfData:
            pass
        except StackError:
            problem = "too_deep"
        except (FormatError, ValueError):
            problem = "not_msgpack"
        return Cut(self._taken(chunk, ends[-1]), ends, problem)

    def take(self) -> bytes:
        """Return what stayed behind, and begin anew."""
        rest = b"".join(self._parts)
        self._parts, self.size = [], 0
        self._start()
        return rest

    def _start(self) -> None:
        from msgpack import Unpacker

        self._unpacker = Unpacker(None, max_buffer_size=0)
        self._begin = 0

    def _taken(self, chunk: bytes, end: int) -> bytes:
        self._parts.append(chunk)
        self.size += len(chunk) - end
        if not end:
            return b""
        data = b"".join(self._parts) if len(self._parts) > 1 else chunk
        self._parts = [data[end:]] if end < len(data) else []
        self._begin += end
        return data[:end]


class Skipper:
    """Finds the end of a MessagePack value that comes in pieces and is too large to be kept."""

    def __init__(self) -> None:
        self._values = 1
        self._bytes = 0
        self._begun = b""

    def skip(self, data: bytes) -> int | None:
        """Return where in the data the value ends, None if it goes on behind it."""
        at, size = 0, len(data)
        while self._values or self._bytes:
            if self._bytes:
                step = min(self._bytes, size - at)
                self._bytes -= step
                at += step
                if self._bytes:
                    return None
                continue
            header = self._begun + data[at : at + 6]
            needed = _header_size(header[0]) if header else 1
            if len(header) < needed:
                self._begun = header
                return None
            at += needed - len(self._begun)
            self._begun = b""
            values, self._bytes = _contents(header[:needed])
            self._values += values - 1
        return at


_WIDTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}  # bin and str
_EXT = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED = {
    0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _header_size(first: int) -> int:
    if first in _WIDTHS:
        return 1 + _WIDTHS[first]
    if first in _EXT:
        return 1 + _EXT[first]
    return 1 + _CONTAINERS[first][0] if first in _CONTAINERS else 1


def _contents(header: bytes) -> tuple[int, int]:
    """Return how many values and how many bytes follow a header: https://github.com/msgpack/msgpack/blob/master/spec.md."""
    first = header[0]
    count = int.from_bytes(header[1:], "big")
    if first in _WIDTHS:
        return 0, count
    if first in _EXT:
        return 0, count + 1
    if first in _CONTAINERS:
        return count * _CONTAINERS[first][1], 0
    if 0x80 <= first <= 0x9F:  # small maps and arrays
        return (first & 0x0F) * (2 if first < 0x90 else 1), 0
    return 0, first & 0x1F if 0xA0 <= first <= 0xBF else _FIXED.get(first, 0)
