"""Draw previews of the dashboards in docs/grafana/: the generated files, and what a real Prometheus answers to them.

Usage: python scripts/grafana/draw.py

It lets a day of sample calls pass through sipsense, and asks Prometheus what each panel asks: about its metrics, and
about a counter of the lines that it would send to Loki. Debian has what it needs: prometheus, chromium, pngquant.
"""

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "tests" / "grafana")]

import replay  # noqa: E402
from draw_lines import time_lines  # noqa: E402
from grafana_files import BOARDS, filled_in_for_a_day  # noqa: E402
from meaning import DESCRIPTION  # noqa: E402
from preview import BROWSER  # noqa: E402
from preview_charts import Series, time_bars  # noqa: E402
from preview_page import GAP, PALETTE, RED, STYLE  # noqa: E402
from servers.prometheus import Prometheus, run_prometheus  # noqa: E402

PICTURES = ROOT / "docs" / "grafana"
WIDTH, ROW, HEAD, FOOT = 1600, 32, 112, 44
NOTE = (
    "Preview, not a screenshot of Grafana: drawn by scripts/grafana/draw.py from the generated dashboard and from "
    "what a real Prometheus answered to its queries{}. The calls are made up."
)
OF_LINES = ", those in LogQL turned into PromQL over a counter of the lines"
Answer = list[tuple[dict[str, str], dict[float, float]]]


def main() -> None:
    """Ask, draw, and write the pictures."""
    made = replay.records()
    lines = replay.lines(made)
    values = {"loki": replay.lines_over_time(lines), "prometheus": replay.metrics_over_time(made)}
    for name, board in BOARDS.items():
        with tempfile.TemporaryDirectory() as home, run_prometheus(Path(home), values[name]) as server:
            page = Path(home) / "page.html"
            page.write_text(_page(name, board, server, lines), "utf-8")
            _photograph(page, PICTURES / f"{name}.png", board)


def _photograph(page: Path, picture: Path, board: Mapping[str, Any]) -> None:
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    picture.parent.mkdir(exist_ok=True)
    size = f"--window-size={WIDTH},{HEAD + FOOT + ROW * rows}"
    command = [*BROWSER, size, f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, timeout=120, capture_output=True)  # noqa: S603
    subprocess.run(["pngquant", "--force", "--ext", ".png", "--strip", "128", picture], check=True)  # noqa: S603, S607


def _page(name: str, board: Mapping[str, Any], server: Prometheus, lines: list[replay.Line]) -> str:
    controls = "".join(
        f"<div><b>{escape(one['label'])}</b><i>{escape(_value(one))}</i></div>" for one in board["templating"]["list"]
    )
    panels = "".join(_placed(name, panel, server, lines) for panel in board["panels"])
    style = STYLE + (
        f"main {{ grid-template-columns: repeat(24, 1fr); grid-auto-rows: {ROW}px; }} header {{ height: {HEAD}px; }}"
        ".log { font: 11px 'DejaVu Sans Mono', monospace; padding: 2px 10px; white-space: nowrap; overflow: hidden; }"
        "h3 { margin: 6px 8px; font-size: 14px; } .stat { font-size: 30px; text-align: center; padding-top: 14px; }"
        ".stat small { font-size: 13px; color: #5d6877; }"
    )
    return (
        f"<!doctype html><meta charset=utf-8><style>{style}</style>"
        f"<header><span class=range>Last 24 hours</span><h1>{escape(board['title'])}</h1>"
        f"<p>{escape(board['description'])}</p><div class=controls>{controls}</div></header>"
        f"<main>{panels}</main><footer>{escape(NOTE.format(OF_LINES if name == 'loki' else ''))}</footer>"
    )


def _value(variable: Mapping[str, Any]) -> str:
    value = variable.get("current", {}).get("text") or variable["query"] or ""
    return ", ".join(value) if isinstance(value, list) else str(value)


def _placed(name: str, panel: Mapping[str, Any], server: Prometheus, lines: list[replay.Line]) -> str:
    place = panel["gridPos"]
    style = f"grid-column:{place['x'] + 1}/span {place['w']};grid-row:{place['y'] + 1}/span {place['h']}"
    if panel["type"] == "row":
        return f'<div style="{style}"><h3>{escape(panel["title"])}</h3></div>'
    answers = [] if panel["type"] in ("text", "logs") else [_ask(name, one, server) for one in panel["targets"]]
    if panel["type"] == "logs":
        drawn = _logs(lines, place["h"])
    elif panel["type"] == "text":
        drawn = _text(panel["options"]["content"])
    else:
        drawn = _DRAWN[panel["type"]](panel, answers)
    return f'<section style="{style}"><h2>{escape(panel["title"])}</h2>{drawn}</section>'


def _ask(name: str, target: Mapping[str, Any], server: Prometheus) -> Answer:
    """Return the values of each series, with what its legend says under the name "legend"."""
    instant = target.get("instant") or target.get("queryType") == "instant"
    expr = filled_in_for_a_day(target["expr"], "1d" if instant else "30m")
    asked = replay.as_promql(expr) if name == "loki" else expr
    if instant:
        return [(labels, {replay.END: value}) for labels, value in server.at(asked, replay.END)]
    found = []
    for labels, values in server.over(asked, replay.BEGIN + replay.STEP, replay.END, replay.STEP):
        legend = target.get("legendFormat", "")
        for label, value in labels.items():
            legend = legend.replace(f"{{{{{label}}}}}", value)
        found.append((labels | {"legend": legend}, values))
    return found


def _overrides(panel: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what overrides set for a field or a series."""
    return {
        found["id"]: found["value"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == name
        for found in override["properties"]
    }


def _unit(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.1%}"
    return f"{value / 2**20:.1f} MiB" if unit == "bytes" else f"{value:,.0f}"


def _stat(panel: Mapping[str, Any], answers: list[Answer]) -> str:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    alarm = len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) > 1
    shown = []
    for labels, values in answers[0]:
        value = next(iter(values.values()))
        name = escape(labels.get("version", ""))
        colour = RED if alarm and value >= 1 else "inherit"
        shown.append(f'<b style="color:{colour}">{_unit(value, unit)}</b> <small>{name}</small>')
    return f"<div class=stat>{'<br>'.join(shown)}</div>"


def _series(panel: Mapping[str, Any], answers: list[Answer]) -> str:
    place, others = panel["gridPos"], cycle(PALETTE)
    size = int(place["w"] * (WIDTH - 28) / 24) - GAP - 2, place["h"] * ROW - GAP - 32
    times = [
        replay.BEGIN + replay.STEP * number for number in range(1, int((replay.END - replay.BEGIN) // replay.STEP) + 1)
    ]
    drawn, line = [], None
    for labels, values in (series for answer in answers for series in answer):
        name = labels["legend"]
        found = _overrides(panel, name)
        colour = found.get("color", {}).get("fixedColor") or next(others)
        known = {time: value for time, value in values.items() if not math.isnan(value)}  # a ratio of nothing
        one = Series(name, colour, [known.get(time) for time in times])
        if found.get("custom.axisPlacement") == "right":
            line = one
        elif any(one.values):
            drawn.append(one)
    labels = [
        f"{int((time - replay.BEGIN - replay.STEP) // 3600):02}:{int(time - replay.STEP) // 60 % 60:02}"
        for time in times
    ]
    if not drawn:
        return "<div class=stat><small>none all day</small></div>"
    drawn.sort(key=lambda one: -sum(value or 0 for value in one.values))
    if panel["fieldConfig"]["defaults"]["custom"].get("drawStyle") == "bars":
        return time_bars(*size, labels, drawn, line)
    return time_lines(*size, labels, drawn, lambda value: _rounded(value, panel["fieldConfig"]["defaults"]["unit"]))


def _rounded(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.2g} ms"
    return _unit(value, unit) if unit == "bytes" or value >= 10 else f"{value:.2g}"


def _table(panel: Mapping[str, Any], answers: list[Answer]) -> str:
    steps = {one["id"]: one["options"] for one in panel["transformations"]}
    places = steps["organize"]["indexByName"]
    columns = dict(sorted(steps["organize"]["renameByName"].items(), key=lambda column: places[column[0]]))
    rows: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for target, answer in zip(panel["targets"], answers, strict=True):
        for labels, values in answer:
            key = tuple(sorted((name, value) for name, value in labels.items() if name in columns))
            row = rows.setdefault(key, dict(labels))
            row["Value"] = row[f"Value #{target['refId']}"] = next(iter(values.values()))
    names = list(columns)
    value = next(name for name in names if name.startswith("Value"))
    ordered = sorted(rows.values(), key=lambda row: -row.get(value, 0))[: panel["gridPos"]["h"] * ROW // 27 - 2]
    found = {name: _overrides(panel, title) for name, title in columns.items()}
    head = "".join(_head(title, found[name].get("custom.width")) for name, title in columns.items())
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(row, name, found[name])}</td>" for name in names) + "</tr>" for row in ordered
    )
    return f'<table class="one"><tr>{head}</tr>{body}</table>'


def _head(title: str, width: int | None) -> str:
    return f'<th style="width:{width}px">{escape(title)}</th>' if width else f"<th>{escape(title)}</th>"


def _cell(row: Mapping[str, Any], name: str, found: Mapping[str, Any]) -> str:
    value = row.get(name, "")
    if isinstance(value, float):
        return _unit(value, found.get("unit", "short"))
    mapped = found["mappings"][0]["options"] if "mappings" in found else {}
    return escape(str(mapped.get(value, {"text": value})["text"]))


def _logs(lines: list[replay.Line], rows: int) -> str:
    trouble = {name for clause in DESCRIPTION.sets["trouble"].any for name in clause.outcome}
    newest = [line for line in reversed(lines) if line.labels.get("sip_outcome") in trouble]
    return "".join(
        f"<div class=log>{escape(_moment(line))}  {escape(line.text)}</div>" for line in newest[: rows * ROW // 19 - 2]
    )


def _moment(line: replay.Line) -> str:
    seconds = int(line.time - replay.BEGIN)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _text(markdown: str) -> str:
    rows = [line.strip("| ").split(" | ") for line in markdown.splitlines() if "---" not in line]
    head, *body = rows
    cells = "".join(_head(one, 120 if not place else None) for place, one in enumerate(head))
    lines = "".join("<tr>" + "".join(f"<td>{escape(one)}</td>" for one in row) + "</tr>" for row in body)
    return f'<table class="one legend"><tr>{cells}</tr>{lines}</table>'


_DRAWN: dict[str, Callable[[Mapping[str, Any], list[Answer]], str]] = {
    "stat": _stat,
    "timeseries": _series,
    "table": _table,
}


if __name__ == "__main__":
    main()
