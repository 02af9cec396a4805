"""A server of the forward protocol as a source: Fluentd, Fluent Bit and the fluent-logger libraries send to it."""

import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import msgspec

from filters.batch import Batch, Events
from filters.forward.address import Address, Unix
from filters.forward.client import Client, Limits
from filters.forward.handshake import Security
from filters.forward.inbox import Inbox
from filters.messages import warn
from filters.signals import Signals

_BACKLOG = 128
# Seconds that a thread may take to notice the end.
_LAST = 5.0
# Seconds between two looks at the signals.
_LOOK = 0.2


class Settings(msgspec.Struct, frozen=True):
    """What a source is made of.

    Args:
        context: for TLS, None for none.
        connections: how many clients may be connected.
        waiting: how many bytes of messages may wait for the sink, at least one message.
        farewell: seconds that are left at the end for the last acknowledgements to come and to be taken.
    """

    address: Address
    limits: Limits
    security: Security = Security()
    context: ssl.SSLContext | None = None
    connections: int = 256
    waiting: int = 32 << 20
    farewell: float = 5.0


class Forward:
    """Listens, and gives what clients send; a client hears that its message arrived when the sink has taken it.

    Args:
        signals: SIGTERM or SIGINT end the reading; what was read is still given.
        pause: how often, in seconds, an idle source gives an empty batch.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, settings: Settings, signals: Signals, *, pause: float = 1.0) -> None:
        self._settings = settings
        self._signals = signals
        self._pause = pause
        self._inbox = Inbox(settings.waiting)
        self._clients: set[Client] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._acceptor: threading.Thread | None = None
        self._stop_reader, self._stop_writer = os.pipe()
        self._listener = _listen(settings.address)
        self._heartbeat = _listen_udp(self._listener) if not isinstance(settings.address, Unix) else None

    @property
    def name(self) -> str:
        """Return where it listens."""
        if isinstance(self._settings.address, Unix):
            return self._settings.address.path
        host, port = self._listener.getsockname()[:2]
        return f"{host}:{port}"

    def batches(self) -> Iterator[Batch | Events]:
        """Give what comes in until a signal asks for the end, and then what was read by then."""
        self._acceptor = threading.Thread(target=self._accept, name="accept", daemon=True)
        self._acceptor.start()
        warn(f"listening on {self.name}")
        try:
            while not self._signals.stop:
                if self._signals.wait(self._inbox.fileno(), self._pause):
                    yield from self._taken()
                else:
                    yield Batch(b"")
            self._stop_reading()
            due = time.monotonic() + self._settings.farewell
            while self._busy() and time.monotonic() < due:
                if self._signals.wait(self._inbox.fileno(), 0.05):
                    yield from self._taken()
                    due = time.monotonic() + self._settings.farewell
            yield from self._taken()
        finally:
            self.close()

    def close(self) -> None:
        """Leave all clients; what they were not told of, they have to send again."""
        self._stop_reading()
        self._inbox.close()
        with self._lock:
            clients = list(self._clients)
        for thread in (self._acceptor, *(client.thread for client in clients)):
            if thread:
                thread.join(_LAST)
        self._listener.close()
        if self._heartbeat:
            self._heartbeat.close()
        if isinstance(self._settings.address, Unix):
            _unlink(self._settings.address.path)

    def _taken(self) -> Iterator[Events]:
        while events := self._inbox.take():
            yield events

    def _busy(self) -> bool:
        """Return whether a client may still give what it has read, or has to be told of it."""
        with self._lock:
            return any(client.thread.is_alive() for client in self._clients)

    def _stop_reading(self) -> None:
        if self._stopping.is_set():
            return
        self._stopping.set()
        os.write(self._stop_writer, b"x")
        with self._lock:
            for client in self._clients:
                client.stop()

    def _accept(self) -> None:
        """Take clients in and answer heartbeats until the end."""
        poll = select.poll()
        for fd in (self._stop_reader, self._listener.fileno()):
            poll.register(fd, select.POLLIN)
        if self._heartbeat:
            poll.register(self._heartbeat, select.POLLIN)
        while not self._stopping.is_set():
            ready = [fd for fd, _ in poll.poll(_LOOK * 1000)]
            if self._signals.stop:
                self._stop_reading()  # the sink may keep the other thread busy
                break
            if self._listener.fileno() in ready:
                self._welcome()
            if self._heartbeat and self._heartbeat.fileno() in ready:
                _answer(self._heartbeat)
        self._listener.close()

    def _welcome(self) -> None:
        try:
            connection, peer = self._listener.accept()
        except OSError as error:  # it has gone again, or there are too many open files
            warn(f"a client could not be accepted: {error.strerror}")
            self._stopping.wait(0.1)
            return
        name = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "a client of the socket"
        with self._lock:
            if self._stopping.is_set():
                connection.close()
                return
            if len(self._clients) >= self._settings.connections:
                connection.close()
                warn(f"{name}: turned away, expected at most {self._settings.connections} connections")
                return
            client = Client(connection, name, self._settings.security, self._settings.limits, self._inbox)
            client.thread = threading.Thread(target=self._serve, args=(client,), name=name, daemon=True)
            self._clients.add(client)
        client.thread.start()

    def _serve(self, client: Client) -> None:
        try:
            client.serve(self._settings.context)
        finally:
            with self._lock:
                self._clients.discard(client)


def _listen(address: Address) -> socket.socket:
    if isinstance(address, Unix):
        return _listen_unix(address.path)
    family, kind, protocol, _, where = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_unix(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _unlink_stale(path)
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _unlink_stale(path: str) -> None:
    """Remove a socket that nobody listens on, as a killed process leaves it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            _unlink(path)
        except OSError:
            pass


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _listen_udp(listener: socket.socket) -> socket.socket | None:
    """Return the UDP socket beside a listener; heartbeats are optional, so a port that is taken is only told."""
    heartbeat = socket.socket(listener.family, socket.SOCK_DGRAM)
    heartbeat.setblocking(False)
    try:
        heartbeat.bind(listener.getsockname())
    except OSError as error:
        heartbeat.close()
        warn(f"UDP heartbeats are not answered: {error.strerror}")
        return None
    return heartbeat


def _answer(heartbeat: socket.socket) -> None:
    try:
        _, peer = heartbeat.recvfrom(16)
        heartbeat.sendto(b"\x00", peer)
    except OSError:
        pass
