"""A `sipsense fluentd` under test, and what it wrote."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "filters", "fluentd"]
BUSY = {"sip_code": 486, "sip_reason": "Busy Here", "disconnect_initiator": 2}
# Seconds after which a test gives up; nothing that works comes near it.
PATIENCE = 20.0


def environment() -> dict[str, str]:
    """Return the environment in which the command is found from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> bool:
    """Return whether it becomes true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def done(*command: Any, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Return what a command did."""
    return subprocess.run(command, **{"env": environment(), **options}, capture_output=True, text=True, check=False)


def known_options(command: str) -> set[str]:
    """Return the options that the help of a command names."""
    return set(re.findall(r"--[a-z-]+", done(sys.executable, "-m", "filters", command, "--help").stdout))


class Child:
    """The process, with what it wrote so far."""

    def __init__(self, *options: str, command: list[str] | None = None) -> None:
        self.output = bytearray()
        self.process = subprocess.Popen(
            [*(command or COMMAND), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while data := os.read(self.process.stdout.fileno(), 1 << 20):
            self.output += data

    def send(self, data: bytes) -> None:
        """Write to its standard input."""
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait_for(self, true: Callable[[bytes], Any], seconds: float = PATIENCE) -> bool:
        """Return whether its output becomes so in time."""
        return until(lambda: true(bytes(self.output)), seconds)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def started(self) -> bool:
        """Return whether it passes records."""
        self.send(b"\x80" if "json" not in self.process.args else b"{}\n")
        return self.wait_for(lambda output: output)

    def finish(self, seconds: float = PATIENCE) -> int:
        """Close its standard input and return its exit code."""
        self.process.stdin.close()
        return self.wait(seconds)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Return its exit code."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def errors(self) -> str:
        """Return what it wrote on stderr, when it has left."""
        return self.process.stderr.read().decode()

    def stop(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def pack(value: Any) -> bytes:
    """Return MessagePack with text as STR and bytes as BIN."""
    return msgpack.packb(value, use_bin_type=True)


def unpacked(data: bytes) -> list[Any]:
    """Return the values of a stream; it must be whole."""
    unpacker = msgpack.Unpacker(None, max_buffer_size=0, strict_map_key=False)
    unpacker.feed(data)
    values = list(unpacker)
    assert unpacker.tell() == len(data)
    return values


def objects(data: bytes) -> list[dict[str, Any]]:
    """Return the objects of JSON output, each on a line of its own between blank ones."""
    return [json.loads(line) for line in data.split(b"\n") if line.strip()]
