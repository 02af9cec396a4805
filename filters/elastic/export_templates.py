"""`sipsense export templates-elasticsearch` and `templates-opensearch`: the documents that `setup` installs."""

import argparse

import msgspec

from filters.elastic.export_pipeline import OPTIONS as MEANING
from filters.elastic.templates import NEWEST, Product, documents
from filters.setup import layout

OPTIONS = (*(option for option in MEANING if option != "id"), *layout.OPTIONS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the index of calls is like."""
    layout.add_arguments(parser)


def export(args: argparse.Namespace) -> str:
    """Return the documents for Elasticsearch."""
    return exported("elasticsearch", args)


def exported(product: Product, args: argparse.Namespace) -> str:
    """Return the requests that install the documents, in their order, as a JSON array.

    Raises:
        SettingsError: with everything that is wrong.
    """
    made = documents(NEWEST[product], layout.layout_of(args))
    requests = [{"method": "PUT", "path": document.path, "document": document.body} for document in made]
    return msgspec.json.format(msgspec.json.encode(requests), indent=1).decode()
