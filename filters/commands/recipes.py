"""`sipsense recipes`: the questions that one asks of an index of calls, as queries to paste."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from filters import render
from filters.messages import warn

if TYPE_CHECKING:
    from filters.recipes import Recipe

HELP = "show queries for Elasticsearch, OpenSearch, Kibana and OpenSearch Dashboards, by question"
EPILOG = """\
examples:
  sipsense recipes
  sipsense recipes capacity
  sipsense recipes media --language esql
"""

LANGUAGES = ("kql", "lucene", "esql", "ppl")
SHORT = ("name", "question")
FULL = ("name", "question", "group", "why", "hours", "fields", *LANGUAGES, "answer", "act", "rows")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "search",
        metavar="SEARCH",
        nargs="*",
        help="name of a recipe, or words that it must have; a single one is shown in full",
    )
    parser.add_argument("--language", choices=LANGUAGES, help="print nothing but the query in this language")
    parser.add_argument("--format", choices=render.FORMATS, default="table", help="how to print it (default: table)")
    parser.add_argument("--config", metavar="FILE", help="TOML file with options")


def run(args: argparse.Namespace) -> int:
    """Print the recipes that are searched for."""
    from filters.recipes import load_recipes

    words = [word.casefold() for phrase in args.search for word in phrase.split()]
    recipes = load_recipes()
    found = [recipe for recipe in recipes if [recipe.id] == words] or [it for it in recipes if _has(it, words)]
    if not found:
        warn(f"no recipe has {' and '.join(map(repr, words))}")
    elif args.language:
        print("\n\n".join(recipe.query(args.language) for recipe in found))
    elif args.format != "table":
        render.table([_row(recipe) for recipe in found], FULL, args.format)
    elif len(found) == 1:
        _show(found[0])
    else:
        render.table([_row(recipe) for recipe in found], SHORT, "table")
    return 0


def _has(recipe: "Recipe", words: Sequence[str]) -> bool:
    """Tell whether each word stands somewhere in the recipe's texts or rows, or is the name of a field."""
    texts = (recipe.id, recipe.group, recipe.question, recipe.why, recipe.answer, *recipe.rows, *recipe.fields)
    haystack = "\n".join(texts).casefold()
    return all(word in haystack for word in words)


def _row(recipe: "Recipe") -> dict[str, Any]:
    return {"name": recipe.id} | {key: getattr(recipe, key) for key in FULL[1:]}


def _show(recipe: "Recipe") -> None:
    from enricher.catalog import load_catalog
    from filters.recipes import ECS, LANGUAGES, PROFILE, VENDOR, explained

    render.heading(recipe.question)
    fields = recipe.fields
    vendor = [field for field in fields if field.startswith(VENDOR)]
    needs = "records enriched with --ecs" if any(field.startswith(ECS) for field in fields) else ""
    notes = [
        ("Why", recipe.why),
        ("Time range", f"the last {recipe.hours} hours" if recipe.hours > 1 else "the last hour"),
        ("Needs", needs),
        ("Of the vendor", f"{', '.join(vendor)} ({PROFILE}; another vendor has others)" if vendor else ""),
    ]
    render.block([(label, text) for label, text in notes if text])
    for language, name in LANGUAGES.items():
        print()
        render.heading(name)
        print(recipe.query(language))
    print()
    rows = [(f"{it.code} {it.reason}", f"{it.owner}: {it.hint}") for it in explained(recipe, load_catalog())]
    render.block([("Answer", recipe.answer), *([("What to do", recipe.act)] if recipe.act else []), *rows])
