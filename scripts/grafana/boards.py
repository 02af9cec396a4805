"""What both dashboards share: their head, and panels that differ only in the language of their queries."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models
from language import Calls, Language, ratio, reason
from meaning import CATALOG, DESCRIPTION, advice, all_reasons, calls, reasons
from panels import Panel, Query

ALARMS = ("dropped", "capacity", "account")
_TEXTS = {panel.id: panel for panel in DESCRIPTION.panels}
_BY_CATEGORY = (
    "Failed attempts by what the first digit of the code says: the request or the endpoint, a server, a final no. "
    "Successful here is a call that was cut off."
)
_MEDIA = (
    "Connected calls that were cut because no audio came from one side, and calls that the balance stopped. The reason "
    "says which side, and whether the call had begun."
)


def head(title: str, uid: str, text: str, tags: list[str]) -> dashboard.Dashboard:
    """Return a dashboard without panels."""
    board = dashboard.Dashboard(title)
    board.uid(uid).description(text).tags(["sipsense", *tags]).readonly().version(1)
    board.time(f"now-{DESCRIPTION.hours}h", "now").refresh("1m").timezone("browser")
    board.tooltip(models.DashboardCursorSync.CROSSHAIR)
    return board


def source_variable(kind: str) -> dashboard.DatasourceVariable:
    """Return the variable that names the data source."""
    return dashboard.DatasourceVariable("datasource").label("Data source").type(kind)


def variable(name: str, label: str, query: Any, source: Any, *, first: str = "") -> dashboard.QueryVariable:
    """Return a variable whose values are asked for, anew when the time range changes.

    Args:
        first: the value at the beginning, of a variable that cannot be left open; "" for all values.
    """
    made = dashboard.QueryVariable(name).label(label).query(query).datasource(source).multi(True)
    made.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    if first:
        return made.current(models.VariableOption(selected=True, text=[first], value=[first]))
    return made.include_all(True).all_value(".*").current(_all())


def choice(name: str, label: str, values: list[str]) -> dashboard.CustomVariable:
    """Return a variable whose values the catalog knows."""
    listed = ",".join(value.replace(",", "\\,") for value in values)
    made = dashboard.CustomVariable(name).label(label).values(listed)
    return made.multi(True).include_all(True).all_value(".*").current(_all())


def _all() -> models.VariableOption:
    return models.VariableOption(selected=True, text=["All"], value=["$__all"])


def described(name: str, kind: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Return a panel with title and text of the description that Kibana's dashboard is made of."""
    found = _TEXTS[name]
    title, text = more.pop("title", found.title), more.pop("text", found.text)
    return Panel(kind=kind, title=title, text=text, unit=unit, queries=queries, **more)


def looked_at(name: str) -> Calls:
    """Return the calls that a panel of the description looks at."""
    return calls(DESCRIPTION.looked_at(_TEXTS[name]))


def numbers(q: Language, window: str) -> list[tuple[int, Panel]]:
    """Return the row of numbers on top."""
    seized = q.count(window, calls("seizures"))
    ratios = {"asr": q.count(window, calls("answered")), "ner": q.count(window, calls("delivered"))}
    row = [described("calls", "stat", "short", Query(q.count(window, calls("calls")), instant=True))]
    row += [
        described(name, "stat", "percentunit", Query(ratio(part, seized), instant=True))
        for name, part in ratios.items()
    ]
    row += [
        described(name, "stat", "short", Query(q.count(window, calls(name)), instant=True), alarm=True)
        for name in ALARMS
    ]
    return [(4, panel) for panel in row]


class OverTime:
    """Panels of calls over time.

    Args:
        q: counts the calls of a bar.
        ratios: counts calls for ratios.
        window: the length of a bar.
        unit: of the bars.
    """

    def __init__(self, q: Language, ratios: Language, window: str, unit: str) -> None:
        self._q = q
        self._ratios = ratios
        self._window = window
        self._unit = unit

    def volume(self) -> Panel:
        """Return the panel of calls and answer ratio."""
        q, name = self._ratios, DESCRIPTION.measures["asr"].label
        asr = ratio(q.count(self._window, calls("answered")), q.count(self._window, calls("seizures")))
        return described(
            "volume",
            "bars",
            self._unit,
            Query(self._q.count(self._window, calls("calls")), legend="Calls"),
            Query(asr, legend=name),
            colours={"Calls": "#94a9c4", name: "#4c9f70"},
            right=name,
        )

    def split(self, name: str, by: str, **more: Any) -> Panel:
        """Return a panel of the description with a series for each value of a field."""
        colours = DESCRIPTION.colours.get(by, {})
        return described(name, "bars", self._unit, self._query(looked_at(name), by), colours=colours, **more)

    def categories(self) -> Panel:
        """Return the panel of failed calls by category."""
        return self.split("codes", "category", title="Failed calls, by category", text=_BY_CATEGORY)

    def media_and_balance(self) -> Panel:
        """Return the panel of the reasons that have an alert each."""
        watched = reason(*reasons("media"), *reasons("balance"))
        return Panel("bars", "Media timeouts and balance", _MEDIA, self._unit, (self._query(watched, "reason"),))

    def _query(self, wanted: Calls, by: str) -> Query:
        return Query(self._q.count_each(self._window, wanted, by=by), legend=f"{{{{{self._q.label(by)}}}}}")


def top_reasons(expr: str, columns: dict[str, str], link: str, title: str) -> Panel:
    """Return the table of reasons, with what the catalog says of each.

    Args:
        columns: titles by label; the first is the reason.
        link: where a reason leads.
        title: of the link.
    """
    label = next(iter(columns))
    for name in ("owner", "hint"):
        expr = f'label_replace({expr}, "{name}", "$1", "{label}", "(.*)")'
    said = advice()
    return described(
        "reasons",
        "table",
        "short",
        Query(expr, instant=True),
        columns={**columns, "owner": "Who has to act", "hint": "What to do"},
        mapped={name: {reason: said[reason][name] for reason in all_reasons()} for name in ("owner", "hint")},
        widths={**dict.fromkeys(columns, 90), label: 260, "owner": 150},
        links={label: (title, link)},
    )


def legend() -> Panel:
    """Return the panel that says what the outcomes mean."""
    lines = ["| outcome | meaning |", "| --- | --- |"]
    lines += [f"| {one.name} | {one.description} |" for one in CATALOG.outcomes.values()]
    return Panel("text", _TEXTS["legend"].title, _TEXTS["legend"].text, body="\n".join(lines))
