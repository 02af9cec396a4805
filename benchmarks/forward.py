"""Forward in, forward out: sipsense against a Fluentd that adds one field by record_transformer.

Both get the same messages from one client, wait for the same target's acknowledgements and are measured by the
processor time of their process alone. `python benchmarks/forward.py` prints the row; it needs a Fluentd.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgpack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from servers.cache import Missing
from servers.fluentd import locate, start_fluentd
from servers.process import free_port

from benchmarks.data import _flat, records
from benchmarks.measure import ROOT, SIPSENSE

# How many events a message has; Fluentd's own are of a similar size.
EVENTS = 2000
_SECONDS = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")

_FLUENTD = """
<source>
  @type forward
  bind 127.0.0.1
  port {source}
</source>
<filter calls>
  @type record_transformer
  <record>
    sip_category "Client Error"
  </record>
</filter>
<match calls>
  @type forward
  require_ack_response true
  heartbeat_type none
  <server>
    host 127.0.0.1
    port {target}
  </server>
  <buffer>
    @type memory
    flush_mode interval
    flush_interval 0.2
    flush_thread_interval 0.05
    flush_thread_burst_interval 0.01
    chunk_limit_size 4m
    total_limit_size 4g
  </buffer>
</match>
<match **>
  @type null
</match>
"""


class Speed(NamedTuple):
    """How many events a second of processor time and a second on the clock were worth."""

    cpu: float
    wall: float


class Target:
    """Acknowledges what comes and counts it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._count = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_for(self, count: int) -> None:
        """Wait until so many events have come."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._count >= count, _SECONDS):
                raise TimeoutError(f"{self._count} of {count} events came")

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        unpacker = msgpack.Unpacker(raw=True, max_buffer_size=1 << 30)
        with connection:
            while data := connection.recv(1 << 18):
                unpacker.feed(data)
                for _, _, options in unpacker:
                    connection.sendall(msgpack.packb({"ack": options[b"chunk"]}))
                    with self._changed:
                        self._count += options[b"size"]
                        self._changed.notify_all()


def messages() -> list[bytes]:
    """Return messages with all different records of the flat shape."""
    flat = records(_flat)
    entries = [msgpack.packb([_time(number), record]) for number, record in enumerate(flat)]
    parts = [b"".join(entries[first : first + EVENTS]) for first in range(0, len(entries) - EVENTS + 1, EVENTS)]
    return [msgpack.packb(["calls", part, {"size": EVENTS, "chunk": "id"}]) for part in parts]


def _time(number: int) -> msgpack.ExtType:
    return msgpack.ExtType(0, (1_700_000_000).to_bytes(4, "big") + number.to_bytes(4, "big"))


@contextmanager
def _sipsense(source: int, target: int) -> Iterator[int]:
    url = f"forward://127.0.0.1:{source}"
    command = [*SIPSENSE, "--input", url, "--output", f"forward://127.0.0.1:{target}"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def _fluentd(source: int, target: int) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        fluentd = start_fluentd(_FLUENTD.format(source=source, target=target), Path(folder))
        try:
            yield fluentd.process.pid
        finally:
            fluentd.stop()


WAYS = {"sipsense": _sipsense, "Fluentd": _fluentd}


def measure(run: Callable[[int, int], AbstractContextManager[int]], count: int) -> Speed:
    """Return the speed of one of them."""
    source, target = free_port(), Target()
    ready = messages()
    with run(source, target.port) as pid:
        client = _connect(source)
        begin, used = time.perf_counter(), _cpu(pid)
        for number in range(count // EVENTS):
            client.sendall(ready[number % len(ready)])
            client.recv(4096)
        target.wait_for(count // EVENTS * EVENTS)
        seconds, used = time.perf_counter() - begin, _cpu(pid) - used
        client.close()
    target.close()
    return Speed(count / used, count / seconds)


def _connect(port: int) -> socket.socket:
    due = time.monotonic() + _SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), _SECONDS)
        except ConnectionRefusedError:
            if time.monotonic() > due:
                raise
            time.sleep(0.05)


def _cpu(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def main() -> None:
    """Measure both in turn and print how they compare."""
    count, rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000, 3
    try:
        locate()
    except Missing as reason:
        sys.exit(f"no Fluentd to compare with: {reason}")
    speeds: dict[str, list[Speed]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, run in WAYS.items():
            speeds[name].append(measure(run, count))
    for name, several in speeds.items():
        cpu, wall = (median(values) for values in zip(*several, strict=True))
        print(f"{name:9} {cpu:10,.0f} events/s CPU {wall:10,.0f} events/s")
    ours, theirs = (median(speed.cpu for speed in speeds[name]) for name in ("sipsense", "Fluentd"))
    print(f"processor time of Fluentd / of sipsense: {ours / theirs:.1f} (target: 10)")


if __name__ == "__main__":
    main()
