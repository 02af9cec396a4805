"""`sipsense export ingest-pipeline`."""

import argparse
import json
import re
from typing import Any

from enricher.errors import SettingsError
from filters import options

OPTIONS = (
    *("catalog", "guess", "profile", "profile_file", "code", "reason", "initiator"),
    *("target", "fields", "flat", "ecs", "id"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the enricher, and the pipeline's name."""
    options.add_settings(parser)
    group = parser.add_argument_group("ingest-pipeline")
    group.add_argument(
        "--id", metavar="NAME", help="write a request for the console of Dev Tools that installs it by this name"
    )


def export(args: argparse.Namespace) -> str:
    """Return the pipeline as JSON, or as a request."""
    from enricher import Enricher
    from filters.elastic.ingest import pipeline

    nothing: dict[str, Any] = {}
    with options.Problems() as problems:
        problems.check(lambda: _check_id(args.id), None)
        made = problems.check(lambda: pipeline(Enricher(**options.enricher_settings(args))), nothing)
    text = _text(made)
    return f"PUT _ingest/pipeline/{args.id}\n{text}" if args.id else text


def _check_id(name: str | None) -> None:
    if name is not None and not re.fullmatch(r"[A-Za-z0-9._@-]+", name):
        raise SettingsError([f"--id: expected letters, digits and . _ @ -, got {name!r}"])


def _text(made: dict[str, Any]) -> str:
    """Return the pipeline with a line for each parameter: they are long lists of small numbers."""
    script = made["processors"][0]["script"]
    params = ",\n".join(f'     "{key}": {_json(value)}' for key, value in script["params"].items())
    outline = made | {"processors": [{"script": script | {"params": {}}}]}
    return json.dumps(outline, ensure_ascii=False, indent=1).replace('"params": {}', f'"params": {{\n{params}\n    }}')


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
