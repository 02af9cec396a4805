"""`sipsense export templates-opensearch`."""

import argparse

from filters.elastic.export_templates import OPTIONS, exported

__all__ = ["OPTIONS", "add_arguments", "export"]


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing: the options are those of `templates-elasticsearch`."""


def export(args: argparse.Namespace) -> str:
    """Return the documents for OpenSearch."""
    return exported("opensearch", args)
