"""What becomes of lines that are no records."""

import os
from _thread import allocate_lock  # threading.Lock; threading itself costs each start a millisecond
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from enricher.errors import InvalidRecord
from filters.sinks.descriptor import Descriptor

Mode = Literal["wrap", "pass", "drop", "fail"]
MODES: tuple[Mode, ...] = ("wrap", "pass", "drop", "fail")


class Rejected(msgspec.Struct, frozen=True):
    """A line that is no record.

    Args:
        place: which line of its block it is, from 0.
        line: the line, or the head of one that was too long.
        length: how long that was, 0 for others.
    """

    place: int
    line: bytes
    kind: str
    message: str
    length: int = 0


class Failed(Exception):
    """Mode `fail` met a line."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__()
        self.rejected = rejected


def wrapped(rejected: Rejected, *, number: int = 0, path: str = "") -> bytes:
    """Return the object that stands for a line that is no record.

    Args:
        number: the number of the line in its input, where that is to be said; it becomes ECS `event.sequence`.
        path: the file that the line is from; it becomes ECS `log.file.path`.
    """
    import orjson

    event = {"kind": "pipeline_error", "original": rejected.line.decode(errors="replace")}
    extra = {"original_length": rejected.length} if rejected.length else {}
    sequence = {"sequence": number} if number else {}
    log = {"log": {"file": {"path": path}}} if path else {}
    record = {
        "event": {**event, **extra, **sequence},
        "error": {"type": rejected.kind, "message": rejected.message},
        **log,
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


class Invalid:
    """Decides what is written in place of a line that is no record.

    Args:
        mode: `wrap` it in an object, `pass` it as it is, `drop` it, or `fail`.
        apart: whether it goes to a dead letter instead, and nothing in its place.
    """

    def __init__(self, mode: Mode, *, apart: bool = False) -> None:
        self.rejected: list[Rejected] = []
        self.removed = 0  # lines that nothing was written for
        self._written = self._apart if apart else self._written_by(mode)

    def __call__(self, line: bytes, place: int, error: InvalidRecord) -> bytes:
        """Return what is written in place of the line."""
        return self._written(Rejected(place, line, error.kind, str(error)))

    def too_long(self, head: bytes, length: int, max_line: int) -> bytes:
        """Return what is written in place of a line of which only the head is there."""
        message = f"expected at most {max_line} bytes in a line, got {length}"
        return self._written(Rejected(0, head, "line_too_long", message, length))

    def take(self) -> list[Rejected]:
        """Return the lines that go to the dead letter."""
        rejected, self.rejected = self.rejected, []
        return rejected

    def _apart(self, rejected: Rejected) -> bytes:
        self.rejected.append(rejected)
        return self._drop(rejected)

    def _drop(self, rejected: Rejected) -> bytes:
        self.removed += 1
        return b""

    def _written_by(self, mode: Mode) -> Callable[[Rejected], bytes]:
        ways: dict[Mode, Callable[[Rejected], bytes]] = {
            "wrap": wrapped,
            "pass": _as_it_is,
            "drop": self._drop,
            "fail": _fail,
        }
        return ways[mode]


def _as_it_is(rejected: Rejected) -> bytes:
    # Only the head of a line that is too long is there, and half a line is no line.
    return wrapped(rejected) if rejected.length else rejected.line + b"\n"


def _fail(rejected: Rejected) -> bytes:
    raise Failed(rejected)


class DeadLetter:
    """A file of lines that are no records, and of records that no target took; any thread may append."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._sink = Descriptor(self._fd, path)
        self._lock = allocate_lock()

    def write(self, rejected: list[Rejected], before: int, path: str) -> None:
        """Append the lines.

        Args:
            before: how many lines of their input came before their block.
            path: the file that they are from, "" for others.
        """
        if rejected:
            self._append(b"".join(wrapped(one, number=before + one.place + 1, path=path) for one in rejected))

    def keep(self, records: Iterable[tuple[bytes, str]], kind: str) -> None:
        """Append records that a sink's target did not take, each with the reason.

        Args:
            kind: `refused` by the target for good, or `not_delivered` in time.
        """
        self._append(b"".join([wrapped(Rejected(0, record, kind, reason)) for record, reason in records]))

    def _append(self, data: bytes) -> None:
        with self._lock:
            self._sink.write(data)
