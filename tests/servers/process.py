"""What the real servers of the tests share: a process with a log, to be started, ended and killed."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from servers.cache import tail

_S = TypeVar("_S", bound="Server")


class Server:
    """A server that runs, or ran.

    Args:
        name: what it is called in messages.
        log: what it says goes there.
        patience: seconds that it has to end after SIGTERM.
    """

    def __init__(self, name: str, log: Path, patience: float = 30.0) -> None:
        self.name = name
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self._patience = patience

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        assert self.process is not None
        return self.process.pid

    @property
    def said(self) -> str:
        """Return what it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until it is ready; the test fails where it ends before, or takes longer."""
        assert self.process is not None
        due = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None or time.monotonic() > due:
                self.kill()
                code = self.process.returncode
                pytest.fail(f"{self.name} did not start (exit code {code}):\n{tail(self.said)}")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM, seconds: float | None = None) -> int:
        """End it with a signal, after that time with SIGKILL; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(self._patience if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)
        finally:
            if self.process.stdin:
                self.process.stdin.close()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.stop(signal.SIGKILL, 10)


@contextmanager
def until_left(server: _S) -> Iterator[_S]:
    """End the server when the block is left; print the end of its log when that is by an exception."""
    try:
        yield server
    except BaseException:
        print(tail(server.said))
        raise
    finally:
        if server.process:
            server.stop()


def free_port() -> int:
    """Return a port that was free a moment ago, for TCP and UDP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        try:
            udp.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
        return port
