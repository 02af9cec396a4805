"""Signals as wishes: noted when they come, obeyed between two batches."""

import os
import select
import signal
from types import FrameType

_NOTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Notes SIGTERM, SIGINT and SIGHUP while it is entered; a second SIGTERM or SIGINT ends the process at once.

    Args:
        patient: whether also later signals are only noted.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.stop = 0
        self.reload = False
        self._patient = patient
        self._reader, self._writer = -1, -1
        self._poll = select.poll()

    def __enter__(self) -> "Signals":
        self._open()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        return self

    def fork(self) -> int:
        """Fork; no signal is lost on the way, and none that was to wake one process is taken by another."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _NOTED)
        try:
            child = os.fork()
            if child == 0:
                self._patient = True  # a terminal sends its signals to all, and then they are handed on as well
                self._poll.unregister(self._reader)
                os.close(self._reader)
                os.close(self._writer)
                self._open()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOTED)
        return child

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, fd: int, seconds: float | None = None, *, write: bool = False) -> bool:
        """Wait until the descriptor can be read, a signal came or the time is over; return whether it can be read.

        Args:
            write: wait until it can be written instead.
        """
        self._poll.register(fd, select.POLLOUT if write else select.POLLIN)
        ready = dict(self._poll.poll(None if seconds is None else seconds * 1000))
        self._poll.unregister(fd)
        if self._reader in ready:
            self._woken()
        return fd in ready

    def _open(self) -> None:
        """Open the pipe that ends a wait."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        os.set_blocking(self._reader, False)
        self._poll.register(self._reader, select.POLLIN)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def sleep(self, seconds: float) -> None:
        """Wait until a signal came or the time is over."""
        for _ in self._poll.poll(seconds * 1000):
            self._woken()

    def _woken(self) -> None:
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            pass

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop and not self._patient:
            os._exit(128 + number)
        self.stop = number

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        self.reload = True
