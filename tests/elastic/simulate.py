"""Sends records through an ingest pipeline of a real server."""

import json
from collections.abc import Sequence
from typing import Any

from servers.opensearch import OpenSearch

from enricher import Enricher
from filters.elastic.ingest import pipeline

# Records of one request: its body stays far below the server's limit.
BATCH = 4000


def install(server: OpenSearch, name: str, enricher: Enricher) -> None:
    """Install the enricher's pipeline under a name; what its script cannot do is an error."""
    made = pipeline(enricher)
    del made["processors"][0]["script"]["ignore_failure"]
    server.ask("PUT", f"/_ingest/pipeline/{name}", made)


def simulate(server: OpenSearch, name: str, records: Sequence[Any]) -> list[Any]:
    """Return what the pipeline makes of the records."""
    made = []
    for begin in range(0, len(records), BATCH):
        docs = [{"_source": record} for record in records[begin : begin + BATCH]]
        answer = server.ask("POST", f"/_ingest/pipeline/{name}/_simulate", {"docs": docs})
        for doc in answer["docs"]:
            assert "doc" in doc, json.dumps(doc)[:2000]
            made.append(doc["doc"]["_source"])
    return made


def assert_same(server: OpenSearch, name: str, enricher: Enricher, records: Sequence[Any]) -> None:
    """Check that the pipeline makes of each record what the enricher makes of it."""
    assert records
    for record, made in zip(records, simulate(server, name, records), strict=True):
        expected = enricher.enrich(record)
        assert made == expected, f"{record!r:.2000}\nmade     {made!r:.2000}\nexpected {expected!r:.2000}"
