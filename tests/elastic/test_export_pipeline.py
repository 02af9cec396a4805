"""`sipsense export ingest-pipeline`: what is printed, and which settings are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from enricher import Enricher
from enricher.errors import SettingsError
from filters.cli import main
from filters.elastic.ingest import pipeline


def as_json(enricher: Enricher) -> Any:
    """Return the enricher's pipeline as it comes out of JSON."""
    return json.loads(json.dumps(pipeline(enricher)))


def test_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The settings of the enricher decide what the pipeline is."""
    catalog, config = tmp_path / "my.toml", tmp_path / "sipsense.toml"
    catalog.write_text('[[row]]\ncode = 486\nreason = "Busy Here"\nhint = "Try again."\ndescription = "Busy."\n')
    config.write_text(f'catalog = ["{catalog}"]\nflat = true\nstats = true\n')
    command = [
        "export",
        "ingest-pipeline",
        "--config",
        str(config),
        "--profile",
        "generic",
        "--fields",
        "code,description",
    ]
    assert main(command) == 0
    enricher = Enricher(catalog=[catalog], flat=True, profiles=["generic"], fields=["code", "description"])
    assert json.loads(capsys.readouterr().out) == as_json(enricher)


def test_request(capsys: pytest.CaptureFixture[str]) -> None:
    """With a name it is a request as the console of Dev Tools takes it."""
    assert main(["export", "ingest-pipeline", "--id", "sip-calls"]) == 0
    first, _, body = capsys.readouterr().out.partition("\n")
    assert first == "PUT _ingest/pipeline/sip-calls"
    assert json.loads(body) == as_json(Enricher())


def test_wrong_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """All that is wrong is told at once: names, settings, and options that another export has."""
    command = ["export", "ingest-pipeline", "--id", "a b", "--profile", "nonsense", "--index-pattern", "x"]
    assert main(command) == 2
    messages = capsys.readouterr().err.splitlines()
    assert len(messages) == 3
    assert messages[0] == "sipsense: --index-pattern: expected an option of ingest-pipeline, got one of another export"
    assert messages[1] == "sipsense: --id: expected letters, digits and . _ @ -, got 'a b'"
    assert messages[2].startswith("sipsense: profile: expected one of ")


def test_no_ecs() -> None:
    """Fields of ECS are refused: they need the record's times, which the script does not read."""
    with pytest.raises(SettingsError, match="ECS"):
        pipeline(Enricher(ecs=True))
