"""KQL as Kibana reads it: its own parser of the time when it was under the Apache licence (7.x).

OpenSearch Dashboards has the same one under the name DQL.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from servers.npm import run_node

SCRIPT = Path(__file__).with_name("kuery.cjs")
PACKAGES = ("@cybernetex/kbn-es-query@1.0.2",)


def translate(queries: Sequence[str]) -> list[Any]:
    """Return what Kibana asks Elasticsearch for each KQL query; the test fails where it cannot read one."""
    printed = run_node(SCRIPT, PACKAGES, "".join(json.dumps(query) + "\n" for query in queries))
    return [json.loads(line) for line in printed.splitlines()]
