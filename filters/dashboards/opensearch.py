"""The dashboard as saved objects of OpenSearch Dashboards 2.x: an index pattern, a search, and a visualization a panel.

OpenSearch Dashboards has no Lens: a ratio is the average of a scripted field that is 1 or 0. The shape is that of its
own sample data and exports.
"""

from collections.abc import Mapping
from typing import Any

from filters.dashboards import derived
from filters.dashboards.derived import Script
from filters.dashboards.description import GRID, TIME, Dashboard, Panel
from filters.dashboards.fields import DataField
from filters.dashboards.ids import CONTROLS, DATA_VIEW, SEARCH, SEARCH_INDEX, dashboard_id, text
from filters.dashboards.visstate import controls, markdown, panel_query, scripted_field, ui_state, vis_state

VERSIONS = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}
PANELS = "2.0.0"
TOP = 6  # height of the filters, which are a panel of their own here
_PERCENT: dict[str, Any] = {"id": "percent", "params": {"pattern": "0.0%"}}
_META = {"_id": "string", "_index": "string", "_score": "number", "_source": "_source"}


def objects(
    dashboard: Dashboard, fields: list[DataField], scripts: Mapping[str, Script], index: str, legend: str
) -> list[dict[str, Any]]:
    """Return all objects, without the line that sums them up."""
    shown = [panel for panel in dashboard.panels if panel.kind != "records"]
    return [
        _index_pattern(dashboard, fields, scripts, index),
        _search(dashboard),
        _controls(dashboard),
        *(_visualization(dashboard, panel, legend) for panel in shown),
        _dashboard(dashboard),
    ]


def scripted(dashboard: Dashboard, lookups: Mapping[str, Script]) -> dict[str, Script]:
    """Return the script of each scripted field by path: owner and hint, and one for each ratio and count of a part."""
    found = dict(lookups)
    for panel in dashboard.panels:
        for name in panel.measures:
            measure = dashboard.measures[name]
            if measure.ratio:
                found[scripted_field(name)] = derived.ratio(dashboard, name)
            elif measure.count != dashboard.looked_at(panel):
                found[scripted_field(measure.count)] = derived.member(dashboard, measure.count)
    return found


def _object(kind: str, name: str, attributes: dict[str, Any], references: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "attributes": attributes,
        "id": name,
        "migrationVersion": {kind: VERSIONS[kind]},
        "references": references,
        "type": kind,
    }


def _reference(name: str, kind: str = "index-pattern", target: str = DATA_VIEW) -> dict[str, str]:
    return {"id": target, "name": name, "type": kind}


def _index_pattern(
    dashboard: Dashboard, fields: list[DataField], lookups: Mapping[str, Script], index: str
) -> dict[str, Any]:
    """Return the index pattern with all of its fields.

    Without them OpenSearch Dashboards would ask the server for them when it is opened, and forget the scripted ones
    where no call is in the index yet.
    """
    scripts = scripted(dashboard, lookups)
    ratios = {scripted_field(name) for name, measure in dashboard.measures.items() if measure.ratio}
    formats = {field.path: field.format for field in fields if field.format}
    formats |= {path: _PERCENT for path in scripts if path in ratios}
    known = [_meta(name, kind) for name, kind in _META.items()]
    known += [_field(field) for field in fields]
    known += [_scripted(path, script) for path, script in scripts.items()]
    attributes = {
        "fieldFormatMap": text(formats),
        "fields": text(known),
        "timeFieldName": TIME,
        "title": index,
    }
    return _object("index-pattern", DATA_VIEW, attributes, [])


def _meta(name: str, kind: str) -> dict[str, Any]:
    found = name in ("_id", "_index")
    return _spec(name, kind, searchable=found, aggregatable=found, readFromDocValues=False)


def _field(field: DataField) -> dict[str, Any]:
    more = {"subType": {"multi": {"parent": field.parent}}} if field.parent else {}
    return _spec(
        field.path,
        field.kind,
        esTypes=[field.mapped["type"]],
        searchable=field.searchable,
        aggregatable=field.aggregatable,
        readFromDocValues=field.aggregatable,
        **more,
    )


def _scripted(path: str, script: Script) -> dict[str, Any]:
    kind = "string" if script.kind == "keyword" else "number"
    return _spec(path, kind, scripted=True, readFromDocValues=False, script=script.returning, lang="painless")


def _spec(name: str, kind: str, **more: Any) -> dict[str, Any]:
    usual = {"count": 0, "scripted": False, "searchable": True, "aggregatable": True, "readFromDocValues": True}
    return {"name": name, "type": kind} | usual | more


def _search(dashboard: Dashboard) -> dict[str, Any]:
    panel = next(panel for panel in dashboard.panels if panel.kind == "records")
    attributes = {
        "columns": [dashboard.fields[name].path for name in panel.by],
        "description": panel.text,
        "hits": 0,
        "kibanaSavedObjectMeta": _search_source(panel_query(dashboard, panel), highlightAll=True, version=True),
        "sort": [[TIME, "desc"]],
        "title": panel.title,
        "version": 1,
    }
    return _object("search", SEARCH, attributes, [_reference(SEARCH_INDEX)])


def _search_source(query: dict[str, str], *, index: bool = True, **more: Any) -> dict[str, str]:
    source = {"query": query, "filter": []} | more | ({"indexRefName": SEARCH_INDEX} if index else {})
    return {"searchSourceJSON": text(source)}


def _visualization(dashboard: Dashboard, panel: Panel, legend: str) -> dict[str, Any]:
    written = panel.kind == "text"
    state = markdown(panel, legend) if written else vis_state(dashboard, panel)
    attributes = {
        "description": panel.text,
        "kibanaSavedObjectMeta": _search_source(panel_query(dashboard, panel), index=not written),
        "title": panel.title,
        "uiStateJSON": text(ui_state(dashboard, panel)),
        "version": 1,
        "visState": text(state),
    }
    return _object("visualization", _name(panel.id), attributes, [] if written else [_reference(SEARCH_INDEX)])


def _controls(dashboard: Dashboard) -> dict[str, Any]:
    attributes = {
        "description": "Filters for the whole dashboard.",
        "kibanaSavedObjectMeta": _search_source({"query": "", "language": "kuery"}, index=False),
        "title": "Filters",
        "uiStateJSON": "{}",
        "version": 1,
        "visState": text(controls(dashboard, CONTROLS)),
    }
    references = [_reference(f"control_{number}_index_pattern") for number in range(len(dashboard.controls.fields))]
    return _object("visualization", CONTROLS, attributes, references)


def _name(panel: str) -> str:
    return f"sipsense-panel-{panel}"


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    placed = [_placed(0, "filters", (0, 0), (GRID, TOP), "Filters")]
    references = [_reference("panel_0", "visualization", CONTROLS)]
    for number, panel in enumerate(dashboard.panels, 1):
        kind, target = ("search", SEARCH) if panel.kind == "records" else ("visualization", _name(panel.id))
        references.append(_reference(f"panel_{number}", kind, target))
        x, y = panel.at
        placed.append(_placed(number, panel.id, (x, y + TOP), panel.size, panel.title))
    attributes = {
        "description": dashboard.text,
        "hits": 0,
        "kibanaSavedObjectMeta": _search_source({"query": "", "language": "kuery"}, index=False),
        "optionsJSON": text({"useMargins": True, "hidePanelTitles": False}),
        "panelsJSON": text(placed),
        "refreshInterval": {"pause": False, "value": dashboard.refresh * 1000},
        "timeFrom": f"now-{dashboard.hours}h",
        "timeRestore": True,
        "timeTo": "now",
        "title": dashboard.title,
        "version": 1,
    }
    return _object("dashboard", dashboard_id(dashboard), attributes, references)


def _placed(number: int, name: str, at: tuple[int, int], size: tuple[int, int], title: str) -> dict[str, Any]:
    (x, y), (width, height) = at, size
    return {
        "version": PANELS,
        "gridData": {"x": x, "y": y, "w": width, "h": height, "i": name},
        "panelIndex": name,
        "embeddableConfig": {"title": title},
        "panelRefName": f"panel_{number}",
        "title": title,
    }
