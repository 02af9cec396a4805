"""Calls into a real server that takes Loki's pushes: sipsense against a bare loop that sends ready-made bodies.

`python benchmarks/loki.py [RECORDS]` prints lines a second and processor time a line. The bare loop sends the bodies
that sipsense makes of the same records, over one connection, one after the other. It needs VictoriaLogs, which it
builds once; each run has a new server, in turn. All is measured twice: with all cores for both, where the processor
time of server and client together is what counts, and with a core for each of them, as on two machines. `alone` is
sipsense before a server that takes everything and does nothing.
"""

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from servers.cache import Missing
from servers.victorialogs import VictoriaLogs, locate, run_victorialogs

from benchmarks.data import _flat, records
from benchmarks.measure import SIPSENSE, Cores, Cost, all_cores, medians, on, run
from enricher import Enricher
from filters.loki.entries import Encoder, push_body
from filters.loki.settings import METADATA, Limits, Settings

# As many as the sink puts into a push.
BATCH = 2000
ROUNDS = 3
TARGET = 0.8
_TAKER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    file = connection.makefile("rb", 1 << 20)
    while line := file.readline():
        left = 0
        while (line := file.readline()) != b"\\r\\n":
            if line.lower().startswith(b"content-length:"):
                left = int(line.split(b":")[1])
        while left:
            left -= len(file.read1(left))
        connection.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
"""


def calls(count: int) -> list[bytes]:
    """Return lines of calls that end a millisecond apart, the last one now."""
    flat, now = records(_flat), time.time()
    lines = []
    for number in range(count):
        when = now - (count - number) / 1000
        end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f".{int(when % 1 * 10**6):06d}Z"
        record = {"time_end": end, **flat[number % len(flat)], "call_id": f"{number:032x}@192.0.2.1"}
        lines.append(json.dumps(record, separators=(",", ":")).encode() + b"\n")
    return lines


def bodies(lines: list[bytes]) -> list[bytes]:
    """Return what sipsense sends of the lines."""
    enricher = Enricher()
    labels = (("sip_category", ("sip", "category")),)
    settings = Settings(tuple(("sip", key) for key in METADATA), {"service_name": "sipsense"}, labels, limits=Limits())
    encoder = Encoder(settings, enricher.identify)
    enriched = [enricher.enrich_json(line[:-1]) + b"\n" for line in lines]
    return [
        push_body(encoder.entries(enriched[first : first + BATCH], repeat(time.time_ns()), []))
        for first in range(0, len(lines), BATCH)
    ]


def bare(server: VictoriaLogs, ready: list[bytes]) -> Cost:
    """Send ready-made bodies."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    begin, used = time.perf_counter(), time.process_time()
    for body in ready:
        connection.request("POST", "/insert/loki/api/v1/push", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204
    seconds, used = time.perf_counter() - begin, time.process_time() - used
    connection.close()
    return Cost(used, seconds, float("nan"))


def sipsense(url: str, path: str) -> Cost:
    """Let the command read a file and deliver it."""
    return run([*SIPSENSE, "--output", url, path])


def measure(way: Callable[[VictoriaLogs], Cost], count: int, cores: Cores) -> Cost:
    """Return what a run into a new server costs, where all lines arrive."""
    with (
        tempfile.TemporaryDirectory() as folder,
        on(cores.server),
        run_victorialogs(Path(folder)) as server,
        on(cores.client),
    ):
        cost = way(server)
        assert server.count() == count
    return cost


def alone(path: str) -> Cost:
    """Let the command deliver to a server that does nothing."""
    with subprocess.Popen([sys.executable, "-c", _TAKER], stdout=subprocess.PIPE) as taker:
        assert taker.stdout
        try:
            return sipsense(f"loki+http://127.0.0.1:{int(taker.stdout.readline())}", path)
        finally:
            taker.kill()


def main() -> None:
    """Measure both in turn and print how they compare."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    try:
        locate()
    except Missing as reason:
        sys.exit(f"no VictoriaLogs to deliver to: {reason}")
    lines = calls(count)
    ready = bodies(lines)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(lines))
        file.flush()
        ways: dict[str, Callable[[VictoriaLogs], Cost]] = {
            "bare loop": lambda server: bare(server, ready),
            "sipsense": lambda server: sipsense(server.loki, file.name),
        }
        print(f"{count} lines, bodies of {sum(map(len, ready)) / len(ready) / 2**20:.1f} MiB, medians of {ROUNDS}")
        for cores in all_cores():
            costs: dict[str, list[Cost]] = {name: [] for name in (*ways, "alone")}
            for _ in range(ROUNDS):
                for name, way in ways.items():
                    costs[name].append(measure(way, count, cores))
                costs["alone"].append(alone(file.name))
            tell(cores, {name: medians(several) for name, several in costs.items()}, count)


def tell(cores: Cores, costs: dict[str, Cost], count: int) -> None:
    """Print how they compare."""
    print(f"{cores.name}:")
    for name, cost in costs.items():
        print(f"  {name:10} {count / cost.wall:10,.0f} lines/s {cost.cpu / count * 1e6:8.1f} us CPU/line")
    print(f"  sipsense / bare loop: {costs['bare loop'].wall / costs['sipsense'].wall:.2f} (target: {TARGET})")


if __name__ == "__main__":
    main()
