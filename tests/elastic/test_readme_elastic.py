"""The README's commands for Elasticsearch, on a real OpenSearch and a stand-in for its dashboards."""

from contextlib import closing
from pathlib import Path

from servers.fake_kibana import Kibana
from servers.opensearch import OpenSearch
from servers.readme import run_block


def test_block(cleaned: OpenSearch, tmp_path: Path) -> None:
    """The commands set up the server and its dashboards, and every sample call can be found."""
    with closing(Kibana("2.19.0")) as dashboards:
        instead = {
            # The server of the tests has no plugin for retention policies.
            "elasticsearch https://elastic@es1:9200 --password-file secret": f"opensearch {cleaned.url} --no-policy",
            "https://elastic@es1:9200 --password-file secret": cleaned.url,
            "kibana https://elastic@kibana:5601 --password-file secret": f"opensearch-dashboards {dashboards.url}",
        }
        run_block("Into Elasticsearch or OpenSearch", instead, tmp_path)
        assert dashboards.spaces
    cleaned.ask("POST", "/logs-sip.calls-*/_refresh")
    assert cleaned.ask("GET", "/logs-sip.calls-*/_count")["count"] == 6
    assert (tmp_path / "refused.jsonl").read_bytes() == b""
