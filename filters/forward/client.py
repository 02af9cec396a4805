"""One client of the forward source: a thread that reads its messages and tells it when they have been taken."""

import select
import socket
import ssl
import threading
from collections.abc import Iterator

import msgspec

from filters.batch import Events
from filters.codecs.msgpack_stream import Cutter
from filters.forward import wire
from filters.forward.handshake import Security, Server
from filters.forward.inbox import Inbox
from filters.forward.wire import Malformed
from filters.messages import warn

_READ = 64 * 1024
# Nobody has to be patient with somebody who has not shown a key yet.
_HANDSHAKE_SECONDS = 10.0
_HANDSHAKE_BYTES = 64 * 1024
# What a record takes in memory beside its bytes.
_OVERHEAD = 160
# So long a client may leave an answer unread.
_ANSWER_SECONDS = 10.0


class Limits(msgspec.Struct, frozen=True):
    """What one client may ask for.

    Args:
        message: the largest message in bytes, as it comes and after decompression.
        idle: after so many seconds without a byte it is left.
    """

    message: int = 64 << 20
    idle: float = 600.0


class Client:
    """A connection, served by a thread of its own.

    Args:
        name: what it is called in messages.
        inbox: where its events go.
    """

    thread: threading.Thread

    def __init__(self, connection: socket.socket, name: str, security: Security, limits: Limits, inbox: Inbox) -> None:
        self._connection = connection
        self._name = name
        self._security = security
        self._limits = limits
        self._inbox = inbox
        self._cutter = Cutter()
        self._limit = _HANDSHAKE_BYTES if security.key else limits.message
        self._stopping = False

    def stop(self) -> None:
        """Read no more; what was read is still given to the inbox and acknowledged."""
        self._stopping = True
        try:
            # Not the method of a TLS socket, which would go on without TLS.
            socket.socket.shutdown(self._connection, socket.SHUT_RD)
        except OSError:
            pass

    def serve(self, context: ssl.SSLContext | None) -> None:
        """Read until the client leaves, sends what is no message, or is idle for too long."""
        try:
            self._connection.settimeout(_HANDSHAKE_SECONDS)
            if context:
                self._connection = context.wrap_socket(self._connection, server_side=True)
            messages = self._messages()
            if self._security.key:
                self._shake_hands(messages)
            self._connection.settimeout(self._limits.idle)
            for message in messages:
                if not self._pass_on(message):
                    break
        except Malformed as problem:
            self._leave(str(problem))
        except TimeoutError:
            self._leave("it was silent for too long")
        except ssl.SSLError as error:
            self._leave(f"TLS: {error.reason or error}")
        except OSError:
            pass  # it has gone
        finally:
            self._connection.close()

    def _leave(self, why: str) -> None:
        if not self._stopping:
            warn(f"{self._name}: its connection was ended: {why}")

    def _messages(self) -> Iterator[bytes]:
        """Give whole MessagePack values."""
        while not self._stopping and (data := self._connection.recv(_READ)):
            cut = self._cutter.feed(data)
            for begin, end in zip(cut.ends, cut.ends[1:], strict=False):
                yield cut.data[begin:end]
            if cut.problem == "too_deep":
                raise Malformed("expected a message that is not nested so deeply")
            if cut.problem:
                raise Malformed("expected MessagePack, got other bytes")
            if self._cutter.size > self._limit:
                raise Malformed(f"expected at most {self._limit} bytes in a message, got more")
        if self._cutter.size and not self._stopping:
            raise Malformed("it left in the middle of a message, which is not passed on")

    def _shake_hands(self, messages: Iterator[bytes]) -> None:
        """Let the client in.

        Raises:
            Malformed: it does not hold the key, or is no known user.
        """
        server = Server(self._security)
        self._connection.sendall(server.helo())
        ping = next(messages, b"")
        if not ping:
            raise Malformed("expected PING, got nothing")
        pong, reason = server.pong(ping)
        self._connection.sendall(pong)
        if reason:
            raise Malformed(reason)
        self._limit = self._limits.message

    def _pass_on(self, message: bytes) -> bool:
        """Put the events of a message into the inbox; return whether there may be more."""
        decoded = wire.decode(message, self._limits.message)
        if decoded is None:
            return True
        taken = threading.Event()
        ack = taken.set
        size = sum(map(len, decoded.records)) + _OVERHEAD * (len(decoded.records) + 1)
        if not self._inbox.put(Events(decoded.tag, decoded.heads, decoded.records, ack), size):
            return False
        if not decoded.chunk:
            return True
        while not taken.wait(0.5):
            if self._inbox.closed or _has_gone(self._connection):
                return False
        self._connection.settimeout(_ANSWER_SECONDS)
        self._connection.sendall(wire.ack(decoded.chunk))
        self._connection.settimeout(self._limits.idle)
        return True


def _has_gone(connection: socket.socket) -> bool:
    """Return whether the other side reset the connection."""
    poll = select.poll()
    poll.register(connection, 0)
    return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
