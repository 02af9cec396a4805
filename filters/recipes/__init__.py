"""The questions that a support engineer asks of an index of calls, as queries in four languages: `*.toml` beside this.

They are written for the index that `sipsense setup` makes. `sip.*` and `event.*` are there whoever the vendor is;
`attributes.*` are fields of DIDWW's inbound records, to be replaced by what the records of another vendor have.
"""

import os
import re
import tomllib
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from enricher.catalog import Catalog, Row
from enricher.lookup import Call, Explanation, Lookup

Language: TypeAlias = Literal["kql", "lucene", "esql", "ppl"]

LANGUAGES: dict[Language, str] = {"kql": "KQL", "lucene": "Lucene", "esql": "ES|QL", "ppl": "PPL"}
PROFILE = "didww-inbound"
VENDOR = "attributes."
ECS = "event."

# In the order in which they are shown.
_GROUPS = ("overview", "limits", "cut", "called", "callers", "sipsense")
_FIELD = re.compile(r"(?:(?<=[\s(,])|^)(?:(?:sip|event|attributes)(?:\.\w+)+|@timestamp)")


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One question, and how to ask it.

    Args:
        id: one word, by which texts refer to it.
        hours: how far it looks back. ES|QL and PPL say so themselves; for KQL and Lucene it is set beside the query.
        kql, lucene: find the calls.
        esql, ppl: count them too.
        answer: how to read what is found.
        act: what to do, where no row says it.
        rows: rows of the catalog that it finds, such as `408 Request Timeout / System`.
        group: the title that it stands under.
    """

    id: str
    question: str
    why: str
    hours: int
    kql: str
    lucene: str
    esql: str
    ppl: str
    answer: str
    act: str = ""
    rows: tuple[str, ...] = ()
    group: str = ""

    def query(self, language: Language) -> str:
        """Return the query in one of the languages."""
        text: str = getattr(self, language)
        return text.strip()

    @property
    def fields(self) -> list[str]:
        """Return the fields that its queries name, in the order in which they come."""
        queries = "\n".join(map(self.query, LANGUAGES))
        return list(dict.fromkeys(_FIELD.findall(queries)))


class _Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    recipe: tuple[Recipe, ...]


def load_recipes() -> list[Recipe]:
    """Return all recipes, in the order in which they are shown."""
    recipes = []
    for name in _GROUPS:
        with open(os.path.join(os.path.dirname(__file__), f"{name}.toml"), "rb") as file:
            group = msgspec.convert(tomllib.load(file), _Group)
        recipes += [
            msgspec.structs.replace(
                recipe, group=group.title, **{key: _joined(getattr(recipe, key)) for key in ("why", "answer", "act")}
            )
            for recipe in group.recipe
        ]
    return recipes


def _joined(text: str) -> str:
    return " ".join(text.split())


def row_of(name: str, catalog: Catalog) -> tuple[Row, str]:
    """Return the row that a recipe names, and the initiator that it is about.

    Raises:
        KeyError: the catalog has no such row.
    """
    text, _, initiator = name.partition(" / ")
    code, _, reason = text.partition(" ")
    for row in catalog.rows_by_code[int(code)]:
        if row.reason == reason:
            return row, initiator or row.initiators[0]
    raise KeyError(name)


def explained(recipe: Recipe, catalog: Catalog) -> Sequence[Explanation]:
    """Return what the catalog says of each row of a recipe: who has to act, and what to look at first."""
    lookup = Lookup(catalog)
    rows = (row_of(name, catalog) for name in recipe.rows)
    return [lookup.explain(Call(code=row.code, reason=row.reason, initiator=initiator)) for row, initiator in rows]
