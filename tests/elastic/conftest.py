"""What the tests of Elasticsearch and OpenSearch share: servers, and names that no other test uses."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from servers.opensearch import OpenSearch, run_opensearch

# A data stream goes before its template, and a template before what it is composed of.
_SET_UP = (
    "_data_stream/logs-sip.calls-default",
    "_index_template/logs-sip.calls",
    "_component_template/logs-sip.calls@*",
)
_KINDS = ("_data_stream", "", "_index_template", "_component_template", "_ingest/pipeline")


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    """Return the server that all tests of a run share: do not end it, and use names of `unique` only."""
    with run_opensearch(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def fresh_opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    """Return a server of the test's own, to end and start again as it likes."""
    with run_opensearch(tmp_path_factory.mktemp("fresh")) as server:
        yield server


@pytest.fixture
def unique(opensearch: OpenSearch) -> Iterator[Callable[[str], str]]:
    """Make names for one test on the shared server: what carries such a name is deleted when the test ends.

    `unique("calls")` is `calls-<mark>`, with the same mark for the whole test. That goes for indices, data streams,
    index templates, component templates and pipelines.
    """
    mark = uuid.uuid4().hex[:8]
    yield lambda prefix: f"{prefix}-{mark}"
    for kind in _KINDS:
        opensearch.request("DELETE", f"/{kind}/*{mark}*".replace("//", "/"))


@pytest.fixture
def cleaned(opensearch: OpenSearch) -> Iterator[OpenSearch]:
    """Return the shared server; what `sipsense setup` and its default data stream leave there is deleted afterwards."""
    yield opensearch
    for path in _SET_UP:
        opensearch.request("DELETE", f"/{path}")
