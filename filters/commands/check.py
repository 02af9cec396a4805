"""`sipsense check`: whether the settings are sound, and how they fit a sample of records."""

import argparse
from typing import TYPE_CHECKING, Any

from filters import render
from filters.options import add_settings, enricher_settings

if TYPE_CHECKING:
    from enricher import Enricher
    from filters.commands._sample import Sample

HELP = "check the settings, and show what they find in a sample of records"
EPILOG = """\
examples:
  sipsense check --catalog my.toml
  sipsense check calls.jsonl.gz
  tail -n 10000 calls.jsonl | sipsense check --format json -
"""

DEGREES = ("reason", "alias", "code", "class", "none")
TOP_TEXTS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "sample", metavar="SAMPLE", nargs="?", help="records, plain, gzip or Zstandard; `-`: standard input"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="how to print it (default: table)")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Print what the settings amount to, and what they find in the sample."""
    from enricher import Enricher

    enricher = Enricher(**enricher_settings(args))
    settings = _counts(enricher)
    sample = _taken(enricher, args.sample) if args.sample else None
    if args.format == "json":
        render.json({"settings": settings} | ({"sample": _as_json(sample)} if sample else {}))
        return 0
    counts = "{rows} rows, {aliases} aliases, {texts} other texts, {profiles} profiles, catalog {catalog}"
    print("ok:", counts.format_map(settings))
    if sample:
        _print(sample)
    return 0


def _counts(enricher: "Enricher") -> dict[str, Any]:
    from enricher.catalog import Alias

    catalog = enricher.catalog
    used = [entry for _, entry in catalog.aliases.values()]
    used += [pattern.entry for patterns in catalog.patterns.values() for pattern in patterns]
    aliases = sum(isinstance(entry, Alias) for entry in used)
    return {
        "rows": len(catalog.rows),
        "aliases": aliases,
        "texts": len(used) - aliases,
        "profiles": len(enricher.profiles.readers),
        "catalog": catalog.version,
    }


def _taken(enricher: "Enricher", path: str) -> "Sample":
    from filters.commands._sample import Sample

    sample = Sample(enricher, path)
    sample.take()
    return sample


def _as_json(sample: "Sample") -> dict[str, Any]:
    return {
        "file": sample.name,
        "records": sample.records,
        "strangers": sample.strangers,
        "invalid": sample.invalid,
        "blank": sample.blank,
        "first_stranger": sample.first_stranger,
        "first_invalid": sample.first_invalid,
        "profiles": sample.by_profile(DEGREES),
        "texts": sample.unknown.most_common(TOP_TEXTS),
        "texts_exact": sample.unknown.exact,
    }


def _print(sample: "Sample") -> None:
    print()
    render.block([(label, text) for label, text in _sentences(sample) if text])
    found = sample.by_profile(DEGREES)
    if found:
        print()
        render.table(found, ("profile", "records", *DEGREES), "table")
    texts = sample.unknown.most_common(TOP_TEXTS)
    if not texts:
        return
    print()
    render.heading("Most frequent texts that found no row")
    # One line each, however long: a wrapped line cannot be pasted.
    columns = ("count", "code", "profile", "alias")
    cells = [[render.visible(str(text[column] or "")) for column in columns] for text in texts]
    render.draw_plain(columns, cells, (True, True, False, False))
    if not sample.unknown.exact:
        print()
        render.sentence("There are so many different texts that the counts may be too low.")
    print()
    _print_advice(next((text for text in texts if text["code"]), texts[0]))


def _print_advice(text: dict[str, Any]) -> None:
    """Say how a text is given a meaning, with one of them as the example."""
    search = text["code"] or "WORD"
    render.sentence("To give one a meaning, put its alias into the row that it stands for, in a file for --catalog:")
    print()
    print("  [[row]]")
    print(f"  code = {text['code'] or 'CODE'}")
    print(f'  reason = "REASON"  # of a row: sipsense catalog {search}')
    print(f"  aliases = [\n    {render.visible(text['alias'])}\n  ]")


def _sentences(sample: "Sample") -> list[tuple[str, str]]:
    strangers, invalid = "", ""
    if sample.strangers:
        strangers = f"{sample.strangers}, first in line {sample.first_stranger}; sipsense explain says why"
    if sample.invalid:
        invalid = f"{sample.invalid}, first in line {sample.first_invalid}: {sample.first_problem}"
    return [
        ("Sample", sample.name),
        ("Call logs", str(sample.records)),
        ("Strangers", strangers),
        ("Invalid lines", invalid),
        ("Blank lines", str(sample.blank or "")),
    ]
