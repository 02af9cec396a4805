"""`sipsense export grafana-loki` and its like: dashboards and alerts that were made by `python scripts/grafana`."""

import argparse
from pathlib import Path

FILES = {
    "grafana-loki": "loki.json",
    "grafana-prometheus": "prometheus.json",
    "alerts-loki": "alerts-loki.yaml",
    "alerts-prometheus": "alerts-prometheus.yaml",
}
OPTIONS = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: what is to be chosen, Grafana asks for."""


def export(args: argparse.Namespace) -> str:
    """Return the text of the file."""
    return Path(__file__).with_name(FILES[args.what]).read_text("utf-8").rstrip("\n")
