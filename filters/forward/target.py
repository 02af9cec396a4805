"""One target of the forward sink: a connection that hands over a message and waits until it is acknowledged.

fluent-logger makes and closes the connection. Its sending does not serve: it throws away what the target answers, and
its packing knows one event a message. TLS, the handshake and IPv6 are added where it connects.
"""

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fluent.sender import FluentSender

from filters.codecs.msgpack_stream import Cutter
from filters.forward.address import Address, Unix
from filters.forward.handshake import Client, Refused, Security, is_helo
from filters.forward.wire import Malformed
from filters.signals import Signals

_READ = 4096
# An answer is a small map; who sends more is no target.
_LONGEST_ANSWER = 64 * 1024


class Failure(Exception):
    """The target did not take a message.

    Args:
        handed: whether all of it was sent, so that the target may have it.
    """

    def __init__(self, message: str, *, handed: bool = False) -> None:
        super().__init__(message)
        self.handed = handed


class GivenUp(Exception):
    """There is no time left."""


class Target(FluentSender):  # type: ignore[misc]  # ships no types
    """A connection to one address, made anew when it is lost.

    Args:
        context: for TLS, None for none.
        patience: seconds for one connection attempt, and for each answer to a message.
        signals: end all waiting.
        left: tells how many seconds are left, None while there is no end in sight.
    """

    socket: Any

    def __init__(
        self,
        address: Address,
        signals: Signals,
        left: Callable[[], float | None],
        *,
        security: Security,
        context: ssl.SSLContext | None,
        patience: tuple[float, float],
    ) -> None:
        unix = isinstance(address, Unix)
        host = f"unix://{address}" if isinstance(address, Unix) else address.host
        super().__init__("", host=host, port=0 if unix else address.port)  # type: ignore[union-attr]
        self.name = str(address)
        self.failing = ""  # why it did not take the last message
        self._address = address
        self._signals = signals
        self._left = left
        self._security = security
        self._context = context
        self._patience = patience
        self._cutter = Cutter()

    def deliver(self, message: Sequence[bytes], chunk: str) -> None:
        """Return when the target has acknowledged the message; without a chunk, when it is sent.

        Raises:
            Failure: it did not.
            GivenUp: there is no time left.
        """
        handed = False
        try:
            if self.socket is None or self._was_left():
                self._connect()
            for piece in message:
                self._send_all(piece)
            handed = True
            if chunk:
                self._wait_for_ack(chunk)
        except (OSError, Malformed, Refused) as error:
            self._close()
            raise Failure(_why(error), handed=handed) from None
        except GivenUp:
            self._close()
            raise

    def _connect(self) -> None:
        self._close()
        self._cutter = Cutter()
        self.timeout = self._bounded(self._patience[0])
        self._reconnect()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._context and not isinstance(self._address, Unix):
            self.socket = self._context.wrap_socket(self.socket, server_hostname=self._address.host)
        self.socket.settimeout(0)
        if self._security.key:
            self._shake_hands()

    def _reconnect(self) -> None:
        """Connect; the library knows IPv4 and unix sockets."""
        if isinstance(self._address, Unix) or ":" not in self._address.host:
            super()._reconnect()
        else:
            self.socket = socket.create_connection((self._address.host, self._address.port), self.timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _shake_hands(self) -> None:
        client = Client(self._security)
        due = time.monotonic() + self._patience[0]
        self._send_all(client.ping(self._answer(due)))
        client.check(self._answer(due))

    def _bounded(self, seconds: float) -> float:
        """Return the seconds, or fewer if the end is nearer.

        Raises:
            GivenUp: it has come.
        """
        left = self._left()
        if left is None:
            return seconds
        if left <= 0:
            raise GivenUp
        return min(seconds, left)

    def _was_left(self) -> bool:
        """Return whether the target has closed the connection, or broken the order, while nothing was sent."""
        try:
            self.socket.recv(1)  # nothing was asked, so that an answer is as bad as the end
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            pass
        return True

    def _send_all(self, data: bytes) -> None:
        """Send all of it; a target that takes nothing for too long is one that is lost."""
        rest = memoryview(data)
        due = time.monotonic() + self._patience[1]
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
                due = time.monotonic() + self._patience[1]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(due, write=True)
            except ssl.SSLWantReadError:
                self._wait(due)

    def _wait(self, due: float, *, write: bool = False) -> None:
        seconds = due - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("it takes nothing" if write else "it does not answer")
        self._signals.wait(self.socket.fileno(), self._bounded(seconds), write=write)

    def _answer(self, due: float) -> bytes:
        """Return the next MessagePack value that comes."""
        while True:
            try:
                data = self.socket.recv(_READ)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(due)
                continue
            if not data:
                raise ConnectionResetError("it closed the connection before it answered")
            cut = self._cutter.feed(data)
            if cut.problem or self._cutter.size > _LONGEST_ANSWER:
                raise Malformed("expected an answer in MessagePack, got other bytes")
            if cut.data:
                return cut.data[: cut.ends[1]]

    def _wait_for_ack(self, chunk: str) -> None:
        answer = self._answer(time.monotonic() + self._patience[1])
        if is_helo(answer):
            raise Refused("it asks for a shared key: give --shared-key-file")
        try:
            taken = msgspec.msgpack.decode(answer)
        except (msgspec.DecodeError, RecursionError, TypeError):
            taken = None
        ack = taken.get("ack", taken.get(b"ack")) if isinstance(taken, dict) else None
        if ack not in (chunk, chunk.encode()):
            raise Malformed("expected an acknowledgement of what was sent, got something else")

    def close(self) -> None:
        """Leave the target."""
        self._close()


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
