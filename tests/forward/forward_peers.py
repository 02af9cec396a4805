"""What stands on either side of sipsense in tests: a client, a target, and the command itself as a process."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import msgpack

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
SECONDS = 30.0


def wait_for(reached: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait until it is so; fail after a bounded time."""
    due = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < due, f"waited in vain for {what}"
        time.sleep(0.02)


class Sipsense:
    """The command as a process that runs."""

    def __init__(
        self, folder: Path, *args: object, stdin: object = subprocess.DEVNULL, env: dict | None = None
    ) -> None:
        self.out, self.err = folder / "stdout", folder / "stderr"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "filters", *map(str, args)],
                env={**ENVIRONMENT, **(env or {})},
                stdin=stdin,
                stdout=out,
                stderr=err,
                bufsize=0,
            )

    @property
    def said(self) -> str:
        return self.err.read_text()

    @property
    def lines(self) -> list[str]:
        return self.out.read_text().splitlines()

    def wait_until_it_says(self, text: str) -> None:
        wait_for(lambda: text in self.said or self.process.poll() is not None, text)
        assert text in self.said, self.said

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def sipsense(folder: Path, *args: object, **options: object):
    """Run the command until the block is left; wait until it listens, if it does."""
    process = Sipsense(folder, *args, **options)
    try:
        if "--input" in args:
            process.wait_until_it_says("listening on")
        yield process
    finally:
        if process.process.stdin:
            process.process.stdin.close()
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait(SECONDS)


def connect(port: int) -> socket.socket:
    """Return a connection in which nothing waits for ever."""
    connection = socket.create_connection(("127.0.0.1", port), SECONDS)
    connection.settimeout(SECONDS)
    return connection


def receive(connection: socket.socket, count: int = 1) -> list:
    """Return as many answers, fewer if the connection ends before."""
    unpacker, values = msgpack.Unpacker(), []
    while len(values) < count and (data := connection.recv(4096)):
        unpacker.feed(data)
        values.extend(unpacker)
    return values


def ended(connection: socket.socket) -> bool:
    """Wait for the end of a connection; return whether it came."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


class Target:
    """A server of the forward protocol that does what a test wants.

    Args:
        answer: gets a message's options, with its `bytes`, and how many came before; returns whether it is taken and
            acknowledged, None to close the connection.
    """

    def __init__(self, port: int, answer: Callable[[dict, int], bool | None] = lambda options, number: True) -> None:
        self.taken: list[tuple[str, object, dict]] = []
        self.options: list[dict] = []
        self.connections = 0
        self._answer = answer
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def records(self) -> list[dict]:
        return [record for _, _, record in self.taken]

    def close(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join(SECONDS)

    def __enter__(self) -> "Target":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        threads = []
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            self.connections += 1
            self._open.append(connection)
            threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(SECONDS)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            unpacker = msgpack.Unpacker(max_buffer_size=1 << 30)
            try:
                while data := connection.recv(65536):
                    unpacker.feed(data)
                    for message in unpacker:
                        if not self._take(connection, *message):
                            return
            except OSError:
                pass

    def _take(self, connection: socket.socket, tag: str, packed: bytes, options: dict) -> bool:
        number = len(self.options)
        self.options.append(options)
        answer = self._answer({**options, "bytes": len(packed)}, number)
        if answer is None:
            return False
        if answer:
            if options.get("compressed") == "gzip":
                import gzip

                packed = gzip.decompress(packed)
            entries = msgpack.Unpacker(max_buffer_size=1 << 30)
            entries.feed(packed)
            self.taken += [(tag, time, record) for time, record in entries]
            if "chunk" in options:
                connection.sendall(msgpack.packb({"ack": options["chunk"]}))
        return True
