"""The dashboard as saved objects of Kibana 8.12 and later: a data view, a saved search, and Lens panels by value.

The version fields are the oldest that the objects are written for; a later Kibana migrates from there when it imports
them, an older one refuses them.
https://www.elastic.co/docs/extend/kibana/saved-objects/export
"""

from collections.abc import Mapping
from typing import Any

from filters.dashboards import lens
from filters.dashboards.conditions import kql
from filters.dashboards.derived import Script
from filters.dashboards.description import TIME, Dashboard, Panel
from filters.dashboards.fields import DERIVED, DataField
from filters.dashboards.ids import CONTROLS, DATA_VIEW, SEARCH, SEARCH_INDEX, dashboard_id, text

CORE = "8.8.0"
VERSIONS = {"index-pattern": "8.0.0", "search": "8.0.0", "dashboard": "8.9.0"}
PANELS = "8.12.0"


def objects(
    dashboard: Dashboard, fields: list[DataField], scripts: Mapping[str, Script], index: str, legend: str
) -> list[dict[str, Any]]:
    """Return all objects, without the line that sums them up."""
    return [_data_view(dashboard, fields, scripts, index), _search(dashboard), _dashboard(dashboard, legend)]


def _object(kind: str, name: str, attributes: dict[str, Any], references: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "attributes": attributes,
        "coreMigrationVersion": CORE,
        "id": name,
        "managed": False,
        "references": references,
        "type": kind,
        "typeMigrationVersion": VERSIONS[kind],
    }


def _reference(name: str, kind: str = "index-pattern", target: str = DATA_VIEW) -> dict[str, str]:
    return {"id": target, "name": name, "type": kind}


def _data_view(
    dashboard: Dashboard, fields: list[DataField], scripts: Mapping[str, Script], index: str
) -> dict[str, Any]:
    texts = {field.path: field.text for field in fields}
    texts |= {dashboard.fields[name].path: meant for name, meant in DERIVED.items()}
    attributes = {
        "allowNoIndex": True,  # no error before the first call is in
        "fieldAttrs": text({path: {"customDescription": meant} for path, meant in texts.items()}),
        "fieldFormatMap": text({field.path: field.format for field in fields if field.format}),
        "fields": "[]",
        "name": "SIP calls",
        "runtimeFieldMap": text(
            {path: {"type": script.kind, "script": {"source": script.emitting}} for path, script in scripts.items()}
        ),
        "sourceFilters": "[]",
        "timeFieldName": TIME,
        "title": index,
        "typeMeta": "{}",
    }
    return _object("index-pattern", DATA_VIEW, attributes, [])


def _search(dashboard: Dashboard) -> dict[str, Any]:
    panel = _records(dashboard)
    attributes = {
        "columns": [dashboard.fields[name].path for name in panel.by],
        "description": panel.text,
        "grid": {},
        "hideChart": False,
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": text(
                {
                    "query": {"query": kql(dashboard, dashboard.looked_at(panel)), "language": "kuery"},
                    "filter": [],
                    "indexRefName": SEARCH_INDEX,
                }
            )
        },
        "sort": [[TIME, "desc"]],
        "title": panel.title,
    }
    return _object("search", SEARCH, attributes, [_reference(SEARCH_INDEX)])


def _records(dashboard: Dashboard) -> Panel:
    return next(panel for panel in dashboard.panels if panel.kind == "records")


def _dashboard(dashboard: Dashboard, legend: str) -> dict[str, Any]:
    references: list[dict[str, str]] = []
    panels = [_panel(dashboard, panel, legend, references) for panel in dashboard.panels]
    attributes = {
        "controlGroupInput": {
            "chainingSystem": "HIERARCHICAL",
            "controlStyle": "oneLine",
            "ignoreParentSettingsJSON": text(
                {"ignoreFilters": False, "ignoreQuery": False, "ignoreTimerange": False, "ignoreValidations": False}
            ),
            "panelsJSON": text(_controls(dashboard, references)),
        },
        "description": dashboard.text,
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": text({"query": {"query": "", "language": "kuery"}, "filter": []})
        },
        "optionsJSON": text(
            {
                "useMargins": True,
                "syncColors": False,
                "syncCursor": True,
                "syncTooltips": False,
                "hidePanelTitles": False,
            }
        ),
        "panelsJSON": text(panels),
        "refreshInterval": {"pause": False, "value": dashboard.refresh * 1000},
        "timeFrom": f"now-{dashboard.hours}h",
        "timeRestore": True,
        "timeTo": "now",
        "title": dashboard.title,
        "version": 1,
    }
    return _object("dashboard", dashboard_id(dashboard), attributes, references)


def _panel(dashboard: Dashboard, panel: Panel, legend: str, references: list[dict[str, str]]) -> dict[str, Any]:
    """Return a panel as the dashboard keeps it; what it refers to is added to the dashboard's references."""
    (x, y), (width, height) = panel.at, panel.size
    placed: dict[str, Any] = {
        "version": PANELS,
        "gridData": {"x": x, "y": y, "w": width, "h": height, "i": panel.id},
        "panelIndex": panel.id,
        "title": panel.title,
    }
    if panel.kind == "text":
        return placed | {"type": "visualization", "embeddableConfig": _markdown(panel, legend)}
    if panel.kind == "records":
        references.append(_reference(f"{panel.id}:panel_{panel.id}", "search", SEARCH))
        config: dict[str, Any] = {"enhancements": {}, "description": panel.text}
        return placed | {"type": "search", "embeddableConfig": config, "panelRefName": f"panel_{panel.id}"}
    attributes = lens.attributes(dashboard, panel, DATA_VIEW)
    references += [reference | {"name": f"{panel.id}:{reference['name']}"} for reference in attributes["references"]]
    # A number writes its title into itself.
    config = {"attributes": attributes, "enhancements": {}, "hidePanelTitles": panel.kind == "number"}
    return placed | {"type": "lens", "embeddableConfig": config}


def _markdown(panel: Panel, legend: str) -> dict[str, Any]:
    return {
        "enhancements": {},
        "savedVis": {
            "title": panel.title,
            "description": panel.text,
            "type": "markdown",
            "params": {"fontSize": 12, "openLinksInNewTab": False, "markdown": legend},
            "uiState": {},
            "data": {"aggs": [], "searchSource": {"query": {"query": "", "language": "kuery"}, "filter": []}},
        },
    }


def _controls(dashboard: Dashboard, references: list[dict[str, str]]) -> dict[str, Any]:
    panels = {}
    for order, name in enumerate(dashboard.controls.fields):
        control = f"{CONTROLS}-{name}"
        field = dashboard.fields[name]
        panels[control] = {
            "order": order,
            "width": "medium",
            "grow": True,
            "type": "optionsListControl",
            "explicitInput": {
                "id": control,
                "title": field.label,
                "fieldName": field.path,
                "selectedOptions": [],
                "sort": {"by": "_count", "direction": "desc"},
                "enhancements": {},
            },
        }
        references.append(_reference(f"controlGroup_{control}:optionsListDataView"))
    return panels
