"""Panels in one look, and how they are laid out: rows of panels, each with its width of 24."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, logs, loki, prometheus, stat, table, text
from grafana_foundation_sdk.builders import timeseries as series
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from language import Language

SOURCE = "${datasource}"
GREY, RED, BLUE = "#94a9c4", "#d9534b", "#5f83b5"


@dataclass(frozen=True)
class Query:
    """A query and what its series are called; `instant` asks for one value over the whole time range."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True)
class Panel:
    """One panel.

    Args:
        kind: stat, bars (stacked over time), lines, gauges (lying bars), table, logs or text.
        text: what it tells; the body of a text panel is `body`.
        unit: of Grafana, such as short, percentunit, s, bytes.
        alarm: whether more than none is shown in red.
        colours: by the name of a series.
        columns: titles of a table's columns by their field; others are left out.
        mapped: for fields of a table what stands for their values.
        links: by the name of a field, or "" for each series: title and URL.
        right: series on the axis to the right, lines of a ratio.
    """

    kind: str
    title: str
    text: str
    unit: str = "short"
    queries: tuple[Query, ...] = ()
    alarm: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    mapped: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    right: str = ""
    body: str = ""


Row = tuple[int, Sequence[tuple[int, Panel]]]


def add_rows(board: dashboard.Dashboard, language: Language, rows: Sequence[Row | str]) -> None:
    """Add rows of panels; a text is the title of those that follow.

    Args:
        rows: the height of a row, and width and panel of each in it.
    """
    y, number = 0, 1
    for row in rows:
        if isinstance(row, str):
            board.with_row(dashboard.Row(row).id(number).grid_pos(models.GridPos(h=1, w=24, x=0, y=y)))
            y, number = y + 1, number + 1
            continue
        height, x = row[0], 0
        for width, panel in row[1]:
            position = models.GridPos(h=height, w=width, x=x, y=y)
            board.with_panel(_built(panel, language).id(number).grid_pos(position))
            x, number = x + width, number + 1
        y += height


def source(language: Language) -> common_models.DataSourceRef:
    """Return the data source that the variable names."""
    return common_models.DataSourceRef(type_val="loki" if language.name == "logql" else "prometheus", uid=SOURCE)


def _built(panel: Panel, language: Language) -> Any:
    builder = _KINDS[panel.kind](panel)
    builder.title(panel.title).description(panel.text)
    if panel.kind == "text":
        return builder
    builder.datasource(source(language)).unit(panel.unit)
    for place, query in enumerate(panel.queries):
        builder.with_target(_target(query, language, chr(ord("A") + place), panel.kind))
    for name, colour in panel.colours.items():
        builder.override_by_name(name, [_property("color", {"mode": "fixed", "fixedColor": colour})])
    for name, (title, url) in panel.links.items():
        links = [{"title": title, "url": url, "targetBlank": False}]
        if name:
            builder.override_by_name(panel.columns[name], [_property("links", links)])
        else:
            builder.override_by_regexp(".*", [_property("links", links)])
    return builder


def _target(query: Query, language: Language, name: str, kind: str) -> Any:
    if language.name == "logql":
        asked: Any = loki.Dataquery().query_type("instant" if query.instant else "range").max_lines(200)
    else:
        asked = prometheus.Dataquery()
        asked = asked.instant() if query.instant else asked.range()
        if kind == "table":
            asked.format("table")
    if query.legend:
        asked.legend_format(query.legend)
    return asked.expr(query.expr).ref_id(name).datasource(source(language))


def _property(name: str, value: Any) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=name, value=value)


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(value=None, color=GREY if panel.alarm else BLUE)]
    if panel.alarm:
        steps.append(models.Threshold(value=1, color=RED))
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _stat(panel: Panel) -> Any:
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"])
    return (
        stat.Panel()
        .reduce_options(reduce)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .color_mode(common_models.BigValueColorMode.VALUE)
        .thresholds(_thresholds(panel))
        .no_value("0" if panel.alarm else "no calls")
    )


def _over_time(panel: Panel) -> Any:
    legend = common.VizLegendOptions().show_legend(True).placement(common_models.LegendPlacement.BOTTOM)
    legend.display_mode(common_models.LegendDisplayMode.LIST)
    tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
    tooltip.sort(common_models.SortOrder.DESCENDING)
    return series.Panel().legend(legend).tooltip(tooltip).line_width(1).min(0)


def _bars(panel: Panel) -> Any:
    builder = (
        _over_time(panel)
        .draw_style(common_models.GraphDrawStyle.BARS)
        .fill_opacity(90)
        .stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    )
    if panel.right:
        builder.override_by_name(
            panel.right,
            [
                _property("custom.drawStyle", "line"),
                _property("custom.stacking", {"mode": "none"}),
                _property("custom.fillOpacity", 0),
                _property("custom.lineWidth", 2),
                _property("custom.axisPlacement", "right"),
                _property("unit", "percentunit"),
                _property("max", 1),
            ],
        )
    return builder


def _lines(panel: Panel) -> Any:
    return _over_time(panel).fill_opacity(5).show_points(common_models.VisibilityMode.NEVER)


def _gauges(panel: Panel) -> Any:
    return (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .display_mode(common_models.BarGaugeDisplayMode.BASIC)
        .value_mode(common_models.BarGaugeValueMode.TEXT)
        .thresholds(_thresholds(panel))
        .min(0)
    )


def _table(panel: Panel) -> Any:
    """Return a table with a line for each group, the largest first column of numbers first."""
    names = list(panel.columns)
    value = next(name for name in names if name.startswith("Value"))
    steps = [
        ("labelsToFields", {"mode": "columns"}),
        ("merge", {}),
        ("filterFieldsByName", {"include": {"names": names}}),
        (
            "organize",
            {"indexByName": {name: place for place, name in enumerate(names)}, "renameByName": dict(panel.columns)},
        ),
        ("sortBy", {"sort": [{"field": panel.columns[value], "desc": True}]}),
        ("limit", {"limitField": 20}),
    ]
    builder = table.Panel().transformations(
        [models.DataTransformerConfig(id_val=name, options=options) for name, options in steps]
    )
    for name, values in panel.mapped.items():
        mapping = [{"type": "value", "options": {value: {"text": shown} for value, shown in values.items()}}]
        builder.override_by_name(panel.columns[name], [_property("mappings", mapping)])
    for name, unit in panel.units.items():
        builder.override_by_name(panel.columns[name], [_property("unit", unit)])
    for name, width in panel.widths.items():
        builder.override_by_name(panel.columns[name], [_property("custom.width", width)])
    return builder


def _logs(panel: Panel) -> Any:
    return (
        logs.Panel()
        .show_time(True)
        .show_labels(False)
        .wrap_log_message(True)
        .prettify_log_message(False)
        .enable_log_details(True)
        .sort_order(common_models.LogsSortOrder.DESCENDING)
        .dedup_strategy(common_models.LogsDedupStrategy.NONE)
    )


def _text(panel: Panel) -> Any:
    return text.Panel().content(panel.body)


_KINDS = {
    "stat": _stat,
    "bars": _bars,
    "lines": _lines,
    "gauges": _gauges,
    "table": _table,
    "logs": _logs,
    "text": _text,
}
