"""`sipsense export`: what other programs load, made from the catalog and the profiles."""

import argparse
from collections.abc import Collection
from importlib import import_module
from typing import Protocol, cast

from enricher.errors import SettingsError
from filters import options

HELP = "write what other programs load: an ingest pipeline, index templates, dashboards, alerts"
EPILOG = """\
examples:
  sipsense export ingest-pipeline > pipeline.json
  sipsense export ingest-pipeline --id sip-calls      as a request for the console of Dev Tools
  sipsense export kibana > calls.ndjson               saved objects: data view, search, dashboard
  sipsense export grafana-loki > loki.json            a dashboard for Grafana
  sipsense export alerts-prometheus > alerts.yaml     rules, each with what to do
"""

# What can be exported, and the module that makes it.
KINDS = {
    "ingest-pipeline": "filters.elastic.export_pipeline",
    "kibana": "filters.dashboards.export_kibana",
    "opensearch-dashboards": "filters.dashboards.export_opensearch",
    "templates-elasticsearch": "filters.elastic.export_templates",
    "templates-opensearch": "filters.elastic.export_templates_opensearch",
    "grafana-loki": "filters.grafana.export",
    "grafana-prometheus": "filters.grafana.export",
    "alerts-loki": "filters.grafana.export",
    "alerts-prometheus": "filters.grafana.export",
}


class Kind(Protocol):
    """What a module in `KINDS` has.

    Args:
        OPTIONS: the options that it uses, as attributes of `args`.
    """

    OPTIONS: Collection[str]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that no kind before it in `KINDS` has added."""

    def export(self, args: argparse.Namespace) -> str:
        """Return the text to print.

        Raises:
            SettingsError: with everything that is wrong.
        """


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of all kinds."""
    parser.add_argument("what", metavar="WHAT", choices=tuple(KINDS), help=f"one of {', '.join(KINDS)}")
    for name in KINDS:
        _kind(name).add_arguments(parser)
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print the export."""
    kind = _kind(args.what)
    with options.Problems() as problems:
        problems.check(lambda: _refuse_unused(args, kind.OPTIONS), None)
        text = problems.check(lambda: kind.export(args), "")
    print(text)
    return 0


def _kind(name: str) -> Kind:
    return cast("Kind", import_module(KINDS[name]))


def _refuse_unused(args: argparse.Namespace, used: Collection[str]) -> None:
    """Refuse options of the command line that another kind has: they would have no effect.

    The keys of a `sipsense.toml` are for all commands; they are the defaults here.
    """
    unused = [
        f"{action.option_strings[0]}: expected an option of {args.what}, got one of another export"
        for action in args.parser._actions
        if action.dest not in (*used, "what", "config", "help") and getattr(args, action.dest) != action.default
    ]
    if unused:
        raise SettingsError(unused)
