"""A real VictoriaLogs for tests: an independent server that takes Loki's push protocol and gives every line back.

It is built once with `go install`, into the cache folder of the tests. It checks the form of a push and nothing else:
what Loki refuses beyond that is the business of `servers.loki`.
"""

import json
import os
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from servers.cache import call, go, locked, needed
from servers.process import Server, free_port, until_left

VERSION = "v1.52.1"
MODULE = f"github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@{VERSION}"
START, STOP = 60.0, 30.0  # seconds
# Recorded calls are old, which it would drop in silence. Lines are to come back as they were sent, not as fields.
OPTIONS = (
    "-retentionPeriod=100y",
    "-futureRetention=10y",
    "-memory.allowedBytes=256MB",
    "-inmemoryDataFlushInterval=1s",
    "-loggerLevel=WARN",
    "-loki.disableMessageParsing",
)


class VictoriaLogs(Server):
    """A server that can be ended and started again on the same data and the same port.

    Args:
        home: its data and its log lie there.
        options: options of its command beside `OPTIONS`.
    """

    def __init__(self, home: Path, options: Sequence[str] = ()) -> None:
        super().__init__("VictoriaLogs", home / "victorialogs.log", STOP)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        where = (f"-httpListenAddr=127.0.0.1:{self.port}", f"-storageDataPath={home / 'data'}")
        self._command = [find_victorialogs(), *where, *OPTIONS, *options]

    @property
    def loki(self) -> str:
        """Return the URL for `--output`."""
        return f"loki+http://127.0.0.1:{self.port}/insert"

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.wait_until(self._ready, START)

    def stop(self, number: int = signal.SIGTERM, seconds: float | None = None) -> int:
        """End it with a signal; return its exit code.

        With SIGTERM it keeps all that it has acknowledged; with SIGKILL it may lose what came in the last second.
        """
        return super().stop(number, seconds)

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
    with until_left(VictoriaLogs(home, options)) as server:
        server.start()
        yield server


@cache
def find_victorialogs() -> str:
    """Return the path of the server; build it if it is not there, else the test is skipped."""
    return needed("VictoriaLogs", locate)


def locate() -> str:
    """Return the path of the server; build it if that was not done.

    Raises:
        Missing: that failed.
    """
    with locked("victoria-logs") as home:
        folder = home / f"victoria-logs-{VERSION}"
        path = folder / "victoria-logs"
        if not path.exists():
            env = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
            call([go(), "install", MODULE], env)
    return str(path)
