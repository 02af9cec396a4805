"""`sipsense setup` on a stand-in for Elasticsearch: ILM, refusals, credentials and settings."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.fake_elasticsearch import Elasticsearch
from servers.fake_server import error
from setup_runs import Setup

from filters.options import command_parser

ROOT = Path(__file__).parents[2]
SECRET = "s3cr3t-pass"


@pytest.fixture
def setup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Return what runs the command."""
    for name in ("SIPSENSE_PASSWORD", "SIPSENSE_API_KEY", "SIPSENSE_BEARER"):
        monkeypatch.delenv(name, raising=False)
    return Setup(capsys)


@pytest.fixture
def elasticsearch() -> Iterator[Elasticsearch]:
    """Return a stand-in for Elasticsearch."""
    fake = Elasticsearch()
    yield fake
    fake.close()


def test_elasticsearch_twice(elasticsearch: Elasticsearch, setup: Setup) -> None:
    """Policy, templates and data stream on Elasticsearch: made, then unchanged, then updated with a rollover."""
    assert setup("elasticsearch", elasticsearch.url) == 0
    assert setup.actions == ["create"] * 4
    elasticsearch.write("logs-sip.calls-default")
    assert setup("elasticsearch", elasticsearch.url) == 0
    assert setup.actions == ["unchanged"] * 4
    elasticsearch.asked.clear()
    assert setup("elasticsearch", elasticsearch.url, "--record", "dynamic", "--retention", "30") == 0
    assert setup.actions == ["update", "update", "update", "unchanged", "roll over"]
    assert elasticsearch.changes[-1] == "POST /logs-sip.calls-default/_rollover"
    assert elasticsearch.policies["logs-sip.calls"]["phases"]["delete"]["min_age"] == "30d"
    assert setup("elasticsearch", elasticsearch.url, "--record", "dynamic", "--retention", "30") == 0
    assert setup.actions == ["unchanged"] * 4


def test_elasticsearch_dry_run(elasticsearch: Elasticsearch, setup: Setup) -> None:
    """A dry run sends nothing that changes anything, on an empty server or one that needs an update."""
    assert setup("elasticsearch", elasticsearch.url, "--dry-run") == 0
    assert elasticsearch.changes == []
    assert setup("elasticsearch", elasticsearch.url) == 0
    elasticsearch.write("logs-sip.calls-default")
    elasticsearch.asked.clear()
    assert setup("elasticsearch", elasticsearch.url, "--record", "off", "--dry-run") == 0
    assert setup.actions == ["unchanged", "unchanged", "update", "unchanged", "roll over"]
    assert elasticsearch.changes == []


def test_ingest_pipeline(elasticsearch: Elasticsearch, setup: Setup) -> None:
    """On request the pipeline is installed before the template that names it, and found unchanged afterwards."""
    assert setup("elasticsearch", elasticsearch.url, "--ingest-pipeline") == 0
    assert setup.actions == ["create"] * 5
    assert [change.split("/")[1] for change in elasticsearch.changes] == [
        "_ilm",
        "_ingest",
        "_component_template",
        "_component_template",
        "_index_template",
    ]
    settings = elasticsearch.templates["component"]["logs-sip.calls@settings"]["template"]["settings"]
    assert settings["index"]["default_pipeline"] == "logs-sip.calls"
    assert elasticsearch.pipelines["logs-sip.calls"]["processors"]
    assert setup("elasticsearch", elasticsearch.url, "--ingest-pipeline") == 0
    assert setup.actions == ["unchanged"] * 5


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"version": {"number": "7.17.9"}}, "expected Elasticsearch 8.0 or newer, got Elasticsearch 7.17"),
        ({"version": {"number": "8.11.0", "build_flavor": "serverless"}}, "got Elasticsearch Serverless"),
        ({"hello": "world"}, "expected Elasticsearch, got a server of another kind"),
        ([], "expected Elasticsearch, got a server of another kind"),
    ],
)
def test_wrong_server(elasticsearch: Elasticsearch, setup: Setup, said: Any, problem: str) -> None:
    """A server that is too old or another thing is named before anything is sent."""
    elasticsearch.refuse = lambda _: (200, said)
    assert setup("elasticsearch", elasticsearch.url) == 2
    assert problem in setup.err
    assert elasticsearch.changes == []


def test_stops_where_the_server_refuses(elasticsearch: Elasticsearch, setup: Setup) -> None:
    """A refusal ends the run with 1, its reason, and what was done until then."""
    elasticsearch.refuse = lambda asked: (
        error(403, "security_exception", "action [indices:admin/index_template/put] is unauthorized for user [me]")
        if asked.method == "PUT" and asked.path.startswith("/_index_template")
        else None
    )
    assert setup("elasticsearch", elasticsearch.url) == 1
    assert setup.actions == ["create"] * 3
    assert "not allowed to us (403: action [indices:admin/index_template/put] is unauthorized" in setup.err


def test_credentials(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User and password, API key or bearer token from a file or the environment; who is not known is told so."""
    basic = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
    fake = Elasticsearch(authorization=basic)
    password = tmp_path / "password"
    password.write_text(f"{SECRET}\n")
    wrong = tmp_path / "wrong"
    wrong.write_text("wr0ng-pass\n")
    try:
        assert setup("elasticsearch", fake.url) == 1
        assert "it wants to know us: give --user and --password-file, --api-key-file or --bearer-file (401" in setup.err
        assert setup("elasticsearch", fake.url, "--user", "me", "--password-file", str(wrong)) == 1
        assert "it does not accept the credentials (401" in setup.err
        assert setup("elasticsearch", fake.url, "--user", "me", "--password-file", str(password)) == 0
        monkeypatch.setenv("SIPSENSE_PASSWORD", SECRET)
        assert setup("elasticsearch", fake.url.replace("//", "//me@")) == 0
        assert setup.actions == ["unchanged"] * 4
    finally:
        fake.close()


def test_no_secret_is_said(tmp_path: Path) -> None:
    """No output holds a secret, not even when a server repeats our headers; nor does the process list."""
    fake = Elasticsearch()
    fake.refuse = lambda asked: error(500, "oops", f"cannot serve {dict(asked.headers.items())}")
    key = tmp_path / "key"
    key.write_text(f"id:{SECRET}\n")
    encoded = base64.b64encode(f"id:{SECRET}".encode()).decode()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "filters", "setup", "elasticsearch", fake.url, "--api-key-file", str(key)],
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        fake.close()
    assert fake.asked[0].headers["Authorization"] == f"ApiKey {encoded}"
    assert done.returncode == 1
    assert "cannot serve" in done.stderr
    for secret in (SECRET, encoded):
        assert secret not in done.stderr + done.stdout + " ".join(done.args)


def test_settings_are_told_at_once(setup: Setup) -> None:
    """All that is wrong with the settings is said at once; a password in the URL is not repeated."""
    assert setup("elasticsearch", f"ftp://me:{SECRET}@127.0.0.1:1", "--retention", "x", "--space", "a") == 2
    for problem in ("URL: expected https://", "no password in the URL", "--retention: expected", "--space: expected"):
        assert problem in setup.err
    assert SECRET not in setup.err
    assert setup("kibana", "http://127.0.0.1:1", "--record", "off") == 2
    assert "--record: expected an option of kibana" in setup.err


def test_the_page_names_options_that_exist() -> None:
    """Every option in docs/setup.md is one of `setup` or `enrich`."""
    named = set(re.findall(r"--[a-z][a-z-]+", (ROOT / "docs" / "setup.md").read_text("utf-8")))
    parsers = (command_parser("setup"), command_parser("enrich"))
    known = {option for parser in parsers for action in parser._actions for option in action.option_strings}
    assert named
    assert named <= known


def test_unreachable(setup: Setup) -> None:
    """A server that is not there ends the run with 1 and its name."""
    assert setup("opensearch", "http://127.0.0.1:1") == 1
    assert "http://127.0.0.1:1 cannot be reached" in setup.err
