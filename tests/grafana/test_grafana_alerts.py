import tomllib
from pathlib import Path

import pytest
import yaml
from grafana_files import FOLDER, ROOT, rules
from servers.lezer import errors
from servers.promtool import promtool

from enricher.catalog import load_catalog

BOTH = pytest.mark.parametrize("name", ["loki", "prometheus"])
CASES = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text())
WATCH = tomllib.loads((ROOT / "scripts" / "grafana" / "watch.toml").read_text())
ALERTS = {entry["name"]: entry for entry in WATCH["alert"]}


def promtool_says(*args):
    """Return what promtool says against it."""
    done = promtool(*args)
    return (done.stdout + done.stderr).decode() if done.returncode else ""


def test_rules_for_prometheus_are_sound():
    """Prometheus loads the rules: expressions, durations and the templates of the texts."""
    assert promtool_says("check", "rules", "--lint-fatal", FOLDER / "alerts" / "alerts-prometheus.yaml") == ""


def test_rules_for_loki_are_sound():
    """The rules for Loki have the form of Prometheus' rules, and their expressions are LogQL."""
    found = rules("loki")
    for rule, wrong in zip(found, errors("logql", [rule["expr"] for rule in found]), strict=True):
        assert wrong == [], rule["alert"]
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}


def test_form_of_rules_for_loki(tmp_path):
    """All but the expressions of the rules for Loki is what Prometheus, whose form it is, takes as well."""
    groups = yaml.safe_load((FOLDER / "alerts" / "alerts-loki.yaml").read_text())
    for group in groups["groups"]:
        for number, rule in enumerate(group["rules"]):
            rule["expr"] = f"vector({number})"
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(groups))
    assert promtool_says("check", "rules", path) == ""


@BOTH
def test_alerts_tell_what_to_do(name):
    """Each alert has a severity, a summary without values, a description and a runbook."""
    for rule in rules(name):
        said = rule["annotations"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert said["summary"].endswith(".")
        assert "{{" not in said["summary"]
        assert said["description"].endswith(".")
        assert "{" not in said["description"].replace("{{", "").replace("}}", ""), "a threshold was not filled in"
        assert said["runbook"]


@BOTH
def test_runbooks_are_the_catalogs(name):
    """A runbook names owner and hint of each row of its topic, in the catalog's words."""
    rows = load_catalog().rows
    topics = {"balance": ["Customer balance too low", "Teardown"]}
    found = {rule["alert"]: rule["annotations"]["runbook"] for rule in rules(name)}
    for row in rows:
        line = f"- {row.code} {row.reason} ({row.owner}): {row.hint}"
        assert (line in found["CapacityLimitReached"].splitlines()) == (row.outcome == "capacity")
        assert (line in found["BalanceGone"].splitlines()) == (row.reason in topics["balance"])
        assert (line in found["MediaTimeoutsRise"].splitlines()) == row.reason.startswith("RTP Timeout")
        assert (line in found["AnswerRatioFalls"].splitlines()) == (row.outcome == "fault")


def test_both_languages_have_the_same_alerts():
    """An alert is there for Loki and for Prometheus, unless the thresholds' file says that one of them cannot tell."""
    names = {"loki": "logql", "prometheus": "promql"}
    for name, language in names.items():
        wanted = [alert for alert, entry in ALERTS.items() if language in entry.get("languages", names.values())]
        assert [rule["alert"] for rule in rules(name)] == wanted
    assert {rule["alert"] for rule in rules("loki")} - {rule["alert"] for rule in rules("prometheus")} == {
        "OneTrunkFailsAlone"
    }


@pytest.fixture(scope="module")
def bare_rules(tmp_path_factory):
    """Return a folder with the rules for Prometheus without texts, so that a case need not repeat them."""
    folder = tmp_path_factory.mktemp("rules")
    groups = yaml.safe_load((FOLDER / "alerts" / "alerts-prometheus.yaml").read_text())
    for group in groups["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(groups))
    return folder


def _test(name, case):
    labels = {"severity": ALERTS[name]["severity"], **case.get("fires", {})}
    return {
        "interval": case.get("step", "1m"),
        "input_series": [{"series": series, "values": values} for series, values in case["series"].items()],
        "alert_rule_test": [
            {
                "eval_time": case["at"],
                "alertname": name,
                "exp_alerts": [{"exp_labels": labels}] if "fires" in case else [],
            }
        ],
    }


def test_every_alert_has_cases():
    """Each alert for Prometheus has a case in which it fires, and one in which it stays silent."""
    assert set(CASES) == {rule["alert"] for rule in rules("prometheus")}
    for name, cases in CASES.items():
        assert {"fires" in case for case in cases} == {True, False}, name


@pytest.mark.parametrize("name", CASES)
def test_alert(name, bare_rules):
    """The alert fires in the cases that say so, and stays silent in the others."""
    step = CASES[name][0].get("step", "1m")
    tests = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": step,
        "tests": [_test(name, one) for one in CASES[name]],
    }
    path = bare_rules / f"{name}.test.yaml"
    path.write_text(yaml.safe_dump(tests))
    assert promtool_says("test", "rules", path) == ""


def test_texts_of_an_alert(tmp_path):
    """The values of an alert stand in its text, as a person reads them."""
    case = CASES["MediaTimeoutsRise"][0]
    annotations = next(rule["annotations"] for rule in rules("prometheus") if rule["alert"] == "MediaTimeoutsRise")
    shown = annotations | {"description": "10% of the connected calls of the last 15m ended by a media timeout."}
    test = _test("MediaTimeoutsRise", case)
    test["alert_rule_test"][0]["exp_alerts"][0]["exp_annotations"] = shown
    path = tmp_path / "test.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(FOLDER / "alerts" / "alerts-prometheus.yaml")],
                "evaluation_interval": "1m",
                "tests": [test],
            }
        )
    )
    assert promtool_says("test", "rules", path) == ""
