"""A file descriptor as a sink: standard output or a file."""

import os
import select
from collections.abc import Callable

from filters.batch import nobody
from filters.errors import OutputClosed, OutputFailed


class Descriptor:
    """Writes whole records to a file descriptor.

    Args:
        fd: where to.
        name: what it is called in messages.
    """

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name

    def write(self, data: bytes, ack: Callable[[], None] = nobody) -> None:
        """Write all of the data, then call `ack`.

        Raises:
            OutputClosed: the reader has gone.
            OutputFailed: for any other reason.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                select.select([], [self._fd], [])
            except BrokenPipeError:
                raise OutputClosed from None
            except OSError as error:
                raise OutputFailed(f"{self._name}: cannot be written: {error.strerror}") from None
        ack()
