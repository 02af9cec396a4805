"""Panels as OpenSearch Dashboards keeps them: the `visState` of a visualization."""

from collections.abc import Callable
from typing import Any

from filters.dashboards.conditions import kql
from filters.dashboards.description import TIME, Dashboard, Panel
from filters.dashboards.query import MISSING, size

RED, GREEN, NEUTRAL = "#d9534b", "#4c9f70", "#5f83b5"
_AXIS = "ValueAxis-1"
_RIGHT = "ValueAxis-2"


def scripted_field(name: str) -> str:
    """Return the path of the scripted field whose average is a ratio, or whose sum is the number of calls in a set."""
    return f"sip.{name}"


def vis_state(dashboard: Dashboard, panel: Panel) -> dict[str, Any]:
    """Return the state of a panel of numbers, bars, time or a table."""
    kind, aggs, params = _SHAPES[panel.kind](dashboard, panel)
    numbered = [{"id": str(number)} | agg for number, agg in enumerate(aggs, 1)]
    return {"title": panel.title, "type": kind, "aggs": numbered, "params": params}


def ui_state(dashboard: Dashboard, panel: Panel) -> dict[str, Any]:
    """Return which value has which colour."""
    if panel.split:
        colours = dashboard.colours.get(panel.split, {})
    else:
        shades = {name: NEUTRAL if dashboard.measures[name].count else GREEN for name in panel.measures}
        colours = {dashboard.measures[name].label: shade for name, shade in shades.items()}
    return {"vis": {"colors": colours}} if colours and panel.kind in ("time", "bars") else {}


def markdown(panel: Panel, legend: str) -> dict[str, Any]:
    """Return the state of a panel of text."""
    params = {"fontSize": 12, "openLinksInNewTab": False, "markdown": legend}
    return {"title": panel.title, "type": "markdown", "aggs": [], "params": params}


def controls(dashboard: Dashboard, name: str) -> dict[str, Any]:
    """Return the state of the filters on top; their references are `control_N_index_pattern`."""
    made = []
    for number, field in enumerate(dashboard.controls.fields):
        options = {"type": "terms", "multiselect": True, "dynamicOptions": True, "size": 10, "order": "desc"}
        made.append(
            {
                "id": f"{name}-{field}",
                "fieldName": dashboard.fields[field].path,
                "parent": "",
                "label": dashboard.fields[field].label,
                "type": "list",
                "options": options,
                "indexPatternRefName": f"control_{number}_index_pattern",
            }
        )
    params = {"controls": made, "updateFiltersOnChange": True, "useTimeFilter": True, "pinFilters": False}
    return {"title": "Filters", "type": "input_control_vis", "aggs": [], "params": params}


def _number(dashboard: Dashboard, panel: Panel) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    style = {"bgFill": "#000", "bgColor": False, "labelColor": panel.alarm, "subText": "", "fontSize": 36}
    ranges = [{"from": 0, "to": 1}, {"from": 1, "to": 1_000_000_000}]
    metric = {
        "percentageMode": False,
        "useRanges": panel.alarm,
        "colorSchema": "Green to Red",
        "metricColorMode": "Labels" if panel.alarm else "None",
        "colorsRange": ranges if panel.alarm else [{"from": 0, "to": 10000}],
        "labels": {"show": True},
        "invertColors": False,
        "style": style,
    }
    aggs = _measured(dashboard, panel)
    aggs[0]["params"]["customLabel"] = panel.title
    return "metric", aggs, {"addTooltip": True, "addLegend": False, "type": "metric", "metric": metric}


def _time(dashboard: Dashboard, panel: Panel) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    aggs = _measured(dashboard, panel)
    histogram = {
        "field": TIME,
        "useNormalizedOpenSearchInterval": True,
        "scaleMetricValues": False,
        "interval": "auto",
        "drop_partials": False,
        "min_doc_count": 1,
        "extended_bounds": {},
    }
    aggs.append(_agg("date_histogram", "segment", histogram))
    if panel.split:
        aggs.append(_terms(dashboard, panel, panel.split, "group"))
    return "histogram", aggs, _chart(dashboard, panel, "histogram")


def _bars(dashboard: Dashboard, panel: Panel) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    aggs = [*_measured(dashboard, panel), _terms(dashboard, panel, panel.by[0], "segment")]
    if panel.split:
        aggs.append(_terms(dashboard, panel, panel.split, "group"))
    return "horizontal_bar", aggs, _chart(dashboard, panel, "horizontal_bar")


def _table(dashboard: Dashboard, panel: Panel) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    aggs = [*_measured(dashboard, panel), *(_terms(dashboard, panel, name, "bucket") for name in panel.by)]
    params = {
        "perPage": panel.rows,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "sort": {"columnIndex": None, "direction": None},
        "showTotal": False,
        "totalFunc": "sum",
        "percentageCol": "",
    }
    return "table", aggs, params


_Shape = Callable[[Dashboard, Panel], tuple[str, list[dict[str, Any]], dict[str, Any]]]
_SHAPES: dict[str, _Shape] = {"number": _number, "time": _time, "bars": _bars, "table": _table}


def _agg(kind: str, schema: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return an aggregation without its id, which is its place: measures come first."""
    return {"enabled": True, "type": kind, "schema": schema, "params": params}


def _measured(dashboard: Dashboard, panel: Panel) -> list[dict[str, Any]]:
    """Return the metric of each measure: a count, the sum of a 1 or 0, or the average of it."""
    aggs = []
    for name in panel.measures:
        measure = dashboard.measures[name]
        label = {"customLabel": measure.label}
        if measure.ratio:
            aggs.append(_agg("avg", "metric", {"field": scripted_field(name)} | label))
        elif measure.count == dashboard.looked_at(panel):
            aggs.append(_agg("count", "metric", label))
        else:
            aggs.append(_agg("sum", "metric", {"field": scripted_field(measure.count)} | label))
    return aggs


def _terms(dashboard: Dashboard, panel: Panel, name: str, schema: str) -> dict[str, Any]:
    whole = dashboard.whole(panel, name)
    params = {
        "field": dashboard.fields[name].path,
        "orderBy": "1",
        "order": "desc",
        "size": size(panel, name),
        "otherBucket": whole,
        "otherBucketLabel": "Other",
        "missingBucket": whole,
        "missingBucketLabel": MISSING,
        "customLabel": dashboard.fields[name].label,
    }
    return _agg("terms", schema, params)


def _chart(dashboard: Dashboard, panel: Panel, kind: str) -> dict[str, Any]:
    lying = kind == "horizontal_bar"
    category = {
        "id": "CategoryAxis-1",
        "type": "category",
        "position": "left" if lying else "bottom",
        "show": True,
        "style": {},
        "scale": {"type": "linear"},
        "labels": {"show": True, "rotate": 0, "filter": not lying, "truncate": 200 if lying else 100},
        "title": {},
    }
    ratios = [name for name in panel.measures if dashboard.measures[name].ratio]
    axes = [_axis(_AXIS, "bottom" if lying else "left", {"mode": "normal"}, "Calls")]
    if ratios:
        percent = {"mode": "normal", "setYExtents": True, "defaultYExtents": False, "min": 0, "max": 1}
        axes.append(_axis(_RIGHT, "right", percent, dashboard.measures[ratios[0]].label))
    return {
        "type": kind,
        "grid": {"categoryLines": False},
        "categoryAxes": [category],
        "valueAxes": axes,
        "seriesParams": [_series(dashboard, name, str(number)) for number, name in enumerate(panel.measures, 1)],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": RED},
    }


def _axis(name: str, position: str, scale: dict[str, Any], title: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": f"{position.capitalize()}Axis-1",
        "type": "value",
        "position": position,
        "show": True,
        "style": {},
        "scale": {"type": "linear"} | scale,
        "labels": {"show": True, "rotate": 0, "filter": position == "bottom", "truncate": 100},
        "title": {"text": title},
    }


def _series(dashboard: Dashboard, name: str, agg: str) -> dict[str, Any]:
    measure = dashboard.measures[name]
    return {
        "show": True,
        "type": "line" if measure.ratio else "histogram",
        "mode": "normal" if measure.ratio else "stacked",
        "data": {"label": measure.label, "id": agg},
        "valueAxis": _RIGHT if measure.ratio else _AXIS,
        "drawLinesBetweenPoints": True,
        "lineWidth": 2,
        "interpolate": "linear",
        "showCircles": bool(measure.ratio),
    }


def panel_query(dashboard: Dashboard, panel: Panel) -> dict[str, str]:
    """Return the query that a panel's search source holds."""
    condition = "" if panel.kind == "text" else kql(dashboard, dashboard.looked_at(panel))
    return {"query": condition, "language": "kuery"}
