"""The command as a process that sends calls to Elasticsearch, and what is looked at afterwards."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from servers.faults import Asked, Reply, reply
from servers.opensearch import OpenSearch

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "filters"]
SECONDS = 60.0
SECRETS = ("SIPSENSE_PASSWORD", "SIPSENSE_API_KEY", "SIPSENSE_BEARER")


def environment(**more: str) -> dict[str, str]:
    """Return the environment, without credentials."""
    plain = {name: text for name, text in os.environ.items() if name not in SECRETS}
    return {**plain, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **more}


def sipsense(*args: object, stdin: bytes = b"", **env: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    command = [*COMMAND, *map(str, args)]
    done = subprocess.run(
        command, input=stdin, capture_output=True, env=environment(**env), timeout=SECONDS * 4, check=False
    )
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


class Running:
    """The command while it runs; what it says lies in a file."""

    def __init__(self, folder: Path, *args: object) -> None:
        self.err = folder / "said"
        with open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [*COMMAND, *map(str, args)],
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=err,
                bufsize=0,
            )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)

    @property
    def said(self) -> str:
        return self.err.read_text()

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)

    def end(self, number: int | None = None) -> int:
        """End its input, or send it a signal; return its exit code."""
        if number:
            self.process.send_signal(number)
        elif self.process.stdin:
            self.process.stdin.close()
        return self.process.wait(SECONDS)


def until(reached: Callable[[], object], what: str) -> None:
    """Wait until it is so; fail after a bounded time."""
    due = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < due, f"waited in vain for {what}"
        time.sleep(0.05)


def call(number: int, **more: object) -> bytes:
    """Return a call that is told from all others."""
    fields = {
        "id": f"c{number}",
        "sip_code": 486,
        "sip_reason": "Busy Here",
        "time_end": f"2026-02-03T04:05:06.{number % 1000:03}Z",
    }
    return json.dumps({**fields, "n": number, **more}).encode() + b"\n"


def calls(numbers: Iterable[int]) -> bytes:
    """Return the calls with these numbers."""
    return b"".join(map(call, numbers))


def count(server: OpenSearch, index: str) -> int:
    """Return how many records an index has; 0 if it is not there."""
    if server.request("POST", f"/{index}/_refresh")[0] == 404:
        return 0
    found: int = server.ask("GET", f"/{index}/_count")["count"]
    return found


def distinct(server: OpenSearch, index: str) -> int:
    """Return how many different calls there are."""
    body = {"size": 0, "aggs": {"n": {"cardinality": {"field": "n", "precision_threshold": 40_000}}}}
    return server.ask("POST", f"/{index}/_search", body)["aggregations"]["n"]["value"]


def kept(path: Path) -> list[tuple[dict, str, str]]:
    """Return what lies in a dead letter: record, kind and reason."""
    letters = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(json.loads(one["event"]["original"]), one["error"]["type"], one["error"]["message"]) for one in letters]


def stats(path: Path) -> dict:
    """Return what the statistics say of delivery."""
    return json.loads(path.read_bytes())["delivery"]


def adds_up(numbers: dict, records: int) -> bool:
    """Return whether each record is in one place."""
    return sum(numbers[name] for name in ("delivered", "present", "dead_letter", "undelivered")) == records


def took(asked: Asked) -> Reply:
    """Answer as a server that takes everything."""
    if "_bulk" not in asked.path:
        return reply({"version": {"number": "9.0.0"}})
    return reply({"errors": False, "items": [{"create": {"status": 201}}] * (asked.body.count(b"\n") // 2)})
