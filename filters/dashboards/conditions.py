"""Which calls a set holds: as KQL for the products, as query for the server, and as Painless for its scripts."""

from collections.abc import Sequence
from typing import Any

from filters.dashboards.description import Clause, Dashboard


def kql(dashboard: Dashboard, name: str) -> str:
    """Return a set as KQL; OpenSearch Dashboards has the same under the name DQL."""
    return " OR ".join(_kql(clause, dashboard) for clause in dashboard.sets[name].any)


def _kql(clause: Clause, dashboard: Dashboard) -> str:
    outcome, initiator = dashboard.fields["outcome"].path, dashboard.fields["initiator"].path
    parts = [_kql_any(outcome, clause.outcome)]
    if clause.initiator:
        parts.append(_kql_any(initiator, clause.initiator))
    if clause.not_initiator:
        parts.append(f"NOT {_kql_any(initiator, clause.not_initiator)}")
    return f"({' AND '.join(parts)})" if len(parts) > 1 else parts[0]


def _kql_any(path: str, values: Sequence[str]) -> str:
    quoted = [f'"{value}"' for value in values]
    return f"{path}:({' OR '.join(quoted)})" if len(quoted) > 1 else f"{path}:{quoted[0]}"


def query(dashboard: Dashboard, name: str) -> dict[str, Any]:
    """Return a set as a query of the server."""
    return {"bool": {"should": [_query(clause, dashboard) for clause in dashboard.sets[name].any]}}


def _query(clause: Clause, dashboard: Dashboard) -> dict[str, Any]:
    outcome, initiator = dashboard.fields["outcome"].path, dashboard.fields["initiator"].path
    must = [{"terms": {outcome: list(clause.outcome)}}]
    if clause.initiator:
        must.append({"terms": {initiator: list(clause.initiator)}})
    bool_: dict[str, Any] = {"filter": must}
    if clause.not_initiator:
        bool_["must_not"] = [{"terms": {initiator: list(clause.not_initiator)}}]
    return {"bool": bool_}


def painless(dashboard: Dashboard, name: str) -> str:
    """Return a set as a Painless condition on the variables `outcome` and `initiator`."""
    return " || ".join(_painless(clause) for clause in dashboard.sets[name].any)


def _painless(clause: Clause) -> str:
    parts = [_painless_any("outcome", clause.outcome)]
    if clause.initiator:
        parts.append(_painless_any("initiator", clause.initiator))
    if clause.not_initiator:
        parts.append(f"!{_painless_any('initiator', clause.not_initiator)}")
    return f"({' && '.join(parts)})"


def _painless_any(variable: str, values: Sequence[str]) -> str:
    return "(" + " || ".join(f"{variable} == '{value}'" for value in values) + ")"
