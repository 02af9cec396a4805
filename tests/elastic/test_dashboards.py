"""The exported files are what Kibana and OpenSearch Dashboards take: whole, consistent, and on fields that exist."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from exported_queries import lens_panels, objects

from enricher.catalog import load_catalog
from enricher.lookup import FIELDS
from enricher.profiles import builtin_profiles
from filters.dashboards import INDEX, description
from filters.dashboards.saved_objects import PRODUCTS, saved_objects
from filters.elastic import templates
from filters.elastic.mapping import Shape

CATALOG = load_catalog()
DASHBOARD = description.load(CATALOG)
FILES = {product: saved_objects(product, CATALOG) for product in PRODUCTS}
EXAMPLES = Path(__file__).parents[2] / "examples"
# Attributes that hold JSON as text, wherever they are.
TEXTS = {
    *("fields", "fieldAttrs", "fieldFormatMap", "runtimeFieldMap", "sourceFilters", "typeMeta"),
    *("panelsJSON", "optionsJSON", "searchSourceJSON", "visState", "uiStateJSON", "ignoreParentSettingsJSON"),
}
# The oldest releases that the files are written for, and the newest version of each type that these know.
OLDEST = {
    "kibana": {"index-pattern": "8.0.0", "search": "8.0.0", "dashboard": "8.9.0"},
    "opensearch-dashboards": {
        "index-pattern": "7.6.0",
        "search": "7.9.3",
        "visualization": "7.10.0",
        "dashboard": "7.9.3",
    },
}

each = pytest.mark.parametrize("product", PRODUCTS)


def lines(product: str) -> list[dict[str, Any]]:
    """Return what the lines of a file hold."""
    return [json.loads(line) for line in FILES[product].splitlines()]


def texts(value: Any) -> Iterator[tuple[str, Any]]:
    """Give the name and the content of each attribute that holds JSON as text, and of those inside them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in TEXTS:
                assert isinstance(inner, str), name
                yield name, json.loads(inner)
                yield from texts(json.loads(inner))
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def refs_used(value: Any) -> Iterator[str]:
    """Give the names of references that an object uses: `...RefName`, also inside JSON texts."""
    for inner in (value, *(content for _, content in texts(value))):
        yield from (name for key, name in _pairs(inner) if key.endswith("RefName"))


def panels(product: str) -> list[dict[str, Any]]:
    """Return the panels of the dashboard."""
    (dashboard,) = (one for (kind, _), one in objects(FILES[product]).items() if kind == "dashboard")
    return json.loads(dashboard["attributes"]["panelsJSON"])


@each
def test_each_line_is_an_object_and_ends(product: str) -> None:
    """Each line is a JSON object that ends with a newline; all but the last have what a saved object has."""
    assert FILES[product].endswith(b"\n")
    *found, _ = lines(product)
    assert found
    for line in found:
        assert {"type", "id", "attributes", "references"} <= line.keys()
        assert line["attributes"]["title"]


@each
def test_ids_are_unique_and_stay(product: str) -> None:
    """No two objects share type and id, and another run with another catalog or field gives the same ids."""
    *found, _ = lines(product)
    ids = [(line["type"], line["id"]) for line in found]
    assert len(set(ids)) == len(ids)
    again = saved_objects(product, CATALOG, index="other-*", paths={"trunk": "trunk"})
    assert list(objects(again)) == ids
    assert all(re.fullmatch(r"sipsense-[a-z-]+", name) for _, name in ids)


@each
def test_references_resolve_in_the_file(product: str) -> None:
    """Each reference names an object of the file, and no two of one object share a name."""
    known = objects(FILES[product])
    for line in known.values():
        names = [reference["name"] for reference in line["references"]]
        assert len(set(names)) == len(names)
        assert all((reference["type"], reference["id"]) in known for reference in line["references"])


@each
def test_what_should_be_json_text_is(product: str) -> None:
    """Attributes that hold JSON as text hold it, and nothing that is JSON in one product is left out of that check."""
    *found, _ = lines(product)
    names = {name for line in found for name, _ in texts(line["attributes"])}
    assert {"panelsJSON", "searchSourceJSON", "fields", "fieldFormatMap"} <= names
    assert ("visState" in names) == (product == "opensearch-dashboards")


@each
def test_references_and_their_uses_are_the_same(product: str) -> None:
    """Each name that an object uses has a reference, and each reference is used."""
    for (kind, _), line in objects(FILES[product]).items():
        used = set(refs_used(line["attributes"]))
        if kind == "dashboard":
            if product == "kibana":
                used = {f"{name.removeprefix('panel_')}:{name}" for name in used}
            used |= _lens_references(product) | _control_references(line)
        assert used == {reference["name"] for reference in line["references"]}


def _lens_references(product: str) -> set[str]:
    shown = lens_panels(FILES[product]) if product == "kibana" else {}
    return {f"{name}:{one['name']}" for name, attributes in shown.items() for one in attributes["references"]}


def _control_references(line: dict[str, Any]) -> set[str]:
    group = line["attributes"].get("controlGroupInput")
    controls = json.loads(group["panelsJSON"]) if group else {}
    assert all(control["explicitInput"]["id"] == name for name, control in controls.items())
    return {f"controlGroup_{name}:optionsListDataView" for name in controls}


@pytest.mark.parametrize("name", lens_panels(FILES["kibana"]))
def test_lens_layers_and_columns_are_consistent(name: str) -> None:
    """The layers of data, of the drawing and of the references are the same, and so are columns and their uses."""
    attributes = lens_panels(FILES["kibana"])[name]
    state = attributes["state"]
    layers = state["datasourceStates"]["formBased"]["layers"]
    drawn = state["visualization"].get("layers", [state["visualization"]])
    prefix = "indexpattern-datasource-layer-"
    assert {one["layerId"] for one in drawn} == set(layers)
    assert {one["name"] for one in attributes["references"]} == {prefix + layer for layer in layers}
    every: list[str] = []
    for one in drawn:
        columns = layers[one["layerId"]]["columns"]
        every += columns
        assert layers[one["layerId"]]["columnOrder"] == list(columns)
        kinds = [column["isBucketed"] for column in columns.values()]
        assert kinds == sorted(kinds, reverse=True), "buckets come before metrics"
        used = set(_accessors(one)) | {part for column in columns.values() for part in column.get("references", ())}
        assert used == set(columns)
        for column in columns.values():
            order = column.get("params", {}).get("orderBy")
            assert order is None or order["columnId"] in columns
    assert len(set(every)) == len(every), "no column has the name of another layer's"


def _accessors(drawn: dict[str, Any]) -> Iterator[str]:
    yield from drawn.get("accessors", ())
    yield from (drawn[key] for key in ("xAccessor", "splitAccessor", "metricAccessor") if key in drawn)
    yield from (column["columnId"] for column in drawn.get("columns", ()))
    for config in drawn.get("yConfig", ()):
        assert config["forAccessor"] in drawn["accessors"]


@each
def test_aggregations_are_numbered_and_ordered_by_a_metric(product: str) -> None:
    """In a visState, ids are unique, orders name a metric, and each series of a chart is a metric."""
    states = [content for line in lines(product) for name, content in texts(line) if name == "visState"]
    assert bool(states) == (product == "opensearch-dashboards")
    for state in states:
        ids = [agg["id"] for agg in state["aggs"]]
        metrics = {agg["id"] for agg in state["aggs"] if agg["schema"] == "metric"}
        assert len(set(ids)) == len(ids)
        assert {agg["params"]["orderBy"] for agg in state["aggs"] if agg["type"] == "terms"} <= metrics
        series = state["params"].get("seriesParams", ())
        axes = {axis["id"] for axis in state["params"].get("valueAxes", ())}
        assert not series or {one["data"]["id"] for one in series} == metrics
        assert {one["valueAxis"] for one in series} <= axes


@each
def test_each_field_is_in_the_index(product: str) -> None:
    """Each field that a file names is in the index template, with the type that the file says, or the file defines it.

    What panels group by and scripts read can be aggregated.
    """
    mapped, defined = _mapped(product), _defined(product)
    for path in _grouped_by(product) - set(defined):
        assert _aggregatable(mapped[path]), path
    for script in defined.values():
        for path in re.findall(r"read\(doc,'([^']+)'\)", script):
            assert _aggregatable(mapped[path]), path
    for line in lines(product):
        if line.get("type") == "search":
            assert set(line["attributes"]["columns"]) <= {*mapped, *defined}
    for field in _known(product):
        if not field["scripted"] and not field["name"].startswith("_"):
            assert field["esTypes"] == [mapped[field["name"]]["type"]]
            assert field["aggregatable"] == field["readFromDocValues"] == _aggregatable(mapped[field["name"]])


def _mapped(product: str) -> dict[str, Any]:
    engine = templates.NEWEST["elasticsearch" if product == "kibana" else "opensearch"]
    mapped = templates.fields(engine, Shape(profiles=tuple(builtin_profiles())))
    forms = {f"{path}.{name}": one for path, field in mapped.items() for name, one in field.get("fields", {}).items()}
    return mapped | forms


def _aggregatable(field: dict[str, Any]) -> bool:
    return field["type"] in ("keyword", "date", "boolean", "short", "long") and field.get("doc_values", True)


def _view(product: str) -> dict[str, Any]:
    (view,) = (one for (kind, _), one in objects(FILES[product]).items() if kind == "index-pattern")
    return view["attributes"]


def _known(product: str) -> list[dict[str, Any]]:
    return json.loads(_view(product)["fields"])


def _defined(product: str) -> dict[str, str]:
    """Return the scripts of the fields that the file defines, by name."""
    if product == "kibana":
        runtime = json.loads(_view(product)["runtimeFieldMap"])
        return {name: field["script"]["source"] for name, field in runtime.items()}
    return {field["name"]: field["script"] for field in _known(product) if field["scripted"]}


def _grouped_by(product: str) -> set[str]:
    """Return the fields of panels and filters."""
    found = set()
    for line in lines(product):
        for value in (line, *(content for _, content in texts(line))):
            for name, inner in _pairs(value):
                if name in ("sourceField", "fieldName") or (name == "field" and isinstance(inner, str)):
                    found.add(inner)
    return found - {"___records___"}


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)


@each
def test_panels_fill_the_grid_without_overlap(product: str) -> None:
    """No panel leaves the grid of 48 columns or covers another, and there is no hole between them."""
    places = [panel["gridData"] for panel in panels(product)]
    cells = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])} for at in places
    ]
    assert all(not one & other for one, other in combinations(cells, 2))
    taken = set().union(*cells)
    height = max(y for _, y in taken) + 1
    assert taken == {(x, y) for x in range(description.GRID) for y in range(height)}
    assert all(at["i"] == panel["panelIndex"] for at, panel in zip(places, panels(product), strict=True))


def test_versions_are_not_above_the_oldest_release() -> None:
    """No object asks for a newer release than the oldest that is supported."""
    for line in objects(FILES["kibana"]).values():
        assert line["typeMigrationVersion"] == OLDEST["kibana"][line["type"]]
        assert line["coreMigrationVersion"] == "8.8.0"
    for line in objects(FILES["opensearch-dashboards"]).values():
        assert line["migrationVersion"] == {line["type"]: OLDEST["opensearch-dashboards"][line["type"]]}


@each
def test_the_last_line_sums_the_file_up(product: str) -> None:
    """The last line counts the objects before it, none missing."""
    *found, last = lines(product)
    assert last["exportedCount"] == len(found)
    assert (last["missingRefCount"], last["missingReferences"]) == (0, [])


@each
def test_the_example_is_the_export(product: str) -> None:
    """The file in examples/ is what the export gives."""
    assert (EXAMPLES / product / "calls.ndjson").read_bytes() == FILES[product]


# --- The description --------------------------------------------------------------------------------------------------


def test_the_description_names_what_there_is() -> None:
    """Each panel names measures, fields and colours that the description has, and each of these is used."""
    names = {name for panel in DASHBOARD.panels for name in (*panel.by, panel.split) if name}
    assert names | set(DASHBOARD.controls.fields) == set(DASHBOARD.fields)
    assert {name for panel in DASHBOARD.panels for name in panel.measures} == set(DASHBOARD.measures)
    assert {name for measure in DASHBOARD.measures.values() for name in measure.sets} == set(DASHBOARD.sets)
    assert len({panel.id for panel in DASHBOARD.panels}) == len(DASHBOARD.panels)
    assert set(DASHBOARD.colours) <= set(DASHBOARD.fields)


def test_sets_and_colours_know_each_outcome() -> None:
    """Each outcome of the catalog has a colour of its own, and no set names an outcome that the catalog lacks."""
    colours = DASHBOARD.colours["outcome"]
    assert set(colours) == set(CATALOG.outcomes)
    assert len(set(colours.values())) == len(colours)
    assert set(DASHBOARD.colours["category"]) == {one.name for one in CATALOG.categories.values()}
    named = {name for one in DASHBOARD.sets.values() for clause in one.any for name in clause.outcome}
    assert named == set(CATALOG.outcomes) - {"provisional"}


def test_failed_is_all_but_answered() -> None:
    """A call is answered and hung up, or failed."""
    outcomes = {name: {one for clause in DASHBOARD.sets[name].any for one in clause.outcome} for name in DASHBOARD.sets}
    assert outcomes["failed"] == outcomes["calls"] - {"answered"}
    assert outcomes["trouble"] < outcomes["failed"]


# --- The data view ----------------------------------------------------------------------------------------------------


def test_each_field_of_kibana_is_explained() -> None:
    """The data view says of each key of the object what it means, in as many characters as Kibana takes."""
    told = {path: one["customDescription"] for path, one in json.loads(_view("kibana")["fieldAttrs"]).items()}
    assert {f"sip.{key}" for key in FIELDS} <= set(told)
    assert all(0 < len(text) <= 300 and not re.search(r"[{}`]", text) for text in told.values())
    assert _view("kibana")["title"] == INDEX


@each
def test_a_vendors_own_fields_replace_those_of_didww(product: str) -> None:
    """With other paths for trunk and number, no trace of DIDWW's is left in the file."""
    paths = {"trunk": "trunk_name", "number": "dst"}
    exported = saved_objects(product, CATALOG, paths=paths).decode()
    assert "attributes." not in exported
    assert "trunk_name" in exported
