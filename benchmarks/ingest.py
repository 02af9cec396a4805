"""The ingest pipeline against one that sets a constant field, on a real OpenSearch with one node.

The same documents are indexed in bulk by one client, without a pipeline and through each of them, in turn. A script of
one line shows what a node spends on any script. `python benchmarks/ingest.py [DOCUMENTS]` prints the medians.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from servers.cache import Missing
from servers.opensearch import OpenSearch, locate, run_opensearch

from benchmarks.data import KINDS
from enricher import Enricher
from filters.elastic.ingest import pipeline

BATCH, ROUNDS = 2000, 5
SHAPES = ("flat", "nested")
NONE, CONSTANT, SCRIPT, OURS = "_none", "constant", "script", "sipsense"
TITLES = {
    NONE: "no pipeline",
    CONSTANT: "set: one constant field",
    SCRIPT: "script: one constant field",
    OURS: "sipsense",
}
_TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Microseconds that a document cost: on the clock, and of the node's processor time."""

    wall: float
    cpu: float


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    try:
        locate()
    except Missing as reason:
        sys.exit(f"no OpenSearch to measure: {reason}")
    with tempfile.TemporaryDirectory() as folder, run_opensearch(Path(folder), optimize=True) as server:
        for name, made in _pipelines().items():
            server.ask("PUT", f"/_ingest/pipeline/{name}", made)
        for shape in SHAPES:
            _print(shape, _measure(server, shape, count))


def _pipelines() -> dict[str, Any]:
    constant = {"set": {"field": "sip_category", "value": "Client Error"}}
    script = {"script": {"source": "ctx.sip_category = 'Client Error'"}}
    return {CONSTANT: {"processors": [constant]}, SCRIPT: {"processors": [script]}, OURS: pipeline(Enricher())}


def _measure(server: OpenSearch, shape: str, count: int) -> dict[str, Cost]:
    """Return the medians of some rounds; the first two, in which Java compiles, are left out."""
    lines = KINDS[shape]()
    bodies = [b"".join(b'{"index":{}}\n' + line for line in islice(lines, BATCH)) for _ in range(count // BATCH)]
    costs: dict[str, list[Cost]] = {name: [] for name in TITLES}
    for _ in range(ROUNDS + 2):
        for name, several in costs.items():
            several.append(_index(server, name, bodies))
    return {name: Cost(*map(median, zip(*several[2:], strict=True))) for name, several in costs.items()}


def _index(server: OpenSearch, name: str, bodies: Sequence[bytes]) -> Cost:
    settings = {"index.refresh_interval": "-1", "index.translog.durability": "async", "number_of_replicas": 0}
    server.ask("PUT", "/calls", {"settings": settings, "mappings": {"dynamic": False}})
    begin, used = time.perf_counter(), _cpu(server.pid)
    for body in bodies:
        assert not server.ask("POST", f"/calls/_bulk?pipeline={name}&filter_path=errors", body)["errors"]
    seconds, used = time.perf_counter() - begin, _cpu(server.pid) - used
    server.ask("DELETE", "/calls")
    documents = len(bodies) * BATCH / 1e6
    return Cost(seconds / documents, used / documents)


def _cpu(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _print(shape: str, costs: dict[str, Cost]) -> None:
    for name, cost in costs.items():
        print(f"{shape:7} {TITLES[name]:27} {1e6 / cost.wall:8,.0f} documents/s {cost.cpu:6.1f} us CPU a document")
    ours, constant = costs[OURS], costs[CONSTANT]
    print(
        f"{shape:7} speed of sipsense / of the constant field: {constant.wall / ours.wall:.2f}"
        f" (processor time: {constant.cpu / ours.cpu:.2f})"
    )


if __name__ == "__main__":
    main()
