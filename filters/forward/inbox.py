"""Where messages of many clients wait for the one sink."""

import os
import threading
from collections import deque
from collections.abc import Callable

from filters.batch import Events

# Messages that wait together and have the same tag travel on together, up to this size.
_TOGETHER = 1 << 20


class Inbox:
    """A queue that holds so many bytes, at least one message; whoever puts more in has to wait.

    Args:
        capacity: in bytes.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[tuple[Events, int]] = deque()
        self._size = 0
        self._closed = False
        self._changed = threading.Condition()
        # A pipe can be waited for together with signals.
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """Return a descriptor that can be read when something may have come in."""
        return self._reader

    def put(self, events: Events, size: int) -> bool:
        """Put a message in when there is room; return whether it is in, which it is not if the inbox was closed."""
        with self._changed:
            while self._waiting and self._size + size > self._capacity and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._waiting.append((events, size))
            self._size += size
        try:
            os.write(self._writer, b"x")
        except BlockingIOError:
            pass  # it is full of news already
        return True

    @property
    def closed(self) -> bool:
        """Return whether nothing more is taken."""
        return self._closed

    def take(self) -> Events | None:
        """Return what waits longest, with what is like it behind it; None if nothing waits."""
        with self._changed:
            if not self._waiting:
                self._drain()
                return None
            first, total = self._waiting.popleft()
            group = [first]
            while self._waiting and self._waiting[0][0].tag == first.tag:
                if total + self._waiting[0][1] > _TOGETHER:
                    break
                events, size = self._waiting.popleft()
                group.append(events)
                total += size
            self._size -= total
            self._changed.notify_all()
        return first if len(group) == 1 else _joined(group)

    def close(self) -> None:
        """Take nothing more, and wake whoever waits to put something in."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _drain(self) -> None:
        try:
            os.read(self._reader, 65536)
        except BlockingIOError:
            pass


def _joined(group: list[Events]) -> Events:
    heads = [head for events in group for head in events.heads]
    records = [record for events in group for record in events.records]
    return Events(group[0].tag, heads, records, _all([events.ack for events in group]))


def _all(acks: list[Callable[[], None]]) -> Callable[[], None]:
    def ack() -> None:
        for one in acks:
            one()

    return ack
