"""The options of Elasticsearch and OpenSearch as an output."""

import argparse

from filters.elastic.index import STREAM


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    group = parser.add_argument_group("Elasticsearch and OpenSearch output, and --to bulk")
    group.add_argument("--data-stream", metavar="NAME", help=f"where records go (default: {STREAM})")
    group.add_argument(
        "--index",
        metavar="NAME",
        help="an index instead; {%%Y.%%m.%%d} in its name is the date of the record in UTC: calls-{%%Y.%%m.%%d}",
    )
