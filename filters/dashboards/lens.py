"""Panels as Lens keeps them in a dashboard of Kibana: the state of a visualization with its data source.

The shape is that of Kibana's own sample dashboards and of the packages in elastic/integrations (8.12 and later).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from filters.dashboards.conditions import kql
from filters.dashboards.description import TIME, Dashboard, Panel
from filters.dashboards.query import size

DECIMALS = {"id": "percent", "params": {"decimals": 1}}
GREEN, RED, NEUTRAL = "#4c9f70", "#d9534b", "#5f83b5"
_WIDTHS = {"code": 70, "owner": 130, "reason": 240, "calls": 90, "failed": 110, "trouble": 90, "asr": 170}


class Visualization(NamedTuple):
    """What a panel shows.

    Args:
        type: such as `lnsXY`.
        state: how it is drawn.
        layers: the columns of each layer in order, by the layer's id.
    """

    type: str
    state: dict[str, Any]
    layers: dict[str, dict[str, dict[str, Any]]]


def attributes(dashboard: Dashboard, panel: Panel, view: str) -> dict[str, Any]:
    """Return a panel as Lens by value.

    Args:
        dashboard: holds the panel.
        panel: any but one of text or records.
        view: the id of the data view.
    """
    shown = _SHAPES[panel.kind](dashboard, panel)
    layers = {
        name: {"columns": columns, "columnOrder": list(columns), "incompleteColumns": {}, "sampling": 1}
        for name, columns in shown.layers.items()
    }
    return {
        "title": panel.title,
        "description": panel.text,
        "visualizationType": shown.type,
        "type": "lens",
        "references": [
            {"type": "index-pattern", "id": view, "name": f"indexpattern-datasource-layer-{name}"} for name in layers
        ],
        "state": {
            "visualization": shown.state,
            "query": {"query": kql(dashboard, dashboard.looked_at(panel)), "language": "kuery"},
            "filters": [],
            "datasourceStates": {
                "formBased": {"layers": layers},
                "indexpattern": {"layers": {}},
                "textBased": {"layers": {}},
            },
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


def _number(dashboard: Dashboard, panel: Panel) -> Visualization:
    (name,) = panel.measures
    columns = _measured(dashboard, panel, name)
    columns[name]["label"] = panel.title
    state: dict[str, Any] = {"layerId": panel.id, "layerType": "data", "metricAccessor": name}
    if panel.alarm:
        state["palette"] = _alarm()
    return Visualization("lnsMetric", state, {panel.id: columns})


def _time(dashboard: Dashboard, panel: Panel) -> Visualization:
    counts = [name for name in panel.measures if dashboard.measures[name].count]
    ratios = [name for name in panel.measures if name not in counts]
    split = {panel.split: _terms(dashboard, panel, panel.split, counts[0])} if panel.split else {}
    layers = {panel.id: split | {"time": _histogram()} | _all_measured(dashboard, panel, counts)}
    drawn = [_layer(panel.id, "bar_stacked", "time", counts) | _coloured(dashboard, panel)]
    for name in ratios:
        layer, time = f"{panel.id}-{name}", f"time-{name}"  # no column of one layer is named as one of another
        layers[layer] = {time: _histogram()} | _measured(dashboard, panel, name)
        right = {"yConfig": [{"forAccessor": name, "axisMode": "right", "color": GREEN}]}
        drawn.append(_layer(layer, "line", time, [name]) | right)
    return Visualization("lnsXY", _xy("bar_stacked", drawn, right=bool(ratios)), layers)


def _bars(dashboard: Dashboard, panel: Panel) -> Visualization:
    name, by = panel.measures[0], panel.by[0]
    columns = {by: _terms(dashboard, panel, by, name)}
    if panel.split:
        columns[panel.split] = _terms(dashboard, panel, panel.split, name)
    columns |= _measured(dashboard, panel, name)
    drawn = [_layer(panel.id, "bar_horizontal_stacked", by, [name]) | _coloured(dashboard, panel)]
    return Visualization("lnsXY", _xy("bar_horizontal_stacked", drawn, right=False), {panel.id: columns})


def _table(dashboard: Dashboard, panel: Panel) -> Visualization:
    columns = {name: _terms(dashboard, panel, name, panel.measures[0]) for name in panel.by}
    columns |= _all_measured(dashboard, panel, panel.measures)
    shown = [*panel.by, *panel.measures]
    state = {
        "layerId": panel.id,
        "layerType": "data",
        "columns": [
            {"columnId": name, "isTransposed": False} | ({"width": _WIDTHS[name]} if name in _WIDTHS else {})
            for name in shown
        ],
        "sorting": {"columnId": panel.measures[0], "direction": "desc"},
        "rowHeight": "auto",
        "paging": {"size": panel.rows, "enabled": True},
    }
    return Visualization("lnsDatatable", state, {panel.id: columns})


_SHAPES = {"number": _number, "time": _time, "bars": _bars, "table": _table}


def _all_measured(dashboard: Dashboard, panel: Panel, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {key: column for name in names for key, column in _measured(dashboard, panel, name).items()}


def _measured(dashboard: Dashboard, panel: Panel, name: str) -> dict[str, dict[str, Any]]:
    """Return the columns of a measure: one for a count, those of a formula for a ratio."""
    measure = dashboard.measures[name]
    looked_at = dashboard.looked_at(panel)
    if measure.count:
        return {name: _count(measure.label, "" if measure.count == looked_at else kql(dashboard, measure.count))}
    parts = [kql(dashboard, one) for one in measure.ratio]
    terms = [f"count(kql='{part}')" for part in parts]
    formula = " / ".join(terms)
    ids = [f"{name}X{number}" for number in range(3)]
    label = f"Part of {measure.label}"
    quotient = {
        "type": "function",
        "name": "divide",
        "args": ids[:2],
        "location": {"min": 0, "max": len(formula)},
        "text": formula,
    }
    return {
        ids[0]: _count(label, parts[0]),
        ids[1]: _count(label, parts[1]),
        ids[2]: _computed(label, "math", {"tinymathAst": quotient}, ids[:2]),
        name: _computed(
            measure.label, "formula", {"formula": formula, "isFormulaBroken": False, "format": DECIMALS}, [ids[2]]
        ),
    }


def _count(label: str, condition: str) -> dict[str, Any]:
    column: dict[str, Any] = {
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "operationType": "count",
        "isBucketed": False,
        "scale": "ratio",
        "sourceField": "___records___",
        "params": {"emptyAsNull": False},
    }
    return column | ({"filter": {"query": condition, "language": "kuery"}} if condition else {})


def _computed(label: str, kind: str, params: dict[str, Any], references: list[str]) -> dict[str, Any]:
    return {
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "operationType": kind,
        "isBucketed": False,
        "scale": "ratio",
        "params": params,
        "references": references,
    }


def _histogram() -> dict[str, Any]:
    return {
        "label": TIME,
        "dataType": "date",
        "operationType": "date_histogram",
        "sourceField": TIME,
        "isBucketed": True,
        "scale": "interval",
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def _terms(dashboard: Dashboard, panel: Panel, name: str, order: str) -> dict[str, Any]:
    whole = dashboard.whole(panel, name)
    return {
        "label": dashboard.fields[name].label,
        "customLabel": True,
        "dataType": "string",
        "operationType": "terms",
        "sourceField": dashboard.fields[name].path,
        "isBucketed": True,
        "scale": "ordinal",
        "params": {
            "size": size(panel, name),
            "orderBy": {"type": "column", "columnId": order},
            "orderDirection": "desc",
            "otherBucket": whole,
            "missingBucket": whole,
            "parentFormat": {"id": "terms"},
        },
    }


def _layer(layer: str, series: str, x: str, accessors: Sequence[str]) -> dict[str, Any]:
    return {
        "layerId": layer,
        "layerType": "data",
        "seriesType": series,
        "position": "top",
        "showGridlines": False,
        "xAccessor": x,
        "accessors": list(accessors),
    }


def _coloured(dashboard: Dashboard, panel: Panel) -> dict[str, Any]:
    if not panel.split:
        return {"yConfig": [{"forAccessor": name, "color": NEUTRAL} for name in panel.measures[:1]]}
    return {"splitAccessor": panel.split, "colorMapping": _mapping(dashboard.colours.get(panel.split, {}))}


def _xy(preferred: str, layers: list[dict[str, Any]], *, right: bool) -> dict[str, Any]:
    everything = {"x": True, "yLeft": True, "yRight": True}
    return {
        "legend": {"isVisible": True, "position": "right", "showSingleSeries": False},
        "valueLabels": "hide",
        "fittingFunction": "None",
        "yLeftExtent": {"mode": "full"},
        "yRightExtent": {"mode": "custom", "lowerBound": 0, "upperBound": 1},
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": right},
        "tickLabelsVisibilitySettings": everything,
        "gridlinesVisibilitySettings": everything | {"yRight": False},
        "labelsOrientation": {"x": 0, "yLeft": 0, "yRight": 0},
        "preferredSeriesType": preferred,
        "layers": layers,
    }


def _mapping(colours: dict[str, str]) -> dict[str, Any]:
    """Return which value has which colour, in the form of 8.x, which later releases turn into their own."""
    return {
        "assignments": [
            {
                "rule": {"type": "matchExactly", "values": [value]},
                "color": {"type": "colorCode", "colorCode": colour},
                "touched": True,
            }
            for value, colour in colours.items()
        ],
        "specialAssignments": [{"rule": {"type": "other"}, "color": {"type": "loop"}, "touched": False}],
        "paletteId": "eui_amsterdam_color_blind",
        "colorMode": {"type": "categorical"},
    }


def _alarm() -> dict[str, Any]:
    """Return the palette that shows none in green and more in red."""
    return {
        "name": "custom",
        "type": "palette",
        "params": {
            "name": "custom",
            "rangeType": "number",
            "rangeMin": 0,
            "rangeMax": None,
            "progression": "fixed",
            "continuity": "above",
            "reverse": False,
            "steps": 2,
            "maxSteps": 5,
            "stops": [{"color": GREEN, "stop": 1}, {"color": RED, "stop": 2}],
            "colorStops": [{"color": GREEN, "stop": 0}, {"color": RED, "stop": 1}],
        },
    }
