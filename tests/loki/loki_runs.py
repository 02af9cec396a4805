"""The command as a process that delivers to Loki, and calls for it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from enricher import Enricher

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
COMMAND = [sys.executable, "-m", "filters"]
SECOND = 10**9
PATIENCE = 120
# Rows of the catalog of different categories, as records give them.
MEANINGS = (
    (200, "Bye", "Origination"),
    (486, "Busy Here", "Destination"),
    (480, "DID number overloaded", "System"),
    (503, "Service Unavailable", "Destination"),
    (603, "Decline", "Destination"),
)


class Run:
    """What a run did.

    Args:
        folder: dead letter and counts lie there.
        delivery: the counts of delivery.
    """

    def __init__(self, folder: Path, done: "subprocess.CompletedProcess[bytes]") -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.said = done.stderr.decode()
        counts, left = folder / "counts.json", folder / "left.jsonl"
        self.counts: dict[str, Any] = json.loads(counts.read_text()) if counts.exists() else {}
        self.delivery = self.counts.get("delivery", {})
        self.left = [json.loads(line) for line in left.read_bytes().splitlines()] if left.exists() else []

    @property
    def sums(self) -> tuple[int, int]:
        """Return how many records delivery counts, and how many it took from the flow."""
        parts = ("delivered", "present", "dead_letter", "undelivered")
        return sum(self.delivery[part] for part in parts), self.counts["records"]


def options(folder: Path, url: str, *more: object) -> list[str]:
    """Return the command to deliver there, with a dead letter and counts in a folder."""
    files = ("--dead-letter", folder / "left.jsonl", "--stats-json", folder / "counts.json")
    return [*COMMAND, "--output", url, *map(str, (*files, *more))]


def run(folder: Path, url: str, *more: object, stdin: bytes = b"", **env: str) -> Run:
    """Run the command to its end."""
    command = options(folder, url, *more)
    environment = {**ENVIRONMENT, **env}
    return Run(
        folder,
        subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=PATIENCE, check=False),
    )


class Running:
    """The command while it runs, with lines handed to it bit by bit."""

    def __init__(self, folder: Path, url: str, *more: object) -> None:
        self._folder = folder
        self._errors = folder / "stderr"
        with open(self._errors, "wb") as errors:
            self.process = subprocess.Popen(
                options(folder, url, *more), stdin=subprocess.PIPE, stderr=errors, env=ENVIRONMENT, bufsize=0
            )

    @property
    def said(self) -> str:
        return self._errors.read_text()

    def feed(self, lines: list[bytes]) -> None:
        """Hand lines over; return when they are in the pipe."""
        assert self.process.stdin
        rest = memoryview(b"".join(lines))
        while rest:
            rest = rest[self.process.stdin.write(rest) :]

    def end(self, number: int = 0) -> Run:
        """End it by the end of its input, or by a signal."""
        assert self.process.stdin
        if number:
            self.process.send_signal(number)
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        return Run(self._folder, subprocess.CompletedProcess([], code, b"", self.said.encode()))

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE)


def calls(count: int, mark: str, newest: int | None = None) -> Iterator[bytes]:
    """Give lines of calls, a millisecond apart, the last one at `newest` nanoseconds, else now.

    Args:
        mark: in each, to find them again.
    """
    newest = newest or time.time_ns()
    for number in range(count):
        code, reason, initiator = MEANINGS[number % len(MEANINGS)]
        when = newest - (count - 1 - number) * 10**6
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when // SECOND)) + f".{when % SECOND:09d}Z"
        record = {
            "call_id": f"{mark}-{number}@192.0.2.1",
            "time_end": text,
            "sip_code": code,
            "sip_reason": reason,
            "disconnect_initiator": initiator,
            "trunk": f"trunk-{number % 3}",
            "quoted": 'a "b" \\ \u20ac',
        }
        yield json.dumps(record, ensure_ascii=number % 2 == 0).encode() + b"\n"


def enriched(lines: list[bytes]) -> list[str]:
    """Return lines as they are to arrive."""
    enrich = Enricher().enrich_json
    return [enrich(line[:-1]).decode() for line in lines]


def wait_for(reached: Any, what: str) -> None:
    """Wait until it is so; fail after a bounded time."""
    due = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < due, f"waited in vain for {what}"
        time.sleep(0.02)
