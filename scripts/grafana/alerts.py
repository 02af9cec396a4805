"""The alerts, in both languages: expressions over the thresholds of `watch.toml`, runbooks from the catalog."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import yaml
from language import Language, LogQL, PromQL, known, reason
from meaning import WATCH, calls, reasons, runbook

HEAD = """\
# {title}
#
# Made from the thresholds in scripts/grafana/watch.toml and from the catalog, whose hints make the runbooks. In the
# repository, change them there and run `python scripts/grafana`.

"""
TITLES = {
    "logql": "Alerts on calls in Loki, for its ruler: lines that sipsense has sent (label service_name).",
    "promql": "Alerts on calls and on sipsense itself, for Prometheus: the metrics of sipsense --metrics.",
}
Expression = Callable[[Language, Any], str]


def answer_ratio_falls(q: Language, t: Any) -> str:
    """Return what fires when the answer ratio is far below what it was."""
    by = (q.group,)
    answered, seized = q.count(t.window, calls("answered"), by=by), q.count(t.window, calls("seizures"), by=by)
    answered_before = q.count(t.before, calls("answered"), by=by, offset=t.window)
    seized_before = q.count(t.before, calls("seizures"), by=by, offset=t.window)
    none = f"0 * {seized}"  # there is no count of what did not happen
    return (
        f"({answered}\n  or {none})\n/ {seized}\n"
        f"< {t.share} * (\n  {answered_before}\n  / {seized_before}\n)\nand {seized} > {t.calls}"
    )


def capacity_limit_reached(q: Language, t: Any) -> str:
    """Return what fires when some calls met a capacity limit."""
    return f"{q.count(t.window, calls('capacity'), by=(q.group,))} > {t.calls}"


def balance_gone(q: Language, t: Any) -> str:
    """Return what fires at the first call that the balance stopped."""
    return f"{q.count(t.window, reason(*reasons('balance')), by=(q.group,))} > {t.calls}"


def media_timeouts_rise(q: Language, t: Any) -> str:
    """Return what fires when many connected calls ended by a media timeout."""
    by = (q.group,)
    cut = q.count(t.window, reason(*reasons("media")), by=by)
    connected = q.count(t.window, calls("answered"), by=by)
    return f"{cut}\n/ {connected} > {t.share}\nand {cut} > {t.calls}"


def one_trunk_fails_alone(q: Language, t: Any) -> str:
    """Return what fires when calls of one trunk fail, and those of the others do not."""
    everywhere, trunk = (q.group,), (q.group, "trunk")
    part = q.count(t.window, known("trunk"), calls("trouble"), by=trunk)
    whole = q.count(t.window, known("trunk"), calls("calls"), by=trunk)
    others = q.count(t.window, calls("trouble"), by=everywhere)
    all_of_them = q.count(t.window, calls("calls"), by=everywhere)
    return (
        f"{part}\n/ {whole} > {t.share}\nand {whole} > {t.calls}\n"
        f"and on ({q.group}) {others}\n/ {all_of_them} < {t.others}"
    )


def no_calls(q: Language, t: Any) -> str:
    """Return what fires when there is no call in a time that had some before."""
    by = (q.group,)
    before = q.count(t.window, calls("calls"), by=by, offset=t.before)
    return f"{before} > {t.calls}\nunless {q.count(t.window, calls('calls'), by=by)} > 0"


def _increase(metric: str) -> Expression:
    return lambda _, t: f"increase({metric}[{t.window}]) > {t.records}"


EXPRESSIONS: dict[str, Expression] = {
    "AnswerRatioFalls": answer_ratio_falls,
    "CapacityLimitReached": capacity_limit_reached,
    "BalanceGone": balance_gone,
    "MediaTimeoutsRise": media_timeouts_rise,
    "OneTrunkFailsAlone": one_trunk_fails_alone,
    "NoCalls": no_calls,
    "SipsenseDeadLetters": _increase("sipsense_dead_letter_records_total"),
    "SipsenseUndelivered": _increase("sipsense_undelivered_records_total"),
    "SipsenseReloadFailed": lambda _, t: "sipsense_last_reload_successful == 0",
    "SipsenseRetries": lambda _, t: f"rate(sipsense_retries_total[{t.window}]) > {t.retries}",
    "SipsenseStands": lambda _, t: (
        f"sipsense_queue_records > 0\nand increase(sipsense_delivered_records_total[{t.window}]) == 0"
    ),
}


def rules(language: Language) -> dict[str, Any]:
    """Return the rule groups of one language."""
    groups: dict[str, list[dict[str, Any]]] = {"sipsense-calls": [], "sipsense": []}
    for entry in WATCH["alert"]:
        if language.name in entry.get("languages", ("logql", "promql")):
            own = entry["name"].startswith("Sipsense")
            groups["sipsense" if own else "sipsense-calls"].append(_rule(language, entry))
    return {"groups": [{"name": name, "rules": found} for name, found in groups.items() if found]}


def _rule(language: Language, entry: dict[str, Any]) -> dict[str, Any]:
    description = entry["description"]
    for name, value in entry.items():
        shown = f"{value:.0%}" if isinstance(value, float) else str(value)
        description = description.replace(f"{{{name}}}", shown)
    return {
        "alert": entry["name"],
        "expr": EXPRESSIONS[entry["name"]](language, SimpleNamespace(**entry)),
        "for": entry["for"],
        "labels": {"severity": entry["severity"]},
        "annotations": {
            "summary": entry["summary"],
            "description": description,
            "runbook": runbook(entry["runbook"], entry.get("topic", "")),
        },
    }


# Lines that sipsense sent, whatever other streams Loki has.
LOKI = LogQL('{service_name="sipsense"}')
PROMETHEUS = PromQL()


def files() -> Iterator[tuple[str, str]]:
    """Give name and text of the two files."""
    for name, language in (("alerts-loki.yaml", LOKI), ("alerts-prometheus.yaml", PROMETHEUS)):
        yield name, HEAD.format(title=TITLES[language.name]) + _yaml(rules(language))


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
