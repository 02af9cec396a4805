"""Calls into a real OpenSearch: sipsense against bare loops that send ready-made bodies, and against parallel_bulk.

`python benchmarks/bulk.py [RECORDS]` prints documents a second and the client's processor time a document. The bare
loops send the very bytes that sipsense makes of the same records; parallel_bulk of opensearch-py gets the documents
that sipsense has enriched already. Each run is a process of its own and has a new index, in turn; the server counts
what arrived. All is measured twice: with all cores for both, where the processor time of server and client together is
what counts, and with a core for each of them, as on two machines. It needs an OpenSearch (see
tests/servers/opensearch.py) and `pip install '.[bench]'`.
"""

import json
import sys
import tempfile
import time
from itertools import repeat
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from servers.cache import Missing
from servers.opensearch import OpenSearch, locate, run_opensearch

from benchmarks.data import _flat, records
from benchmarks.measure import SIPSENSE, Cores, Cost, all_cores, medians, on, run
from benchmarks.ways.bulk_loop import LENGTH
from enricher import Enricher
from filters.elastic.bulk import Encoder

# As many as the sink puts into a request, and as many requests at a time.
BATCH, IN_FLIGHT = 2000, 4
ROUNDS = 3
TARGET = 0.9
# Text as keywords, and no work for the server between two runs.
INDEX = {
    "settings": {"number_of_replicas": 0, "refresh_interval": "60s"},
    "mappings": {
        "dynamic_templates": [{"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}],
        "properties": {"@timestamp": {"type": "date"}},
    },
}


def calls(count: int) -> list[bytes]:
    """Return lines of calls, no two of which are equal."""
    flat = records(_flat)
    lines = []
    for number in range(count):
        end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_770_000_000 + number // 100)) + f".{number % 100:02}Z"
        record = {"uuid": f"{number:032x}", "time_end": end, **flat[number % len(flat)]}
        lines.append(json.dumps(record, separators=(",", ":")).encode() + b"\n")
    return lines


def prepare(folder: Path, count: int) -> None:
    """Write what the ways read: calls, enriched documents with their ids, and bodies with their lengths."""
    lines, enricher = calls(count), Enricher()
    enriched = [enricher.enrich_json(line[:-1]) + b"\n" for line in lines]
    items = Encoder(enricher.identify, None).items(enriched, repeat(time.time_ns()), [])
    (folder / "calls").write_bytes(b"".join(lines))
    (folder / "documents").write_bytes(b"".join(item.data for item in items))
    with open(folder / "bodies", "wb") as file:
        for first in range(0, count, BATCH):
            body = b"".join(item.data for item in items[first : first + BATCH])
            file.write(LENGTH.pack(len(body)) + body)


def ways(folder: Path, url: str) -> dict[str, list[str]]:
    """Return the commands; INDEX stands for the name of an index."""
    sipsense = [*SIPSENSE, "--output", url, "--index", "INDEX", "--batch-records", str(BATCH)]
    bare = [sys.executable, "benchmarks/ways/bulk_loop.py", f"{url}/INDEX/_bulk", str(folder / "bodies")]
    other = [sys.executable, "benchmarks/ways/parallel_bulk.py", url, "INDEX", str(folder / "documents"), str(BATCH)]
    return {
        "bare loop, 1 at a time": [*bare, "1"],
        "sipsense, 1 at a time": [*sipsense, "--in-flight", "1", str(folder / "calls")],
        f"bare loop, {IN_FLIGHT} at a time": [*bare, str(IN_FLIGHT)],
        f"sipsense, {IN_FLIGHT} at a time": [*sipsense, "--in-flight", str(IN_FLIGHT), str(folder / "calls")],
        f"parallel_bulk, {IN_FLIGHT} threads": [*other, str(IN_FLIGHT)],
    }


def measure(server: OpenSearch, command: list[str], count: int, index: str) -> Cost:
    """Return what a run into a new index costs, where all documents arrive."""
    server.ask("PUT", f"/{index}", INDEX)
    cost = run([word.replace("INDEX", index) for word in command])
    server.ask("POST", f"/{index}/_refresh")
    assert server.ask("GET", f"/{index}/_count")["count"] == count
    server.ask("DELETE", f"/{index}")
    return cost


def main() -> None:
    """Measure all in turn and print how they compare."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    try:
        locate()
    except Missing as reason:
        sys.exit(f"no OpenSearch to deliver to: {reason}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, count)
        print(f"{count} documents, {BATCH} in a request, medians of {ROUNDS}")
        for cores in all_cores():
            server = folder / cores.name
            server.mkdir()
            tell(cores, compare(folder, server, count, cores), count)


def compare(folder: Path, workdir: Path, count: int, cores: Cores) -> dict[str, Cost]:
    """Return the medians of each way."""
    with (
        on(cores.server),
        run_opensearch(workdir, heap="2g", optimize=True) as server,
        on(cores.client),
    ):
        commands = ways(folder, server.url)
        for command in list(commands.values())[:2]:
            measure(server, command, count, "warm")  # Java compiles what it runs often
        costs: dict[str, list[Cost]] = {way: [] for way in commands}
        for number in range(ROUNDS):
            for way, command in commands.items():
                costs[way].append(measure(server, command, count, f"run-{number}"))
    return {way: medians(several) for way, several in costs.items()}


def tell(cores: Cores, costs: dict[str, Cost], count: int) -> None:
    """Print how they compare."""
    print(f"{cores.name}:")
    for way, cost in costs.items():
        print(f"  {way:26} {count / cost.wall:10,.0f} documents/s {cost.cpu / count * 1e6:8.1f} us CPU/document")
    loop_1, ours_1, loop, ours, other = costs.values()
    print(f"  sipsense / bare loop: {loop_1.wall / ours_1.wall:.2f} one at a time, "
          f"{loop.wall / ours.wall:.2f} {IN_FLIGHT} at a time (target: {TARGET})")  # fmt: skip
    print(f"  sipsense / parallel_bulk: {other.wall / ours.wall:.2f}, "
          f"processor time 1 : {other.cpu / ours.cpu:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
