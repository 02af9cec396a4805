"""`sipsense export kibana`, and the options that it shares with `sipsense export opensearch-dashboards`."""

import argparse
import re

from enricher.errors import SettingsError
from filters import options
from filters.dashboards import INDEX

OPTIONS = ("catalog", "guess", "index_pattern", "trunk_field", "number_field")
# What index names cannot hold; a comma parts several patterns.
_PATTERN = re.compile(r'[^\s\\/?"<>|#]+')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where calls are and where their records keep what."""
    group = parser.add_argument_group("dashboards")
    group.add_argument(
        "--index-pattern",
        metavar="PATTERN",
        default=INDEX,
        help=f"indices or data streams that the dashboard is about (default: {INDEX})",
    )
    group.add_argument(
        "--trunk-field",
        metavar="PATH",
        help="where your records keep the trunk (default: attributes.trunk_destination, DIDWW's)",
    )
    group.add_argument(
        "--number-field",
        metavar="PATH",
        help="where your records keep the number (default: attributes.did_number, DIDWW's)",
    )


def export(args: argparse.Namespace) -> str:
    """Return the saved objects of Kibana."""
    return exported("kibana", args)


def exported(product: str, args: argparse.Namespace) -> str:
    """Return the saved objects of a product, without the newline that ends them.

    Raises:
        SettingsError: with everything that is wrong.
    """
    from enricher.catalog import load_catalog
    from filters.dashboards.saved_objects import saved_objects

    with options.Problems() as problems:
        problems.check(lambda: _check_names(args), None)
        catalog = problems.check(lambda: load_catalog(args.catalog or (), guess=args.guess), None)
    assert catalog
    paths = {"trunk": args.trunk_field, "number": args.number_field}
    given = {name: path for name, path in paths.items() if path is not None}
    return saved_objects(product, catalog, index=args.index_pattern, paths=given).decode().removesuffix("\n")


def _check_names(args: argparse.Namespace) -> None:
    problems = [
        f"{name}: expected the path of a field, such as call.trunk, got {path!r}"
        for name, path in (("--trunk-field", args.trunk_field), ("--number-field", args.number_field))
        if path is not None and not path.strip()
    ]
    if not _PATTERN.fullmatch(args.index_pattern):
        problems.append(f"--index-pattern: expected names of indices, such as {INDEX}, got {args.index_pattern!r}")
    if problems:
        raise SettingsError(problems)
