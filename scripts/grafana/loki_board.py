"""The dashboard over Loki."""

from boards import (
    OverTime,
    choice,
    described,
    head,
    legend,
    looked_at,
    numbers,
    source_variable,
    top_reasons,
    variable,
)
from grafana_foundation_sdk.builders import dashboard
from language import LogQL, known
from meaning import CATALOG, DESCRIPTION, all_reasons, calls
from panels import Panel, Query, Row, add_rows, source

UID = "sipsense-loki"
TITLE = "SIP calls (logs in Loki)"
TEXT = (
    "Calls by the meaning that sipsense gave them, from their log lines. Trunk and number are there where the lines "
    "were sent with --metadata trunk=PATH --metadata number=PATH."
)
# The step of a graph; in a query for one value, the whole time range.
WINDOW = "$__auto"
SELECTOR = '{service_name=~"$service", sip_category=~"$category"}'
CHOICES = ("initiator", "outcome", "reason")
TEXTBOXES = ("trunk", "number")
FILTERS = "".join(
    [
        *(f' | {LogQL.labels[name]}=~"${name}"' for name in CHOICES),
        *(f" | {name}=~`.*${{{name}:regex}}.*`" for name in TEXTBOXES),
    ]
)
Q = LogQL(SELECTOR, FILTERS)


def build() -> dashboard.Dashboard:
    """Return the dashboard."""
    board = head(TITLE, UID, TEXT, ["sip", "loki"])
    for made in _variables():
        board.with_variable(made)
    add_rows(board, Q, _rows())
    return board


def link(name: str, value: str) -> str:
    """Return the URL of the dashboard with one variable set and the others kept."""
    kept = [
        f"${{{one}:queryparam}}" for one in ("datasource", "service", "category", *CHOICES, *TEXTBOXES) if one != name
    ]
    return f"/d/{UID}?{'&'.join(['${__url_time_range}', *kept, f'var-{name}={value}'])}"


def _variables() -> list[object]:
    values = {
        "initiator": list(CATALOG.initiators),
        "outcome": list(CATALOG.outcomes),
        "reason": all_reasons(),
    }
    labels = {name: found.label for name, found in DESCRIPTION.fields.items()}
    return [
        source_variable("loki"),
        variable("service", "Service", _values("service_name"), source(Q), first="sipsense"),
        variable("category", labels["category"], _values("sip_category"), source(Q)),
        *(choice(name, labels[name], values[name]) for name in CHOICES),
        *(dashboard.TextBoxVariable(name).label(f"{labels[name]} contains").default_value("") for name in TEXTBOXES),
    ]


def _values(label: str) -> dict[str, object]:
    """Return what asks Loki for the values of a label."""
    stream = '{service_name=~"$service"}' if label != "service_name" else ""
    return {"label": label, "stream": stream, "type": 1, "refId": "variable"}


def _rows() -> list[Row | str]:
    bars = OverTime(Q, Q, WINDOW, "short")
    outcome = ("Show these calls", link("outcome", "${__field.labels.sip_outcome}"))
    return [
        (4, numbers(Q, WINDOW)),
        (9, [(12, bars.volume()), (12, bars.split("outcomes", "outcome", links={"": outcome}))]),
        (
            9,
            [
                (8, bars.split("initiators", "initiator")),
                (8, bars.split("alarms", "reason")),
                (8, bars.media_and_balance()),
            ],
        ),
        (12, [(24, _reasons())]),
        (9, [(12, _failing("trunks", "trunk")), (12, _failing("numbers", "number"))]),
        (11, [(12, bars.categories()), (12, legend())]),
        (14, [(24, described("latest", "logs", "short", Query(Q.lines(looked_at("latest")))))]),
    ]


def _reasons() -> Panel:
    labels = [LogQL.labels[name] for name in ("reason", "code", "initiator")]
    columns = dict(zip(labels, ("Reason", "Code", "Ended by"), strict=True)) | {"Value #A": "Calls"}
    shown = link("reason", "${__data.fields.Reason:percentencode}")
    return top_reasons(
        f"topk(20, {Q.count(WINDOW, looked_at('reasons'), by=labels)})", columns, shown, "Show these calls"
    )


def _failing(name: str, label: str) -> Panel:
    trouble, every, answered, seized = (
        Q.count(WINDOW, known(label), calls(which), by=(label,))
        for which in ("trouble", "calls", "answered", "seizures")
    )
    title = DESCRIPTION.fields[label].label
    return described(
        name,
        "table",
        "short",
        Query(trouble, instant=True),
        Query(every, instant=True),
        Query(f"({answered} or 0 * {seized}) / {seized}", instant=True),
        columns={label: title, "Value #A": "Trouble", "Value #B": "Calls", "Value #C": "Answered"},
        units={"Value #C": "percentunit"},
        widths={label: 240},
        links={label: ("Show these calls", link(label, f"${{__data.fields.{title}:percentencode}}"))},
    )
