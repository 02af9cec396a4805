"""`sipsense catalog`: the catalog, searchable."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from filters.messages import warn
from filters.render import FORMATS, table

if TYPE_CHECKING:
    from enricher.catalog import Alias, Catalog, Cause, Row

HELP = "show or search the table of codes and reason texts"
EPILOG = """\
examples:
  sipsense catalog capacity system
  sipsense catalog 480 --format json
  sipsense catalog --format markdown > codes.md
"""

SHORT = ("code", "reason", "initiators", "outcome", "owner", "hint")
TEXTS = ("code", "category", "reason", "description", "outcome", "owner", "hint")
FULL = ("code", "kind", *TEXTS[1:4], "initiators", *TEXTS[4:], "aliases", "source")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "search",
        metavar="SEARCH",
        nargs="*",
        help="words that a row must have, all of them: in its code, a text or a side",
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print it (default: table)")
    parser.add_argument(
        "--catalog",
        metavar="FILE",
        action="append",
        help="TOML file with rows and aliases that add to the table or override it",
    )
    parser.add_argument("--guess", action="store_true", help="show aliases that are only plausible, too")
    parser.add_argument("--config", metavar="FILE", help="TOML file with options")


def run(args: argparse.Namespace) -> int:
    """Print the rows that have all words of the search."""
    from enricher.catalog import load_catalog

    catalog = load_catalog(args.catalog or (), guess=args.guess)
    words = [word.casefold() for phrase in args.search for word in phrase.split()]
    rows = [_shown(catalog, entry, guess=args.guess) for entry in _entries(catalog, guess=args.guess)]
    rows = [row for row in rows if _has(row, words)]
    if not rows:
        warn(f"no row has {' and '.join(map(repr, words))}")
    if args.format == "table":
        table([row | {"reason": row["label"]} for row in rows], SHORT, "table", under={"hint": "reason"})
    else:
        table([row | {"aliases": _aliases(row["aliases"], args.format)} for row in rows], FULL, args.format)
    return 0


def _entries(catalog: "Catalog", *, guess: bool) -> list["Row | Cause"]:
    """Return the rows, and the known texts that have none, by code."""
    causes = [cause for cause in catalog.causes if guess or cause.certainty != "guess"]
    rows_first: list[Row | Cause] = [*catalog.rows, *causes]
    return sorted(rows_first, key=_code)


def _code(entry: "Row | Cause") -> int:
    return entry.code


def _shown(catalog: "Catalog", entry: "Row | Cause", *, guess: bool) -> dict[str, Any]:
    """Return all that is shown of a row, or of a known text that has no row."""
    from enricher.catalog import Row

    category = catalog.categories.get(entry.code // 100)
    shown: dict[str, Any] = {
        "code": entry.code,
        "category": category.name if category else "",
        "outcome": entry.outcome,
        "owner": entry.owner,
        "hint": entry.hint,
        "source": entry.source,
    }
    if isinstance(entry, Row):
        aliases = [alias for alias in entry.aliases if guess or alias.certainty != "guess"]
        texts = {"kind": "row", "reason": entry.reason, "label": entry.reason, "description": entry.description}
        return shown | texts | {"initiators": entry.initiators, "aliases": aliases}
    texts = {"kind": "text", "reason": entry.text, "label": f'"{entry.text}"', "description": ""}
    return shown | texts | {"initiators": (), "aliases": ()}


def _aliases(aliases: Sequence["Alias"], format: str) -> Any:
    """Return the aliases as objects for JSON, else as one text."""
    if format == "json":
        from msgspec import to_builtins

        return to_builtins(aliases)
    return "; ".join(f"{alias.code} {alias.text}" for alias in aliases)


def _has(row: dict[str, Any], words: Sequence[str]) -> bool:
    """Tell whether each word stands somewhere in the row."""
    aliases = (alias.text for alias in row["aliases"])
    texts = (*(row[key] for key in TEXTS), f"{row['code'] // 100}xx", *row["initiators"], *aliases)
    haystack = "\n".join(map(str, texts)).casefold()
    return all(word in haystack for word in words)
