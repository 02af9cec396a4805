"""The parsers of LogQL and PromQL that Grafana's editors use, run by Node; their packages are fetched once, by npm.

A test is skipped, with the reason printed, where they cannot be had; with CI in the environment it fails.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from servers.npm import run_node

SCRIPT = Path(__file__).with_name("lezer.mjs")
PACKAGES = (
    "@grafana/lezer-logql@0.4.2",
    "@prometheus-io/lezer-promql@0.315.0",
    "@lezer/common@1.5.2",
    "@lezer/highlight@1.2.3",
    "@lezer/lr@1.4.10",
)

Language = Literal["logql", "promql"]


def errors(language: Language, queries: Sequence[str]) -> list[list[str]]:
    """Return for each query the places that the parser does not understand, each as the text from there on."""
    lines = "".join(json.dumps({"language": language, "query": query}) + "\n" for query in queries)
    places = [json.loads(line) for line in run_node(SCRIPT, PACKAGES, lines).splitlines()]
    return [[query[begin:][:40] for begin, _ in found] for query, found in zip(queries, places, strict=True)]
