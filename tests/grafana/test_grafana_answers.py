"""What the panels show over a day of calls, asked of a real Prometheus, and what Python counts in the same calls."""

import json
from collections import Counter

import pytest
import replay
from grafana_files import filled_in_for_a_day, panels, queries, rules
from servers.prometheus import run_prometheus

from enricher import Enricher

ENRICHER = Enricher()
OUTCOMES = ENRICHER.catalog.outcomes


@pytest.fixture(scope="module")
def records():
    """Return the day's records."""
    return replay.records()


@pytest.fixture(scope="module")
def calls(records):
    """Return what each call gained, with its trunk and number."""
    found = []
    for _, record in records:
        whole = json.loads(ENRICHER.enrich_json(record))
        if "sip" not in whole:
            continue
        attributes = whole["attributes"]
        found.append(whole["sip"] | {"trunk": attributes["trunk_destination"], "number": attributes["did_number"]})
    return found


@pytest.fixture(scope="module")
def answers(records, tmp_path_factory):
    """Return the servers: one with the metrics of the day, one with its lines."""
    lines = replay.lines(records)
    assert len(lines) == len(records)
    with (
        run_prometheus(tmp_path_factory.mktemp("metrics"), replay.metrics_over_time(records)) as metrics,
        run_prometheus(tmp_path_factory.mktemp("lines"), replay.lines_over_time(lines)) as counted,
    ):
        yield {"prometheus": metrics, "loki": counted}


def ask(answers, name, target):
    """Return the answer to a query of a panel at the end of the day."""
    expr = filled_in_for_a_day(target["expr"], "1d")
    return answers[name].at(replay.as_promql(expr) if name == "loki" else expr, replay.END)


def of(name, title):
    """Return the queries of a panel."""
    return next(panel for panel in panels(name) if panel["title"] == title)["targets"]


def seizure(call):
    """Return whether a call counts as one that reached the trunk."""
    counts = OUTCOMES[call["outcome"]].seizure
    return call.get("initiator") != "System" if counts is None else counts


BOTH = pytest.mark.parametrize("name", ["loki", "prometheus"])


@BOTH
def test_numbers(name, answers, calls):
    """The numbers on top are those that Python counts."""
    calls = [call for call in calls if call.get("outcome")]
    seized = sum(map(seizure, calls))
    wanted = {
        "Calls": len(calls),
        "Answer-seizure ratio": sum(OUTCOMES[call["outcome"]].asr for call in calls) / seized,
        "Network effectiveness": sum(OUTCOMES[call["outcome"]].ner for call in calls) / seized,
        "Dropped calls": sum(call["outcome"] == "dropped" for call in calls),
        "Refused: capacity": sum(call["outcome"] == "capacity" for call in calls),
        "Refused: balance, account": sum(
            call["outcome"] == "blocked" and call.get("initiator") == "System" for call in calls
        ),
    }
    shown = {title: ask(answers, name, of(name, title)[0])[0][1] for title in wanted}
    assert shown == pytest.approx(wanted)
    assert all(wanted.values())


@BOTH
def test_top_reasons(name, answers, calls):
    """The table of reasons counts each of them as Python does."""
    label = {"loki": "sip_reason", "prometheus": "reason"}[name]
    shown = Counter()
    for labels, value in ask(answers, name, of(name, "Top failure reasons")[0]):
        shown[labels[label]] += round(value)
        assert labels["owner"] == labels["hint"] == labels[label], "what the panel maps to the catalog's words"
    wanted = Counter(call["reason"] for call in calls if call.get("outcome", "") not in ("answered", ""))
    assert shown
    for reason, count in shown.most_common(8):
        assert count == pytest.approx(wanted[reason], rel=0.05), reason
    assert shown.most_common(1)[0][0] == wanted.most_common(1)[0][0]


def test_failing_trunks_and_numbers(answers, calls):
    """Calls in trouble, all calls and the answer ratio of each trunk and number are those that Python counts."""
    trouble = {"challenged", "bad_number", "blocked", "capacity", "misconfigured", "fault", "dropped"}
    for title, label in (("Failing trunks", "trunk"), ("Failing numbers", "number")):
        found = [{labels[label]: value for labels, value in ask(answers, "loki", one)} for one in of("loki", title)]
        known = [call for call in calls if call.get("outcome")]
        assert found[0] == pytest.approx(dict(Counter(call[label] for call in known if call["outcome"] in trouble)))
        assert found[1] == pytest.approx(dict(Counter(call[label] for call in known)))
        assert all(0 <= ratio <= 1 for ratio in found[2].values())


@BOTH
def test_every_panel_shows_something(name, answers):
    """No panel is empty over the day, so that no query asks for a label or a metric that is not sent."""
    for panel, target in queries(name):
        if panel["type"] == "logs":
            continue
        expr = filled_in_for_a_day(target["expr"], "30m")
        asked = replay.as_promql(expr) if name == "loki" else expr
        found = answers[name].over(asked, replay.BEGIN, replay.END, replay.STEP)
        assert any(values for _, values in found), panel["title"]


def test_bars_add_up(answers, calls):
    """The bars of a day hold each call once."""
    known = Counter(call["outcome"] for call in calls if call.get("outcome"))
    assert len(known) > 8
    (target,) = of("loki", "Outcomes")
    expr = replay.as_promql(filled_in_for_a_day(target["expr"], "30m"))
    shown = answers["loki"].over(expr, replay.BEGIN, replay.END, replay.STEP)
    assert {labels["sip_outcome"]: sum(values.values()) for labels, values in shown} == pytest.approx(dict(known))
    (target,) = of("prometheus", "Outcomes")
    shown = answers["prometheus"].over(
        filled_in_for_a_day(target["expr"], "30m"), replay.BEGIN, replay.END, replay.STEP
    )
    minutes = {labels["outcome"]: sum(values.values()) * 30 for labels, values in shown if any(values.values())}
    assert minutes == pytest.approx(dict(known))


# When each incident of the day lasts, in minutes from its begin, with the windows of the alerts.
INCIDENTS = {
    "AnswerRatioFalls": (360, 1220),
    "CapacityLimitReached": (700, 755),
    "BalanceGone": (1125, 1175),
    "MediaTimeoutsRise": (845, 985),
    "OneTrunkFailsAlone": (615, 690),
}


@pytest.mark.parametrize("name", INCIDENTS)
def test_alerts_for_loki(name, answers):
    """An alert for Loki would fire during the incident that it is made for, and at no other time of the day."""
    rule = next(rule for rule in rules("loki") if rule["alert"] == name)
    expr = replay.as_promql(rule["expr"])
    found = answers["loki"].over(expr, replay.BEGIN, replay.END, replay.SCRAPE)
    minutes = [(time - replay.BEGIN) / 60 for _, values in found for time in values]
    begin, end = INCIDENTS[name]
    assert minutes
    assert begin <= min(minutes)
    assert max(minutes) <= end
    if name == "OneTrunkFailsAlone":
        assert [labels["trunk"] for labels, _ in found] == ["sip:support@pbx2.example.com"]
