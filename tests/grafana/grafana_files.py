"""The generated dashboards and alerts, as the tests read them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "grafana"
BOARDS = {name: json.loads((FOLDER / "dashboards" / f"{name}.json").read_text()) for name in ("loki", "prometheus")}
LANGUAGES = {"loki": "logql", "prometheus": "promql"}
# What Grafana puts in the place of its macros and variables.
_MACROS = {"$__auto": "5m", "$__rate_interval": "5m", "$__range": "1h"}
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::\w+)?\}|([A-Za-z_]\w*))")


def panels(name: str) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, without the titles of rows."""
    return [panel for panel in BOARDS[name]["panels"] if panel["type"] != "row"]


def queries(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Give each query of a dashboard with its panel."""
    for panel in panels(name):
        for target in panel.get("targets", []):
            yield panel, target


def filled_in(expr: str) -> str:
    """Return a query as Grafana sends it."""
    for macro, value in _MACROS.items():
        expr = expr.replace(macro, value)
    return _VARIABLE.sub("value", expr)


def variables(text: str) -> set[str]:
    """Return the names of the variables in a text."""
    return {one or other for one, other in _VARIABLE.findall(text) if not (one or other).startswith("__")}


def rules(name: str) -> list[dict[str, Any]]:
    """Return the alerts for `loki` or `prometheus`."""
    groups = yaml.safe_load((FOLDER / "alerts" / f"alerts-{name}.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def filled_in_for_a_day(expr: str, window: str) -> str:
    """Return a query as Grafana sends it for a day with nothing filtered.

    Args:
        window: the step of a graph, or the whole day.
    """
    for macro in _MACROS:
        expr = expr.replace(macro, window)
    for name in variables(expr):
        value = "sipsense" if name == "service" else ".*"
        expr = expr.replace(f"${{{name}:regex}}", "").replace(f"${name}", value)
    return expr
