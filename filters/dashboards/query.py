"""The query behind each panel, as body of a `_search`, and how its answer is read.

It asks for what the products ask for: sets are filters, and what is derived is a runtime field.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from filters.dashboards.conditions import query
from filters.dashboards.derived import Script
from filters.dashboards.description import TIME, Dashboard, Panel

MISSING = "(missing value)"  # as Kibana writes it
SPLITS = 14  # as many as there are outcomes
INNER = 5  # values of an inner column, such as owners of the same reason


class Span(NamedTuple):
    """The time range that a dashboard shows.

    Args:
        since, until: as the server takes them: `2026-02-01T00:00:00Z`, `now-24h`.
        interval: width of a bar, such as `30m`.
    """

    since: str
    until: str
    interval: str = "30m"


class Line(NamedTuple):
    """One line of an answer: a bar, a part of it, a row of a table, or a number.

    Args:
        keys: the values that it stands for: of time or `by`, then of `split`.
        values: by name of a measure; None for a ratio of nothing.
    """

    keys: tuple[Any, ...]
    values: dict[str, float | None]


def search(dashboard: Dashboard, panel: Panel, lookups: Mapping[str, Script], span: Span) -> dict[str, Any]:
    """Return the query of a panel.

    Args:
        dashboard: holds the panel.
        panel: any but one of text.
        lookups: the scripts of the derived fields by path.
        span: the time range.
    """
    within = {"range": {TIME: {"gte": span.since, "lt": span.until}}}
    body: dict[str, Any] = {"query": {"bool": {"filter": [within, query(dashboard, dashboard.looked_at(panel))]}}}
    used = {dashboard.fields[name].path for name in (*panel.by, panel.split) if name}
    if derived := {path: script for path, script in lookups.items() if path in used}:
        body["runtime_mappings"] = {
            path: {"type": script.kind, "script": {"source": script.emitting}} for path, script in derived.items()
        }
    if panel.kind == "records":
        fields = [{"field": TIME}, *({"field": dashboard.fields[name].path} for name in panel.by)]
        return body | {"size": panel.rows, "sort": [{TIME: "desc"}], "fields": fields, "_source": False}
    aggs = _aggregations(dashboard, panel, span)
    return body | {"size": 0, "track_total_hits": True} | ({"aggs": aggs} if aggs else {})


def _aggregations(dashboard: Dashboard, panel: Panel, span: Span) -> dict[str, Any]:
    counted = _counted(dashboard, panel)
    aggs = {panel.split: _terms(dashboard, panel, panel.split)} if panel.split else counted
    if panel.kind == "time":
        histogram = {"field": TIME, "fixed_interval": span.interval, "min_doc_count": 0}
        return {"time": _nested({"date_histogram": histogram}, aggs | counted)}
    for name in reversed(panel.by):
        terms = _terms(dashboard, panel, name)
        if name == panel.by[0] and _ordered(dashboard, panel):
            terms["terms"]["order"] = {dashboard.measures[panel.measures[0]].count: "desc"}
        aggs = {name: _nested(terms, aggs)}
    return aggs


def _nested(outer: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
    return outer | {"aggs": inner} if inner else outer


def lines(dashboard: Dashboard, panel: Panel, answer: Mapping[str, Any]) -> list[Line]:
    """Return what the answer to a panel's query says, in its order; bars without a part are left out."""
    if panel.kind == "records":
        paths = [TIME, *(dashboard.fields[name].path for name in panel.by)]
        found = [hit["fields"] for hit in answer["hits"]["hits"]]
        return [Line(tuple(hit.get(path, [None])[0] for path in paths), {}) for hit in found]
    bucket = {"doc_count": answer["hits"]["total"]["value"]} | dict(answer.get("aggregations", {}))
    names = ["time"] if panel.kind == "time" else list(panel.by)
    return list(_lines(dashboard, panel, bucket, [*names, *([panel.split] if panel.split else [])], ()))


def _lines(
    dashboard: Dashboard, panel: Panel, bucket: Mapping[str, Any], names: list[str], keys: tuple[Any, ...]
) -> Iterator[Line]:
    if not names:
        yield Line(keys, {name: _value(dashboard, panel, bucket, name) for name in panel.measures})
        return
    for part in bucket[names[0]]["buckets"]:
        yield from _lines(dashboard, panel, part, names[1:], (*keys, part["key"]))


def _value(dashboard: Dashboard, panel: Panel, bucket: Mapping[str, Any], measure: str) -> float | None:
    counts = [
        bucket["doc_count"] if name == dashboard.looked_at(panel) else bucket[name]["doc_count"]
        for name in dashboard.measures[measure].sets
    ]
    if len(counts) == 1:
        return int(counts[0])
    return counts[0] / counts[1] if counts[1] else None


def _counted(dashboard: Dashboard, panel: Panel) -> dict[str, Any]:
    """Return a filter for each set that a panel counts, but for the one that its query has already."""
    names = [name for measure in panel.measures for name in dashboard.measures[measure].sets]
    return {name: {"filter": query(dashboard, name)} for name in names if name != dashboard.looked_at(panel)}


def _ordered(dashboard: Dashboard, panel: Panel) -> bool:
    """Return whether rows are ordered by another count than that of all that is looked at."""
    return dashboard.measures[panel.measures[0]].count != dashboard.looked_at(panel)


def size(panel: Panel, name: str) -> int:
    """Return how many values of a field a panel shows."""
    if name == panel.split:
        return SPLITS
    return panel.rows if name == panel.by[0] else INNER


def _terms(dashboard: Dashboard, panel: Panel, name: str) -> dict[str, Any]:
    missing = {"missing": MISSING} if dashboard.whole(panel, name) else {}
    return {"terms": {"field": dashboard.fields[name].path, "size": size(panel, name)} | missing}
