"""Sends enriched documents with opensearch-py: `parallel_bulk.py URL INDEX FILE BATCH THREADS`."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.helpers import parallel_bulk


def actions(path: str, index: str) -> Iterator[dict[str, Any]]:
    """Give the documents of a file of action and source lines."""
    with open(path, "rb") as file:
        for action, source in zip(file, file, strict=True):
            made = json.loads(action)["create"]
            yield {"_op_type": "create", "_index": index, "_id": made["_id"], "_source": json.loads(source)}


def main(url: str, index: str, path: str, batch: int, threads: int) -> None:
    """Send all of them."""
    client = OpenSearch(url, timeout=60, pool_maxsize=threads)
    sent = parallel_bulk(client, actions(path, index), thread_count=threads, chunk_size=batch)
    if not all(taken for taken, _ in sent):
        sys.exit("not taken")


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]))
