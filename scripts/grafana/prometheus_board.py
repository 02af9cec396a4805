"""The dashboard over the metrics of `sipsense --metrics`."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import loki_board
from boards import OverTime, head, legend, numbers, source_variable, top_reasons, variable
from grafana_foundation_sdk.builders import dashboard
from language import Is, PromQL
from meaning import DESCRIPTION, good_reasons
from panels import Panel, Query, Row, add_rows, source

UID = "sipsense-prometheus"
TITLE = "SIP calls and sipsense (metrics)"
TEXT = (
    "Calls by the meaning that sipsense gave them, and how sipsense itself does, from its metrics. Trunks, numbers and "
    "single calls are in the logs: metrics with so many values would have no bound."
)
STEP, WHOLE = "$__rate_interval", "$__range"
PROCESS = 'job=~"$job", instance=~"$instance"'
OF_CALLS = 'category=~"$category", initiator=~"$initiator"'
Q = PromQL(PROCESS, calls=OF_CALLS)
# Calls a minute: windows overlap, so that counts in them would count calls twice.
MINUTES = PromQL(PROCESS, calls=OF_CALLS, function="60 * rate")
_REFUSED = (
    "Attempts that the provider refused: for capacity, or for the state of an account, a number or a list. A block of "
    "bars is a limit that was reached: raise it, top up, or spread the calls."
)


def build() -> dashboard.Dashboard:
    """Return the dashboard."""
    board = head(TITLE, UID, TEXT, ["sip", "prometheus"])
    labels = {name: found.label for name, found in DESCRIPTION.fields.items()}
    board.with_variable(source_variable("prometheus"))
    for name, label, metric in (
        ("job", "Job", "sipsense_build_info"),
        ("instance", "Instance", 'sipsense_build_info{job=~"$job"}'),
        ("category", labels["category"], f"sipsense_calls_total{{{PROCESS}}}"),
        ("initiator", labels["initiator"], f"sipsense_calls_total{{{PROCESS}}}"),
    ):
        query = {"query": f"label_values({metric}, {name})", "refId": "variable"}
        board.with_variable(variable(name, label, query, source(Q)))
    add_rows(board, Q, [*_calls(), "sipsense", *_pipeline()])
    return board


def _calls() -> list[Row | str]:
    bars = OverTime(MINUTES, Q, STEP, "cpm")
    return [
        (4, numbers(Q, WHOLE)),
        (9, [(12, bars.volume()), (12, bars.split("outcomes", "outcome"))]),
        (
            9,
            [
                (8, bars.split("initiators", "initiator")),
                (8, bars.split("alarms", "outcome", text=_REFUSED)),
                (8, bars.media_and_balance()),
            ],
        ),
        (12, [(24, _reasons())]),
        (11, [(12, bars.categories()), (12, legend())]),
    ]


def _reasons() -> Panel:
    bad = ((Is("reason", good_reasons(), negated=True),),)
    expr = f"topk(20, {Q.count(WHOLE, bad, by=('code', 'reason'))} > 0)"
    columns = {"reason": "Reason", "code": "Code", "Value": "Calls"}
    shown = f"/d/{loki_board.UID}?${{__url_time_range}}&var-reason=${{__data.fields.Reason:percentencode}}"
    return top_reasons(expr, columns, shown, "Show these calls in the logs")


def _pipeline() -> Iterator[Row]:
    """Give the rows on sipsense itself."""
    for row in tomllib.loads(Path(__file__).with_name("pipeline.toml").read_text())["row"]:
        panels = row["panel"]
        yield row["height"], [(24 // len(panels), _panel(panel)) for panel in panels]


def _panel(entry: dict[str, object]) -> Panel:
    queries = tuple(
        Query(expr.replace("@", PROCESS), legend, instant=entry["kind"] == "stat")
        for expr, legend in entry.pop("queries")
    )
    return Panel(**{"unit": "short", **entry}, queries=queries)
