"""A real VictoriaLogs for tests: an independent server that takes Loki's push protocol and gives every line back.

It is built once with `go install`, into the cache folder of the tests. It checks the form of a push and nothing else:
what Loki refuses beyond that is the business of `servers.loki`.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers.fluentd import CACHE, free_port

VERSION = "v1.52.1"
MODULE = f"github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@{VERSION}"
START, STOP, BUILD = 60.0, 30.0, 900.0
# Where Go lies when nobody has put it on the PATH.
GO = "/usr/local/go/bin/go"
# Recorded calls are old, which it would drop in silence. Lines are to come back as they were sent, not as fields.
OPTIONS = (
    "-retentionPeriod=100y",
    "-futureRetention=10y",
    "-memory.allowedBytes=256MB",
    "-inmemoryDataFlushInterval=1s",
    "-loggerLevel=WARN",
    "-loki.disableMessageParsing",
)


class NoVictoriaLogs(Exception):
    """There is no Go, or the server could not be built."""


class VictoriaLogs:
    """A server that can be ended and started again on the same data and the same port.

    Args:
        home: its data and its log lie there.
        options: options of its command beside `OPTIONS`.
    """

    def __init__(self, home: Path, options: Sequence[str] = ()) -> None:
        self.log = home / "victorialogs.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        where = (f"-httpListenAddr=127.0.0.1:{self.port}", f"-storageDataPath={home / 'data'}")
        self._command = [find_victorialogs(), *where, *OPTIONS, *options]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def loki(self) -> str:
        """Return the URL for `--output`."""
        return f"loki+http://127.0.0.1:{self.port}/insert"

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        assert self.process is not None
        return self.process.pid

    @property
    def said(self) -> str:
        """Return what it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        due = time.monotonic() + START
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > due:
                self.kill()
                pytest.fail(f"VictoriaLogs did not start (exit code {self.process.returncode}):\n{_tail(self.said)}")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM, seconds: float = STOP) -> int:
        """End it with a signal, after that time with SIGKILL; return its exit code.

        With SIGTERM it keeps all that it has acknowledged; with SIGKILL it may lose what came in the last second.
        """
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.stop(signal.SIGKILL, 10)

    def query(self, query: str) -> list[dict[str, str]]:
        """Return the entries that a LogsQL query finds, with all that was sent before it."""
        lines = self._ask("/select/logsql/query", query)
        return [json.loads(line) for line in lines.splitlines()]

    def count(self, query: str = "*") -> int:
        """Return how many entries a LogsQL query finds."""
        answer: Any = json.loads(self._ask("/select/logsql/stats_query", f"{query} | stats count() as found"))
        return int(answer["data"]["result"][0]["value"][1])

    def _ask(self, path: str, query: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}/internal/force_flush", timeout=STOP):  # what came becomes visible
            pass
        form = urllib.parse.urlencode({"query": query, "start": "1970-01-02T00:00:00Z", "end": "2100-01-01T00:00:00Z"})
        with urllib.request.urlopen(self.url + path, form.encode(), timeout=60) as answer:
            data: bytes = answer.read()
            return data

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                return True
        except OSError:
            return False


@contextmanager
def run_victorialogs(home: Path, options: Sequence[str] = ()) -> Iterator[VictoriaLogs]:
    """Run a server until the block is left; print the end of its log when that is by an exception."""
    server = VictoriaLogs(home, options)
    try:
        server.start()
        yield server
    except BaseException:
        print(_tail(server.said))
        raise
    finally:
        server.stop()


_found: list[str] = []


def find_victorialogs() -> str:
    """Return the path of the server; build it if it is not there.

    A test is skipped, with the reason printed, where that fails; with CI in the environment it fails.
    """
    if not _found:
        try:
            _found.append(locate())
        except NoVictoriaLogs as reason:
            print(f"no VictoriaLogs: {reason}", file=sys.stderr)
            if os.environ.get("CI", "").lower() in ("true", "1"):
                pytest.fail(f"no VictoriaLogs: {reason}")
            pytest.skip(f"no VictoriaLogs: {reason}")
    return _found[0]


def locate() -> str:
    """Return the path of the server; build it if that was not done.

    Raises:
        NoVictoriaLogs: that failed.
    """
    folder = CACHE / f"victoria-logs-{VERSION}"
    path = folder / "victoria-logs"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "victoria-logs.lock", "w") as lock:  # several sessions may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _build(folder)
    return str(path)


def _build(folder: Path) -> None:
    go = shutil.which("go") or (GO if os.access(GO, os.X_OK) else None)
    if go is None:
        raise NoVictoriaLogs("there is no `go` on the PATH to build it with")
    env = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
    try:
        done = subprocess.run(
            [go, "install", MODULE], env=env, capture_output=True, check=False, text=True, timeout=BUILD
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoVictoriaLogs(f"go install {MODULE}: {error}") from None
    if done.returncode:
        raise NoVictoriaLogs(f"go install {MODULE} failed: {_tail(done.stderr or done.stdout, 5)}")


def _tail(text: str, lines: int = 40) -> str:
    return "\n".join(text.splitlines()[-lines:])
