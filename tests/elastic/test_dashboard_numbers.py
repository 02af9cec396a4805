"""Each panel's query, run on a real server over a day of calls, gives the numbers that Python counts in these calls."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import exported_queries as exported
import pytest
import sample_calls
from servers.opensearch import OpenSearch

from enricher.catalog import load_catalog
from enricher.lookup import FIELDS, SOME_TEXT, Call, Lookup
from enricher.profiles import builtin_profiles
from filters.dashboards import derived, description, query
from filters.dashboards.opensearch import scripted
from filters.dashboards.saved_objects import saved_objects
from filters.elastic import templates
from filters.elastic.mapping import Shape

CATALOG = load_catalog()
DASHBOARD = description.load(CATALOG)
LOOKUPS = derived.lookups(CATALOG, DASHBOARD)
KIBANA = saved_objects("kibana", CATALOG)
OPENSEARCH = saved_objects("opensearch-dashboards", CATALOG)
SPAN = query.Span(sample_calls.START.isoformat(), sample_calls.END.isoformat(), "1h")
RANGE = {"gte": SPAN.since, "lt": SPAN.until}
PANELS = {panel.id: panel for panel in DASHBOARD.panels}
COUNTING = [panel.id for panel in DASHBOARD.panels if panel.kind not in ("text", "records")]
SIDES = {1: "System", 2: "Destination", 3: "Origination", None: None}
ANSWERED, UNSURE = {"answered", "dropped"}, {"blocked", "capacity", "misconfigured"}
CHOSEN = {"busy", "no_answer", "rejected", "cancelled", "redirected"}


class Counted:
    """One sample call as Python sees it, without any code of the dashboards."""

    def __init__(self, document: dict[str, Any]) -> None:
        sip, attributes = document["sip"], document["attributes"]
        self.outcome, self.side = sip["outcome"], sip.get("initiator")
        hour = document["@timestamp"][:13]
        explained = Lookup(CATALOG).explain(
            Call(
                code=attributes["internal_disconnect_code"],
                reason=attributes["internal_disconnect_reason"],
                initiator=SIDES[attributes["disconnect_initiator"]],
                connected=attributes["success"],
            )
        )
        self.values = {
            "time": hour,
            "trunk": attributes["trunk_destination"],
            "number": attributes["did_number"],
            "owner": explained.owner,
            # Without a row, more than one text leads to the same object: then no hint is given.
            "hint": explained.hint if "description" in sip else derived.NO_HINT,
            **{name: str(sip.get(name, query.MISSING)) for name in ("code", "category", "reason", "initiator")},
            "outcome": self.outcome,
        }

    def has(self, measure: str) -> bool:
        """Return whether it counts for a measure."""
        refused = self.side == "System"
        return {
            "calls": True,
            "seizures": self.outcome != "redirected" and not (self.outcome in UNSURE and refused),
            "answered": self.outcome in ANSWERED,
            "delivered": self.outcome in ANSWERED | {"busy", "no_answer", "rejected"},
            "failed": self.outcome != "answered",
            "trouble": self.outcome not in CHOSEN | {"answered"},
            "dropped": self.outcome == "dropped",
            "capacity": self.outcome == "capacity",
            "account": self.outcome == "blocked" and refused,
            "alarms": self.outcome in ("blocked", "capacity") and refused,
        }[measure]


DOCUMENTS = sample_calls.documents()
CALLS = [Counted(document) for document in DOCUMENTS]


@pytest.fixture(scope="module")
def calls(opensearch: OpenSearch) -> Iterable[str]:
    """Index the sample calls; return the name of the index."""
    name = "dashboard-numbers"
    opensearch.ask("PUT", f"/{name}", {"mappings": mappings()})
    lines: list[Any] = []
    for document in DOCUMENTS:
        lines += [{"index": {}}, document]
    assert not opensearch.ask("POST", f"/{name}/_bulk?refresh=true", lines)["errors"]
    yield name
    opensearch.ask("DELETE", f"/{name}")


def mappings() -> Any:
    """Return the mappings of the index, as the templates of `sipsense setup` have them."""
    layout = templates.Layout(shape=Shape(profiles=tuple(builtin_profiles())))
    made = templates.documents(templates.Engine("opensearch", (2, 19)), layout)
    (body,) = (one.body for one in made if one.name.endswith("@mappings"))
    return body["template"]["mappings"]


def expected(panel: description.Panel, title: Callable[[str], str]) -> dict[exported.Row, dict[str, float | None]]:
    """Return what Python counts: by field and value, the measures by the title that the product gives them."""
    first = DASHBOARD.measures[panel.measures[0]]
    looked_at = [call for call in CALLS if call.has(DASHBOARD.looked_at(panel))]
    names = [*panel.by, *([panel.split] if panel.split else [])]
    if panel.by:
        sizes = Counter(call.values[panel.by[0]] for call in looked_at if not first.count or call.has(first.count))
        best = sorted(sizes, key=lambda value: (-sizes[value], value))[: panel.rows]
        looked_at = [call for call in looked_at if call.values[panel.by[0]] in best]
    names += ["time"] if panel.kind == "time" else []
    groups: dict[exported.Row, list[Counted]] = {}
    for call in looked_at:
        groups.setdefault(frozenset((name, call.values[name]) for name in names), []).append(call)
    return {key: {title(name): _measure(group, name) for name in panel.measures} for key, group in groups.items()}


def _measure(group: list[Counted], name: str) -> float | None:
    counts = [sum(call.has(one) for call in group) for one in DASHBOARD.measures[name].sets]
    return counts[0] if len(counts) == 1 else counts[0] / counts[1] if counts[1] else None


def named(rows: dict[exported.Row, dict[str, Any]]) -> dict[exported.Row, dict[str, Any]]:
    """Return rows with the names of the fields in place of their paths, and hours in place of milliseconds."""
    names = {field.path: name for name, field in DASHBOARD.fields.items()} | {"@timestamp": "time"}
    return {
        frozenset((names[path], _hour(value) if path == "@timestamp" else value) for path, value in key): values
        for key, values in rows.items()
    }


def _hour(milliseconds: int) -> str:
    hours = (milliseconds - int(sample_calls.START.timestamp() * 1000)) // 3_600_000
    return f"{sample_calls.START:%Y-%m-%d}T{hours:02}"


def assert_same(found: dict[exported.Row, Any], wanted: dict[exported.Row, Any]) -> None:
    """Assert that both hold the same rows with the same numbers."""
    assert wanted, "there is something to count"
    assert found.keys() == wanted.keys()
    for key, values in found.items():
        assert values == pytest.approx(wanted[key]), key


def title(panel: description.Panel) -> Callable[[str], str]:
    """Return how a product titles a measure: a number has the title of its panel."""
    return lambda name: panel.title if panel.kind == "number" else DASHBOARD.measures[name].label


@pytest.mark.parametrize("name", COUNTING)
def test_the_query_of_a_panel_gives_what_python_counts(opensearch: OpenSearch, calls: str, name: str) -> None:
    """The query that `query.search` makes of a panel gives Python's numbers."""
    panel = PANELS[name]
    body = query.search(DASHBOARD, panel, LOOKUPS, SPAN)
    body["derived"] = body.pop("runtime_mappings", {})  # the same thing under OpenSearch's name
    answer = opensearch.ask("POST", f"/{calls}/_search", body)
    keys = (["time"] if panel.kind == "time" else []) + [*panel.by, panel.split]
    found = {
        frozenset(
            (key, _hour(value) if key == "time" else value) for key, value in zip(keys, line.keys, strict=False)
        ): line.values
        for line in query.lines(DASHBOARD, panel, answer)
    }
    assert_same(found, expected(panel, str))


@pytest.mark.parametrize("name", COUNTING)
def test_a_panel_of_kibana_asks_for_what_python_counts(opensearch: OpenSearch, calls: str, name: str) -> None:
    """What a Lens panel asks, read from the exported file, gives Python's numbers."""
    panel = PANELS[name]
    found: dict[exported.Row, dict[str, Any]] = {}
    for asked in exported.lens_asked(KIBANA, name, RANGE, SPAN.interval):
        for key, values in named(asked.rows(opensearch.ask("POST", f"/{calls}/_search", asked.body))).items():
            found.setdefault(key, {}).update(values)
    assert_same(found, expected(panel, title(panel)))


@pytest.mark.parametrize("name", COUNTING)
def test_a_panel_of_opensearch_dashboards_asks_for_what_python_counts(
    opensearch: OpenSearch, calls: str, name: str
) -> None:
    """What a visualization asks, read from the exported file, gives Python's numbers."""
    panel = PANELS[name]
    asked = exported.vis_asked(OPENSEARCH, name, RANGE, SPAN.interval)
    found = named(asked.rows(opensearch.ask("POST", f"/{calls}/_search", asked.body)))
    assert_same(found, expected(panel, title(panel)))


def test_the_latest_calls_in_trouble_come_first(opensearch: OpenSearch, calls: str) -> None:
    """The table of the latest calls in trouble shows the newest ones, with what their records say."""
    (panel,) = (panel for panel in DASHBOARD.panels if panel.kind == "records")
    body = query.search(DASHBOARD, panel, LOOKUPS, SPAN)
    body["derived"] = body.pop("runtime_mappings")
    found = query.lines(DASHBOARD, panel, opensearch.ask("POST", f"/{calls}/_search", body))
    wanted = [call for call in reversed(CALLS) if call.has("trouble")][: panel.rows]
    assert [line.keys[1:] for line in found] == [tuple(_shown(call, name) for name in panel.by) for call in wanted]


def _shown(call: Counted, name: str) -> str | None:
    value = call.values[name]
    return None if value == query.MISSING else value


# --- Owner and hint ---------------------------------------------------------------------------------------------------


def test_owner_and_hint_are_those_of_the_catalog(opensearch: OpenSearch, unique: Callable[[str], str]) -> None:
    """For each text of the catalog by each side, both products find the owner and the hint that the catalog gives it.

    They find none only where another text that leaves the same object has another one.
    """
    told = [explained for explained in _all_explained() if explained.outcome not in ("", "answered", "provisional")]
    index = unique("owners")
    opensearch.ask("PUT", f"/{index}", {"mappings": mappings()})
    lines: list[Any] = []
    for number, explained in enumerate(told):
        sip = {key: getattr(explained, key) for key in FIELDS if getattr(explained, key)}
        lines += [{"index": {"_id": number}}, {"sip": sip}]
    assert not opensearch.ask("POST", f"/{index}/_bulk?refresh=true", lines)["errors"]
    body = {
        "size": 10000,
        "derived": {path: {"type": "keyword", "script": {"source": one.emitting}} for path, one in LOOKUPS.items()},
        "fields": [*LOOKUPS],
        "script_fields": {f"scripted {path}": {"script": {"source": one.returning}} for path, one in LOOKUPS.items()},
    }
    hits = opensearch.ask("POST", f"/{index}/_search", body)["hits"]["hits"]
    assert len(hits) == len(told)
    owners, hints = _by_object(told, "owner"), _by_object(told, "hint")
    sides = {name: side.owner for name, side in CATALOG.initiators.items()}
    for hit in hits:
        explained, fields = told[int(hit["_id"])], hit["fields"]
        key = _object(explained)
        owner = _only(owners[key]) or sides.get(explained.initiator, derived.NO_OWNER)
        assert fields["sip.owner"] == [owner], explained
        assert fields["sip.hint"] == [_only(hints[key]) or derived.NO_HINT], explained
        assert all(fields[f"scripted {path}"] == fields[path] for path in LOOKUPS)


def _only(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""


def _all_explained() -> list[Any]:
    lookup = Lookup(CATALOG)
    texts = [(row.code, row.reason) for row in CATALOG.rows] + list(CATALOG.aliases)
    texts += [(code, pattern.entry.text.replace("*", "x").replace("#", "1")) for code, pattern in _patterns()]
    texts += [(code, text) for code in CATALOG.names for text in (None, SOME_TEXT)]
    calls = itertools.product(texts, (None, *CATALOG.initiators), (None, True, False), ("", "another platform"))
    return [
        lookup.explain(Call(code=code, reason=text, initiator=side, connected=connected, system=system))
        for (code, text), side, connected, system in calls
    ]


def _patterns() -> Iterable[tuple[int, Any]]:
    return ((code, pattern) for code, patterns in CATALOG.patterns.items() for pattern in patterns)


def _object(explained: Any) -> tuple[Any, ...]:
    return explained.code, explained.reason, bool(explained.description), explained.initiator, explained.outcome


def _by_object(told: list[Any], name: str) -> dict[tuple[Any, ...], set[str]]:
    found: dict[tuple[Any, ...], set[str]] = {}
    for explained in told:
        found.setdefault(_object(explained), set()).add(getattr(explained, name))
    return found


def test_each_row_of_the_table_has_its_own_hint() -> None:
    """No two texts with a row leave the same object with different hints: only texts without a row go without one."""
    told = [explained for explained in _all_explained() if explained.description]
    assert told
    assert all(len(hints) == 1 for hints in _by_object(told, "hint").values())


def test_scripts_stay_below_the_limit_of_the_server() -> None:
    """No script is longer than half of what a server takes, 65 535 bytes, so that a user's rows fit in too."""
    for script in scripted(DASHBOARD, LOOKUPS).values():
        assert len(script.returning.encode()) < 32_768
