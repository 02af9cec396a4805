"""The recipes: each query finds the calls that were made for it, and none of its near misses.

Lucene runs on a real OpenSearch, and so does KQL, as Kibana's own parser (of 7.x) translates it. ES|QL and PPL are run
as SQL, since there is no server for them.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import kuery
import msgspec
import piped
import pytest
from recipe_calls import LAST_WEEK, NEEDED, SCENARIOS, YESTERDAY
from recipe_records import NOW, SIDES, Record, call
from servers.opensearch import OpenSearch

from enricher import Enricher
from enricher.catalog import load_catalog
from enricher.profiles import builtin_profiles
from filters.elastic.mapping import Shape
from filters.elastic.templates import Engine, Layout, documents, fields
from filters.recipes import Language, Recipe, explained, load_recipes, row_of

RECIPES = {recipe.id: recipe for recipe in load_recipes()}
CATALOG = load_catalog()
ENGINE = Engine("opensearch", (2, 19))
SHAPE = Shape(profiles=builtin_profiles(), ecs=True)
FIELDS = fields(ENGINE, SHAPE)
NAMED = [(recipe.id, name) for recipe in RECIPES.values() for name in recipe.rows]
ENRICHER = Enricher(ecs=True)


def document(record: Record) -> Record:
    """Return a record as it is in the index."""
    enriched: Record = msgspec.json.decode(ENRICHER.enrich_json(msgspec.json.encode(record)))
    return {"@timestamp": enriched["event"]["end"], **enriched}


def aged(records: list[Record], minutes: int) -> list[Record]:
    """Return the records as they were had they come so much earlier."""
    moved = []
    for record in records:
        attributes = dict(record["attributes"])
        for key in ("time_start", "time_end"):
            attributes[key] = str(datetime.fromisoformat(attributes[key]) - timedelta(minutes=minutes))
        moved.append(record | {"attributes": attributes})
    return moved


def calls_of(name: str) -> dict[str, Record]:
    """Return the documents of a recipe by their id; which must be found is said by the id."""
    scenario = SCENARIOS[name]
    old = LAST_WEEK if RECIPES[name].hours > 24 * 2 else YESTERDAY
    parts = {"found": scenario.found, "missed": scenario.missed, "old": aged(scenario.found, old + 60)}
    made = {f"{name}-{part}-{n}": document(one) for part, some in parts.items() for n, one in enumerate(some)}
    for row_name in RECIPES[name].rows:
        row, initiator = row_of(row_name, CATALOG)
        made[f"{name}-row-{row_name}"] = document(call(row.code, row.reason, SIDES[initiator], **NEEDED.get(name, {})))
    return made


DOCUMENTS = {name: calls_of(name) for name in SCENARIOS}


@pytest.fixture(scope="module", params=("known", "flattened", "dynamic"))
def index(opensearch: OpenSearch, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the data stream with all documents, made by the templates that `sipsense setup --record ...` installs."""
    shape = msgspec.structs.replace(SHAPE, record=request.param)
    layout = Layout(shape=shape, dataset=f"sip.recipes.{request.param}", retention=None)
    made = [it for it in documents(ENGINE, layout) if it.kind != "policy"]  # the server has no plugin for it
    for it in made:
        opensearch.ask("PUT", it.path, it.body)
    stream = f"{layout.name}-default"
    lines: list[Any] = []
    for some in DOCUMENTS.values():
        for key, one in some.items():
            lines += [{"create": {"_id": key}}, one]
    answer = opensearch.ask("POST", f"/{stream}/_bulk?refresh=true", lines)
    assert not answer["errors"], [item for item in answer["items"] if "error" in item["create"]][:1]
    yield stream
    opensearch.ask("DELETE", f"/_data_stream/{stream}")
    for it in reversed(made):
        opensearch.ask("DELETE", it.path)


Find = Callable[[str, Any], set[str]]


@pytest.fixture
def find(opensearch: OpenSearch, index: str) -> Find:
    """Return what gives the ids that a query finds in the recipe's time range, all recipes' documents being there."""

    def ids(name: str, query: Any) -> set[str]:
        since = (NOW - timedelta(hours=RECIPES[name].hours)).isoformat()
        filters = [{"range": {"@timestamp": {"gte": since}}}]
        body = {"query": {"bool": {"must": [query], "filter": filters}}, "size": 2000, "_source": False}
        return {hit["_id"] for hit in opensearch.ask("POST", f"/{index}/_search", body)["hits"]["hits"]}

    return ids


def lucene(name: str) -> Any:
    """Return a recipe's Lucene query as Kibana sends it."""
    return {"query_string": {"query": RECIPES[name].query("lucene")}}


@cache
def kql() -> dict[str, Any]:
    """Return each recipe's KQL query as Kibana sends it."""
    return dict(zip(RECIPES, kuery.translate([recipe.query("kql") for recipe in RECIPES.values()]), strict=True))


def wanted(name: str) -> set[str]:
    """Return the ids of the recipe's own documents that must be found."""
    return {key for key in DOCUMENTS[name] if key.startswith((f"{name}-found-", f"{name}-row-"))}


def test_twenty() -> None:
    """There are twenty recipes, each with its own name and calls to try it on."""
    assert len(load_recipes()) == len(RECIPES) == 20
    assert RECIPES.keys() == SCENARIOS.keys()
    assert all(scenario.found and scenario.missed for scenario in SCENARIOS.values())


@pytest.mark.parametrize("name", RECIPES)
def test_lucene(name: str, find: Find) -> None:
    """On the real server, Lucene finds just the calls that were made to be found, and none of a day before."""
    assert {key for key in find(name, lucene(name)) if key in DOCUMENTS[name]} == wanted(name)


@pytest.mark.parametrize("name", RECIPES)
def test_kql(name: str, find: Find) -> None:
    """KQL, as Kibana's parser translates it, finds the same as Lucene among the calls of all recipes."""
    found = find(name, kql()[name])
    assert {key for key in found if key in DOCUMENTS[name]} == wanted(name)
    assert found == find(name, lucene(name))


def as_row(one: Record) -> Record:
    """Return a document as its fields are in the index: values by path, words for all that is a keyword."""
    row: Record = {"@timestamp": datetime.fromisoformat(one["@timestamp"]).timestamp()}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{path}.{key}".strip("."))
        elif path in FIELDS and value is not None and path != "@timestamp":
            keyword = FIELDS[path]["type"] == "keyword" and not isinstance(value, str)
            row[path] = msgspec.json.encode(value).decode() if keyword else value

    walk(one, "")
    return row


def answer(name: str, language: str, *starts: str) -> list[Record]:
    """Return what a query in ES|QL or PPL says of those of the recipe's documents whose ids begin so."""
    prefixes = tuple(f"{name}-{start}" for start in starts)
    rows = [as_row(one) for key, one in DOCUMENTS[name].items() if key.startswith(prefixes)]
    table = [{field: row.get(field) for field in RECIPES[name].fields} for row in rows]
    return piped.run(language, RECIPES[name].query(language), table, NOW.timestamp())  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["esql", "ppl"])
@pytest.mark.parametrize("name", RECIPES)
def test_piped(name: str, language: str) -> None:
    """ES|QL and PPL, run as SQL, give the figures that the calls were made for; calls before the time do not count."""
    scenario = SCENARIOS[name]
    columns = scenario.columns.split()
    got = answer(name, language, "found-", "missed-", "old-")
    assert [{key: row[key] for key in columns} for row in got] == [
        {
            key: value.timestamp() if isinstance(value, datetime) else value
            for key, value in zip(columns, row, strict=True)
        }
        for row in scenario.rows
    ]
    assert set(got[0]) == set(columns)


@pytest.mark.parametrize("language", ["esql", "ppl"])
@pytest.mark.parametrize(("name", "row"), NAMED)
def test_row_is_found(name: str, row: str, language: str) -> None:
    """A call that ended as a row which the recipe names is in the answer of ES|QL and PPL."""
    assert len(answer(name, language, f"row-{row}")) == 1


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_time_range(recipe: Recipe) -> None:
    """ES|QL and PPL look back as far as the recipe says."""
    unit = "hour" if recipe.hours == 1 else "hours"
    assert recipe.query("esql").split("\n")[1].startswith(f"| WHERE @timestamp >= NOW() - {recipe.hours} {unit}")
    ppl = f"| where @timestamp >= DATE_SUB(NOW(), INTERVAL {recipe.hours} HOUR)"
    assert recipe.query("ppl").split("\n")[1].startswith(ppl)


@pytest.mark.parametrize("language", ["esql", "ppl"])
def test_ratio(language: Language) -> None:
    """What counts in the answer-seizure ratio is what the catalog says of the outcomes."""
    query = RECIPES["asr"].query(language)
    lists = [set(re.findall(r"\w+", text)) for text in re.findall(r" IN \(([^)]*)\)", query)]
    outcomes = CATALOG.outcomes.values()
    assert lists == [
        {one.name for one in outcomes if one.seizure is False},
        {one.name for one in outcomes if one.seizure is None},
        {one.name for one in outcomes if one.asr},
    ]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_fields(recipe: Recipe) -> None:
    """Each field that a query names has a place in the index template."""
    assert recipe.fields
    assert set(recipe.fields) <= FIELDS.keys()


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_who_acts(recipe: Recipe) -> None:
    """Each recipe says what to do: by a row of the catalog with owner and hint, or in its own words."""
    told = explained(recipe, CATALOG)
    assert told or recipe.act
    assert all(one.match == "reason" and one.owner and one.hint for one in told)
