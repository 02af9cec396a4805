"""`sipsense setup opensearch` on the real server: what it finds, what it changes, and what it leaves alone."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.fake_elasticsearch import Ism
from servers.opensearch import OpenSearch
from setup_runs import Setup

from enricher.profiles import builtin_profiles
from filters import cli
from filters.elastic import templates
from filters.elastic.mapping import Shape
from filters.elastic.templates import Engine, Layout

ROOT = Path(__file__).parents[2]


@pytest.fixture
def setup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Return what runs the command."""
    for name in ("SIPSENSE_PASSWORD", "SIPSENSE_API_KEY", "SIPSENSE_BEARER"):
        monkeypatch.delenv(name, raising=False)
    return Setup(capsys)


@pytest.fixture
def dataset(unique: Callable[[str], str]) -> str:
    """Return a name that no other test uses."""
    return unique("sip").replace("-", ".")


@pytest.fixture
def ism(opensearch: OpenSearch) -> Iterator[Ism]:
    """Return the stand-in for the ISM plugin before the real server."""
    fake = Ism(opensearch.port)
    yield fake
    fake.close()


def older(server: OpenSearch, dataset: str, version: str, monkeypatch: pytest.MonkeyPatch, **shape: Any) -> None:
    """Install what another version of sipsense would have installed."""
    layout = Layout(shape=Shape(profiles=builtin_profiles(), **shape), dataset=dataset, policy=False)
    with monkeypatch.context() as patch:
        patch.setattr(templates, "__version__", version)
        for document in templates.documents(Engine("opensearch", (2, 19)), layout):
            server.ask("PUT", document.path, document.body)


def write(server: OpenSearch, dataset: str, **record: Any) -> str:
    """Index one call, and return the name of its data stream."""
    stream = f"logs-{dataset}-default"
    call = {"@timestamp": "2026-02-01T10:00:00Z", "sip": {"code": 486}} | record
    said = server.ask("POST", f"/{stream}/_bulk?refresh=true", [{"create": {}}, call])
    assert not said["errors"], said
    return stream


def test_dry_run_changes_nothing(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """A dry run says what would be done; as JSON it shows the requests, and nothing is there afterwards."""
    options = ("--dataset", dataset, "--no-policy", "--dry-run")
    assert setup("opensearch", opensearch.url, *options) == 0
    assert setup.actions == ["create", "create", "create"]
    assert "nothing is changed" in setup.out
    assert setup("opensearch", opensearch.url, *options, "--json") == 0
    said = json.loads(setup.out)
    assert said["server"] == "OpenSearch 2.19"
    assert [(step["method"], step["path"]) for step in said["steps"]] == [
        ("PUT", f"/_component_template/logs-{dataset}@settings"),
        ("PUT", f"/_component_template/logs-{dataset}@mappings"),
        ("PUT", f"/_index_template/logs-{dataset}"),
    ]
    assert said["steps"][2]["document"]["index_patterns"] == [f"logs-{dataset}-*"]
    assert opensearch.request("GET", f"/_index_template/logs-{dataset}")[0] == 404
    assert opensearch.request("GET", f"/_component_template/logs-{dataset}*")[0] == 404


def test_twice(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """A call can be searched after the first run; a second and a third run find all unchanged."""
    options = ("--dataset", dataset, "--no-policy")
    assert setup("opensearch", opensearch.url, *options) == 0
    assert setup.actions == ["create", "create", "create"]
    stream = write(opensearch, dataset)
    assert opensearch.ask("POST", f"/{stream}/_count", {"query": {"term": {"sip.code": "486"}}})["count"] == 1
    for _ in range(2):
        assert setup("opensearch", opensearch.url, *options) == 0
        assert setup.actions == ["unchanged", "unchanged", "unchanged"]
    assert opensearch.ask("GET", f"/_data_stream/{stream}")["data_streams"][0]["generation"] == 1


def test_exported_documents_are_those(opensearch: OpenSearch, setup: Setup, dataset: str, capsys: Any) -> None:
    """Who installs what `sipsense export` prints, as with curl, has what `setup` would have installed."""
    assert cli.main(["export", "templates-opensearch", "--dataset", dataset, "--no-policy"]) == 0
    for request in json.loads(capsys.readouterr().out):
        opensearch.ask(request["method"], request["path"], request["document"])
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy") == 0
    assert setup.actions == ["unchanged", "unchanged", "unchanged"]


def test_upgrade(opensearch: OpenSearch, setup: Setup, dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older sipsense made is replaced; calls that come then are in an index of the new form, old ones stay."""
    older(opensearch, dataset, "0.0.9", monkeypatch, record="off")
    stream = write(opensearch, dataset, did_number="1")
    query = {"query": {"term": {"did_number": "1"}}}
    assert opensearch.ask("POST", f"/{stream}/_count", query)["count"] == 0
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy") == 0
    assert setup.actions == ["unchanged", "update", "unchanged", "roll over"]
    assert "made by sipsense 0.0.9" in setup.out
    write(opensearch, dataset, did_number="1")
    assert opensearch.ask("POST", f"/{stream}/_count", query)["count"] == 1
    assert opensearch.ask("GET", f"/{stream}/_count")["count"] == 2
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy") == 0
    assert setup.actions == ["unchanged", "unchanged", "unchanged"]


def test_other_options_and_lost_rollover(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """Other options are an update that says what differs; a run that ended before the rollover is made up for."""
    base = ("--dataset", dataset, "--no-policy")
    assert setup("opensearch", opensearch.url, *base, "--record", "off") == 0
    stream = write(opensearch, dataset)
    assert setup("opensearch", opensearch.url, *base, "--nanoseconds", "--record", "off", "--dry-run") == 0
    assert setup.actions == ["unchanged", "update", "unchanged", "roll over"]
    assert "made with other options: template.mappings.properties.@timestamp.type" in setup.out
    layout = Layout(shape=Shape(nanoseconds=True, record="off"), dataset=dataset, policy=False)
    for document in templates.documents(Engine("opensearch", (2, 19)), layout):
        opensearch.ask("PUT", document.path, document.body)
    assert setup("opensearch", opensearch.url, *base, "--nanoseconds", "--record", "off") == 0
    assert setup.actions == ["unchanged", "unchanged", "unchanged", "roll over"]
    assert opensearch.ask("GET", f"/_data_stream/{stream}")["data_streams"][0]["generation"] == 2


def test_changed_by_hand(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """What somebody changed in a document of ours is named and put right."""
    base = ("--dataset", dataset, "--no-policy")
    assert setup("opensearch", opensearch.url, *base) == 0
    path = f"/_component_template/logs-{dataset}@settings"
    body = opensearch.ask("GET", path)["component_templates"][0]["component_template"]
    body["template"]["settings"]["index"]["codec"] = "default"
    opensearch.ask("PUT", path, body)
    assert setup("opensearch", opensearch.url, *base) == 0
    assert setup.actions == ["update", "unchanged", "unchanged"]
    assert "changed by hand: template.settings.index.codec" in setup.out
    assert setup("opensearch", opensearch.url, *base) == 0
    assert setup.actions == ["unchanged", "unchanged", "unchanged"]


def test_foreign(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """A template of the same name that is not ours is left alone, and nothing else is changed, unless with --force."""
    base = ("--dataset", dataset, "--no-policy")
    theirs = {"index_patterns": [f"logs-{dataset}-*"], "data_stream": {}, "priority": 150}
    opensearch.ask("PUT", f"/_index_template/logs-{dataset}", theirs)
    assert setup("opensearch", opensearch.url, *base) == 2
    assert setup.actions == ["create", "create", "refuse"]
    assert "it is there and not from sipsense" in setup.out
    assert "nothing was changed: give --force" in setup.err
    assert opensearch.request("GET", f"/_component_template/logs-{dataset}@settings")[0] == 404
    found = opensearch.ask("GET", f"/_index_template/logs-{dataset}")["index_templates"][0]["index_template"]
    assert found["priority"] == 150
    assert setup("opensearch", opensearch.url, *base, "--force") == 0
    assert setup.actions == ["create", "create", "update"]


def test_newer(opensearch: OpenSearch, setup: Setup, dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a newer sipsense made is not taken back, unless with --force."""
    older(opensearch, dataset, "99.0", monkeypatch, record="off")
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy") == 2
    assert "it was made by a newer sipsense, 99.0" in setup.out
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy", "--force") == 0
    assert setup.actions == ["update", "update", "update"]


def test_another_template_wins(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """A template of higher priority, with which calls would not get our mapping, is an error that names the pattern."""
    theirs = {"index_patterns": [f"logs-{dataset}-*"], "data_stream": {}, "priority": 900}
    opensearch.ask("PUT", f"/_index_template/{dataset}.other", theirs)
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy") == 1
    assert f"another template has the last word on logs-{dataset}-*" in setup.err


def test_own_component(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """A component template of the user's own has the last word; one that does not exist is the server's error."""
    base = ("--dataset", dataset, "--no-policy", "--component", f"{dataset}.mine")
    assert setup("opensearch", opensearch.url, *base) == 1
    assert "that do not exist" in setup.err
    mine = {"template": {"settings": {"index.number_of_replicas": 0, "index.codec": "default"}}}
    opensearch.ask("PUT", f"/_component_template/{dataset}.mine", mine)
    assert setup("opensearch", opensearch.url, *base) == 0
    stream = write(opensearch, dataset)
    said = opensearch.ask("GET", f"/{stream}/_settings")
    settings = next(iter(said.values()))["settings"]["index"]
    assert (settings["number_of_replicas"], settings["codec"]) == ("0", "default")


def test_enriched_by_the_cluster(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """With --ingest-pipeline a record that nobody enriched gains its `sip` when it is indexed."""
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy", "--ingest-pipeline") == 0
    assert setup.actions == ["create"] * 4
    stream = f"logs-{dataset}-default"
    call = {"@timestamp": "2026-02-01T10:00:00Z", "sip_code": 486, "sip_reason": "Busy Here"}
    opensearch.ask("POST", f"/{stream}/_doc?refresh=true", call)
    assert opensearch.ask("POST", f"/{stream}/_count", {"query": {"term": {"sip.outcome": "busy"}}})["count"] == 1
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy", "--ingest-pipeline") == 0
    assert setup.actions == ["unchanged"] * 4


def test_from_setup_to_search(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """What `sipsense --output` sends into a stream that was set up can be searched by code, trunk and ECS at once."""
    assert setup("opensearch", opensearch.url, "--dataset", dataset, "--no-policy", "--ecs") == 0
    stream = f"logs-{dataset}-default"
    example = next(profile for profile in builtin_profiles() if profile.name == "didww-inbound").example[0]
    done = subprocess.run(
        [sys.executable, "-m", "filters", "--ecs", "--output", opensearch.url, "--index", stream],
        cwd=ROOT,
        input=example.encode() + b"\n",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    opensearch.ask("POST", f"/{stream}/_refresh")
    filters = [
        {"term": {"sip.code": "480"}},
        {"term": {"attributes.trunk_destination": "sip:100@192.0.2.10"}},
        {"term": {"event.outcome": "failure"}},
        {"range": {"event.duration": {"gte": 0}}},
    ]
    query = {"query": {"bool": {"filter": filters}}}
    assert opensearch.ask("POST", f"/{stream}/_count", query)["count"] == 1


def test_no_ism(opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """An OpenSearch without the plugin for retention is told so, with the way out, and left as it was."""
    assert setup("opensearch", opensearch.url, "--dataset", dataset) == 2
    assert "got a server without: give --no-policy" in setup.err
    assert opensearch.request("GET", f"/_component_template/logs-{dataset}@settings")[0] == 404


def test_wrong_kind(opensearch: OpenSearch, setup: Setup) -> None:
    """OpenSearch is not taken for Elasticsearch or Kibana."""
    assert setup("elasticsearch", opensearch.url) == 2
    assert "expected Elasticsearch, got OpenSearch 2.19: use `sipsense setup opensearch`" in setup.err
    assert setup("kibana", opensearch.url) == 2
    assert "expected Kibana, got a server of another kind" in setup.err


def test_retention_with_ism(ism: Ism, opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """The policy is made once and updated by whoever has read it; indices that are there get it too."""
    base = ("--dataset", dataset)
    assert setup("opensearch", ism.url, *base, "--no-policy") == 0
    write(opensearch, dataset)
    ism.asked.clear()
    assert setup("opensearch", ism.url, *base, "--retention", "20") == 0
    assert setup.actions == ["create", "unchanged", "unchanged", "unchanged", "attach"]
    assert ism.changes == [
        f"PUT /_plugins/_ism/policies/logs-{dataset}",
        f"POST /_plugins/_ism/add/.ds-logs-{dataset}-*",
    ]
    policy = ism.policies[f"logs-{dataset}"]["policy"]
    assert policy["ism_template"][0]["index_patterns"] == [f"logs-{dataset}-*"]
    assert policy["states"][0]["actions"][0]["rollover"] == {"min_index_age": "2d", "min_primary_shard_size": "50gb"}
    assert policy["states"][0]["transitions"][0]["conditions"] == {"min_rollover_age": "20d"}
    assert setup("opensearch", ism.url, *base, "--retention", "20") == 0
    assert set(setup.actions) == {"unchanged"}
    ism.asked.clear()
    assert setup("opensearch", ism.url, *base, "--retention", "never") == 0
    assert setup.actions == ["update", "unchanged", "unchanged", "unchanged", "attach"]
    assert ism.changes[1] == f"POST /_plugins/_ism/change_policy/.ds-logs-{dataset}-*"
    assert [state["name"] for state in ism.policies[f"logs-{dataset}"]["policy"]["states"]] == ["hot"]


def test_ism_says_for_which_indices_not(ism: Ism, opensearch: OpenSearch, setup: Setup, dataset: str) -> None:
    """Indices that did not get the policy are named with the server's reason."""
    assert setup("opensearch", ism.url, "--dataset", dataset, "--no-policy") == 0
    write(opensearch, dataset)
    failed = {"failures": True, "failed_indices": [{"index_name": "x1", "reason": "This index already has a policy"}]}
    ism.refuse = lambda asked: (200, failed) if "/_ism/add/" in asked.path else None
    assert setup("opensearch", ism.url, "--dataset", dataset) == 0
    assert "not for all of them: x1: This index already has a policy" in setup.out
