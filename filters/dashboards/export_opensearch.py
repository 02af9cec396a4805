"""`sipsense export opensearch-dashboards`."""

import argparse

from filters.dashboards.export_kibana import OPTIONS, exported

__all__ = ["OPTIONS", "add_arguments", "export"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the options are those of `export kibana`."""


def export(args: argparse.Namespace) -> str:
    """Return the saved objects of OpenSearch Dashboards."""
    return exported("opensearch-dashboards", args)
