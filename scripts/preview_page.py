"""The page that `scripts/preview.py` has drawn: the panels at their places, with the lines of their answers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import cycle

from preview_charts import Part, Series, lying_bars, time_bars

from enricher.catalog import Catalog
from filters.dashboards.description import GRID, Dashboard, Panel
from filters.dashboards.query import Line

WIDTH = 1600
ROW = 20  # pixels of a row of the grid, as in the products
GAP = 8
MARGIN = 14
HEAD = 118
FOOT = 44
TITLE = 30
NEUTRAL, GREEN, RED = "#5f83b5", "#4c9f70", "#d9534b"
# For values without a colour of their own: what both products take first.
PALETTE = ("#6092c0", "#d36086", "#54b399", "#9170b8", "#d6bf57", "#da8b45", "#ca8eae", "#aa6556", "#b9a888", "#e7664c")
WIDTHS = {"code": 60, "owner": 120, "reason": 240, "failed": 100, "trouble": 90, "calls": 80, "asr": 160}

STYLE = f"""
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #f3f5f9; color: #2b3543; font: 13px/1.35 "DejaVu Sans", sans-serif; }}
header {{ height: {HEAD}px; padding: 16px {MARGIN + 4}px 0; }}
h1 {{ margin: 0 0 2px; font-size: 20px; }}
header p {{ margin: 0; color: #5d6877; }}
.range {{ float: right; border: 1px solid #cdd5e0; background: #fff; padding: 5px 10px; border-radius: 4px; }}
.controls {{ display: flex; gap: {GAP}px; margin-top: 12px; }}
.controls div {{ flex: 1; display: flex; background: #fff; border: 1px solid #cdd5e0; border-radius: 4px; }}
.controls b {{ background: #e9edf3; padding: 6px 10px; font-weight: normal; font-size: 12px; }}
.controls i {{ padding: 6px 10px; color: #98a2b0; font-style: normal; font-size: 12px; }}
main {{ display: grid; grid-template-columns: repeat({GRID}, 1fr); grid-auto-rows: {ROW}px; margin: 0 {MARGIN}px; }}
section {{ margin: {GAP // 2}px; background: #fff; border: 1px solid #dde3ec; border-radius: 5px; overflow: hidden; }}
h2 {{ margin: 0; padding: 7px 10px 0; height: {TITLE}px; font-size: 13px; }}
.number {{ padding: 12px 14px; height: 100%; display: flex; flex-direction: column; justify-content: space-between; }}
.number b {{ font-size: 34px; line-height: 1; align-self: flex-end; }}
.number.good {{ background: {GREEN}; color: #fff; }} .number.bad {{ background: {RED}; color: #fff; }}
table {{ border-collapse: collapse; width: calc(100% - 20px); margin: 2px 10px; table-layout: fixed; font-size: 12px; }}
th {{ text-align: left; font-size: 11.5px; border-bottom: 1px solid #cdd5e0; padding: 4px 6px; color: #46505f; }}
td {{ border-bottom: 1px solid #edf0f5; padding: 3.5px 6px; overflow: hidden; text-overflow: ellipsis; }}
.one td {{ white-space: nowrap; }}
.legend {{ font-size: 11px; }} .legend td {{ padding: 1.6px 6px; }}
.amount {{ text-align: right; font-variant-numeric: tabular-nums; }}
.badge {{ padding: 1px 6px; border-radius: 3px; }}
svg text {{ font: 11px "DejaVu Sans", sans-serif; fill: #5d6877; }}
footer {{ height: {FOOT}px; padding: 12px {MARGIN + 4}px; color: #5d6877; font-size: 12px; }}
"""
NOTE = (
    "Preview, not a screenshot of Kibana or OpenSearch Dashboards: drawn by scripts/preview.py from the description of "
    "the dashboard and from what a real OpenSearch answered to its queries. The calls are made up."
)


def height(dashboard: Dashboard) -> int:
    """Return the height of the page in pixels."""
    return HEAD + FOOT + ROW * max(panel.at[1] + panel.size[1] for panel in dashboard.panels)


def page(catalog: Catalog, dashboard: Dashboard, answers: Mapping[str, list[Line]], times: Sequence[int]) -> str:
    """Return the page as HTML.

    Args:
        catalog: what the panel of text tells.
        dashboard: the panels.
        answers: the lines of each panel by its id.
        times: the beginning of each bar over time, in milliseconds.
    """
    controls = "".join(
        f"<div><b>{escape(dashboard.fields[name].label)}</b><i>Any</i></div>" for name in dashboard.controls.fields
    )
    shown = {panel.id: _on_axis(panel, answers.get(panel.id, []), times) for panel in dashboard.panels}
    panels = "".join(_placed(catalog, dashboard, panel, shown[panel.id]) for panel in dashboard.panels)
    return (
        f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>"
        f"<header><span class=range>Last {dashboard.hours} hours, again every {dashboard.refresh} s</span>"
        f"<h1>{escape(dashboard.title)}</h1><p>{escape(dashboard.text)}</p>"
        f"<div class=controls>{controls}</div></header>"
        f"<main>{panels}</main><footer>{escape(NOTE)}</footer>"
    )


def _placed(catalog: Catalog, dashboard: Dashboard, panel: Panel, lines: list[Line]) -> str:
    (x, y), (width, rows) = panel.at, panel.size
    place = f"grid-column:{x + 1}/span {width};grid-row:{y + 1}/span {rows}"
    if panel.kind == "number":
        return f'<section style="{place}">{_number(dashboard, panel, lines)}</section>'
    inner = _legend(catalog, dashboard) if panel.kind == "text" else _DRAWN[panel.kind](dashboard, panel, lines)
    return f'<section style="{place}"><h2>{escape(panel.title)}</h2>{inner}</section>'


def _on_axis(panel: Panel, lines: list[Line], times: Sequence[int]) -> list[Line]:
    """Return the lines of a panel over time with an empty one for each bar that there is none for."""
    if panel.kind != "time":
        return lines
    there = {line.keys[0] for line in lines}
    split = [lines[0].keys[-1]] if panel.split else []
    return lines + [Line((time, *split), dict.fromkeys(panel.measures)) for time in times if time not in there]


def _number(dashboard: Dashboard, panel: Panel, lines: list[Line]) -> str:
    (name,) = panel.measures
    value = lines[0].values[name]
    kind = "" if not panel.alarm else "bad" if value else "good"
    return (
        f'<div class="number {kind}"><span>{escape(panel.title)}</span><b>{_amount(dashboard, name, value)}</b></div>'
    )


def _time(dashboard: Dashboard, panel: Panel, lines: list[Line]) -> str:
    count = panel.measures[0]
    times = sorted({line.keys[0] for line in lines})
    parts: dict[str, dict[int, float]] = {}
    for line in lines:
        value = str(line.keys[1]) if panel.split else dashboard.measures[count].label
        parts.setdefault(value, {})[line.keys[0]] = line.values[count] or 0
    colour = _colours(dashboard, panel)
    ordered = sorted(parts, key=lambda value: -sum(parts[value].values()))
    series = [Series(value, colour(value), [parts[value].get(time, 0) for time in times]) for value in ordered]
    ratio = next((name for name in panel.measures if dashboard.measures[name].ratio), "")
    line = None
    if ratio:
        by_time = {line.keys[0]: line.values[ratio] for line in lines}
        line = Series(dashboard.measures[ratio].label, GREEN, [by_time[time] for time in times])
    labels = [f"{datetime.fromtimestamp(time / 1000, UTC):%H:%M}" for time in times]
    return time_bars(*_inside(panel), labels, series, line)


def _bars(dashboard: Dashboard, panel: Panel, lines: list[Line]) -> str:
    colour = _colours(dashboard, panel)
    rows: dict[str, list[Part]] = {}
    for line in lines:
        value = line.values[panel.measures[0]] or 0
        rows.setdefault(str(line.keys[0]), []).append(Part(str(line.keys[-1]), colour(str(line.keys[-1])), value))
    return lying_bars(*_inside(panel), rows)


def _table(dashboard: Dashboard, panel: Panel, lines: list[Line]) -> str:
    head = "".join(_cell("th", name, dashboard.fields[name].label) for name in panel.by)
    head += "".join(_cell("th", name, dashboard.measures[name].label, "amount") for name in panel.measures)
    body = ""
    for line in lines:
        cells = "".join(_cell("td", name, str(key)) for name, key in zip(panel.by, line.keys, strict=True))
        cells += "".join(
            _cell("td", name, _amount(dashboard, name, line.values[name]), "amount") for name in panel.measures
        )
        body += f"<tr>{cells}</tr>"
    kind = "" if "hint" in panel.by else ' class="one"'
    return f"<table{kind}><tr>{head}</tr>{body}</table>"


def _records(dashboard: Dashboard, panel: Panel, lines: list[Line]) -> str:
    widths = {"code": 60, "outcome": 120, "initiator": 110, "owner": 120, "number": 120}
    head = '<th style="width:170px">Time</th>' + "".join(
        f'<th style="width:{widths.get(name, 260)}px">{escape(dashboard.fields[name].label)}</th>' for name in panel.by
    )
    body = ""
    for line in lines[: (panel.size[1] * ROW - TITLE - 40) // 25]:
        time, *values = line.keys
        cells = f"<td>{str(time)[:19].replace('T', ' ')}</td>"
        for name, value in zip(panel.by, values, strict=True):
            shown = escape(str(value or "-"))
            if name in dashboard.colours and value:
                colour = dashboard.colours[name][value]
                shown = f'<span class=badge style="background:{colour};color:{_readable(colour)}">{shown}</span>'
            cells += f"<td>{shown}</td>"
        body += f"<tr>{cells}</tr>"
    return f'<table class="one"><tr>{head}</tr>{body}</table>'


_Drawn = Callable[[Dashboard, Panel, list[Line]], str]
_DRAWN: dict[str, _Drawn] = {"time": _time, "bars": _bars, "table": _table, "records": _records}


def _legend(catalog: Catalog, dashboard: Dashboard) -> str:
    body = ""
    for outcome in catalog.outcomes.values():
        colour = dashboard.colours["outcome"][outcome.name]
        badge = f'<span class=badge style="background:{colour};color:{_readable(colour)}">{outcome.name}</span>'
        seizure = "not by System" if outcome.seizure is None else "yes" if outcome.seizure else "-"
        counts = [seizure, "yes" if outcome.asr else "-", "yes" if outcome.ner else "-"]
        body += f"<tr><td>{badge}</td><td>{outcome.description}</td>" + "".join(f"<td>{one}</td>" for one in counts)
    widths = (125, 0, 100, 45, 45)
    names = ("Outcome", "Meaning", "Seizure", "ASR", "NER")
    head = "".join(
        f'<th style="width:{width}px">{name}</th>' if width else f"<th>{name}</th>"
        for name, width in zip(names, widths, strict=True)
    )
    return f'<table class="one legend"><tr>{head}</tr>{body}</table>'


def _inside(panel: Panel) -> tuple[int, int]:
    """Return width and height that a panel has for its drawing."""
    column = (WIDTH - 2 * MARGIN) / GRID
    return int(panel.size[0] * column) - GAP - 2, panel.size[1] * ROW - GAP - TITLE - 2


def _colours(dashboard: Dashboard, panel: Panel) -> Callable[[str], str]:
    fixed = dict(dashboard.colours.get(panel.split, {}))
    if not panel.split:
        return lambda value: NEUTRAL
    others = cycle(PALETTE)
    return lambda value: fixed.setdefault(value, next(others)) if value not in fixed else fixed[value]


def _cell(tag: str, name: str, text: str, kind: str = "") -> str:
    width = f' style="width:{WIDTHS[name]}px"' if tag == "th" and name in WIDTHS else ""
    return f'<{tag} class="{kind}"{width}>{escape(text)}</{tag}>'


def _amount(dashboard: Dashboard, name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if dashboard.measures[name].ratio else f"{value:,.0f}"


def _readable(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"
