"""What docs/recipes.md says of each recipe, from the recipes and the catalog."""

import re
from collections.abc import Iterable
from itertools import groupby

from enricher.catalog import Catalog
from filters.recipes import ECS, LANGUAGES, VENDOR, Recipe, explained, load_recipes

_LINK = re.compile(r"`(\w+)`")
_FENCES = {"kql": "text", "lucene": "text", "esql": "esql", "ppl": "text"}


def contents() -> Iterable[str]:
    """Give the table of contents."""
    for title, recipes in groupby(load_recipes(), lambda recipe: recipe.group):
        yield f"- [{title}](#{_anchor(title)})"
        for recipe in recipes:
            yield f"  - [{recipe.question}](#{_anchor(recipe.question)})"


def recipes(catalog: Catalog) -> Iterable[str]:
    """Give all recipes."""
    places = {recipe.id: f"[`{recipe.id}`](#{_anchor(recipe.question)})" for recipe in load_recipes()}
    for title, group in groupby(load_recipes(), lambda recipe: recipe.group):
        yield f"## {title}\n"
        for recipe in group:
            for block in _recipe(recipe, catalog):
                yield _LINK.sub(lambda found: places.get(found[1], found[0]), block)


def _anchor(heading: str) -> str:
    """Return what GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.casefold()).replace(" ", "-")


def _recipe(recipe: Recipe, catalog: Catalog) -> Iterable[str]:
    yield f"### {recipe.question}\n"
    yield f"{recipe.why}\n"
    hours = f"{recipe.hours} hours" if recipe.hours > 1 else "hour"
    yield f"Time range: the last {hours}. Fields: {_fields(recipe)}. `sipsense recipes {recipe.id}`\n"
    for language, name in LANGUAGES.items():
        yield f"{name}:\n\n```{_FENCES[language]}\n{recipe.query(language)}\n```\n"
    yield f"{recipe.answer}\n"
    if recipe.act:
        yield f"{recipe.act}\n"
    if recipe.rows:
        yield "| what was logged | ended by | who can act | what to look at |"
        yield "| --- | --- | --- | --- |"
        for one in explained(recipe, catalog):
            yield f"| {one.code} {one.reason} | {one.initiator} | {one.owner} | {one.hint} |"
        yield ""


def _fields(recipe: Recipe) -> str:
    marks = {VENDOR: " (vendor)", ECS: " (`--ecs`)"}
    return ", ".join(
        f"`{field}`{next((mark for prefix, mark in marks.items() if field.startswith(prefix)), '')}"
        for field in recipe.fields
        if field != "@timestamp"
    )
