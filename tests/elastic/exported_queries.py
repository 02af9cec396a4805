"""What the products ask a server, read from the exported files alone.

Lens panels are read as Kibana does, visState as OpenSearch Dashboards does.

A row is the set of its field and value pairs, so that rows of both, and of `filters.dashboards.query`, can be compared.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import kuery

Row = frozenset[tuple[str, Any]]
TIME = "@timestamp"


class Asked(NamedTuple):
    """A query and how its answer is read.

    Args:
        body: of a `_search`.
        buckets: name and field of each bucket aggregation, from the outermost on.
        values: by label, what gives the value: the name of an aggregation, or a function of such names.
    """

    body: dict[str, Any]
    buckets: list[tuple[str, str]]
    values: dict[str, Any]

    def rows(self, answer: Mapping[str, Any]) -> dict[Row, dict[str, float | None]]:
        """Return what an answer says, without rows of nothing."""
        top = {"doc_count": answer["hits"]["total"]["value"]} | answer.get("aggregations", {})
        found = {key: {name: _value(of, bucket) for name, of in self.values.items()} for key, bucket in self._walk(top)}
        return {key: values for key, values in found.items() if any(values.values())}

    def _walk(self, bucket: dict[str, Any], depth: int = 0, key: Row = frozenset()) -> Iterator[tuple[Row, Any]]:
        if depth == len(self.buckets):
            yield key, bucket
            return
        name, field = self.buckets[depth]
        for part in bucket[name]["buckets"]:
            yield from self._walk(part, depth + 1, key | {(field, part["key"])})


def _value(of: Any, bucket: Mapping[str, Any]) -> float | None:
    if isinstance(of, str):
        found = bucket[of] if of else bucket
        return found["value"] if "value" in found else found["doc_count"]
    assert of["name"] == "divide"
    part, whole = (_value(argument, bucket) for argument in of["args"])
    assert part is not None
    return part / whole if whole else None


def objects(exported: bytes) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the objects of a file by type and id."""
    lines = [json.loads(line) for line in exported.splitlines()]
    return {(line["type"], line["id"]): line for line in lines if "type" in line}


# --- Kibana ---------------------------------------------------------------------------------------------------------


def lens_panels(exported: bytes) -> dict[str, dict[str, Any]]:
    """Return the attributes of each Lens panel by the panel's id."""
    (dashboard,) = (one for (kind, _), one in objects(exported).items() if kind == "dashboard")
    panels = json.loads(dashboard["attributes"]["panelsJSON"])
    return {panel["panelIndex"]: panel["embeddableConfig"]["attributes"] for panel in panels if panel["type"] == "lens"}


def lens_asked(exported: bytes, panel: str, span: dict[str, Any], interval: str) -> list[Asked]:
    """Return what a Lens panel asks: one query a layer; runtime fields are written as OpenSearch takes them."""
    state = lens_panels(exported)[panel]["state"]
    (view,) = (one for (kind, _), one in objects(exported).items() if kind == "index-pattern")
    runtime = json.loads(view["attributes"]["runtimeFieldMap"])
    return [
        _lens_layer(layer, runtime, _within(span, state["query"]["query"]), interval)
        for layer in state["datasourceStates"]["formBased"]["layers"].values()
    ]


def _within(span: dict[str, Any], condition: str) -> dict[str, Any]:
    """Return time and KQL as a query."""
    parts = [{"range": {TIME: span}}, *([_kql(condition)] if condition else [])]
    return {"bool": {"filter": parts}}


@cache
def _kql(condition: str) -> dict[str, Any]:
    """Return KQL as a query, as the products' own parser makes it."""
    (query,) = kuery.translate([condition])
    return query


def _lens_layer(layer: dict[str, Any], runtime: dict[str, Any], query: dict[str, Any], interval: str) -> Asked:
    columns = [(name, layer["columns"][name]) for name in layer["columnOrder"]]
    buckets = [(name, column) for name, column in columns if column["isBucketed"]]
    metrics = {name: column for name, column in columns if not column["isBucketed"]}
    counts = {name: one for name, one in metrics.items() if one["operationType"] == "count"}
    aggs: dict[str, Any] = {
        name: {"filter": _kql(one["filter"]["query"])} for name, one in counts.items() if "filter" in one
    }
    counted = dict(aggs)
    for name, column in reversed(buckets):
        inner = aggs | counted
        aggs = {name: _lens_bucket(column, counts, interval) | ({"aggs": inner} if inner else {})}
    used = {column["sourceField"] for _, column in buckets}
    body = {"size": 0, "track_total_hits": True, "query": query, "aggs": aggs}
    body["derived"] = {name: field for name, field in runtime.items() if name in used}
    values = {one["label"]: _lens_value(name, metrics) for name, one in metrics.items() if not _part(name, metrics)}
    return Asked(body, [(name, column["sourceField"]) for name, column in buckets], values)


def _lens_bucket(column: dict[str, Any], counts: dict[str, Any], interval: str) -> dict[str, Any]:
    field, params = column["sourceField"], column["params"]
    if column["operationType"] == "date_histogram":
        return {"date_histogram": {"field": field, "fixed_interval": interval, "min_doc_count": 0}}
    order = params["orderBy"]["columnId"]
    path = order if "filter" in counts[order] else "_count"
    terms = {"field": field, "size": params["size"], "order": {path: params["orderDirection"]}}
    return {"terms": terms | ({"missing": "(missing value)"} if params["missingBucket"] else {})}


def _lens_value(name: str, metrics: dict[str, Any]) -> Any:
    column = metrics[name]
    if column["operationType"] == "count":
        return name if "filter" in column else ""
    (math,) = column["references"]
    return metrics[math]["params"]["tinymathAst"]


def _part(name: str, metrics: dict[str, Any]) -> bool:
    return any(name in column.get("references", ()) for column in metrics.values())


# --- OpenSearch Dashboards --------------------------------------------------------------------------------------------


def vis_asked(exported: bytes, panel: str, span: dict[str, Any], interval: str) -> Asked:
    """Return what a visualization asks."""
    found = objects(exported)
    attributes = found["visualization", f"sipsense-panel-{panel}"]["attributes"]
    (pattern,) = (one for (kind, _), one in found.items() if kind == "index-pattern")
    fields = json.loads(pattern["attributes"]["fields"])
    scripts = {field["name"]: field["script"] for field in fields if field["scripted"]}
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    defined = json.loads(attributes["visState"])["aggs"]
    metrics = [agg for agg in defined if agg["schema"] == "metric"]
    buckets = [agg for agg in defined if agg["schema"] != "metric"]
    aggs = {
        agg["id"]: {agg["type"]: _field(agg["params"]["field"], scripts)} for agg in metrics if agg["type"] != "count"
    }
    counted = dict(aggs)
    for agg in reversed(buckets):
        inner = aggs | counted
        aggs = {agg["id"]: _vis_bucket(agg, metrics, scripts, interval) | ({"aggs": inner} if inner else {})}
    body = {"size": 0, "track_total_hits": True, "query": _within(span, source["query"]["query"]), "aggs": aggs}
    values = {agg["params"]["customLabel"]: "" if agg["type"] == "count" else agg["id"] for agg in metrics}
    return Asked(body, [(agg["id"], agg["params"]["field"]) for agg in buckets], values)


def _vis_bucket(
    agg: dict[str, Any], metrics: list[dict[str, Any]], scripts: dict[str, str], interval: str
) -> dict[str, Any]:
    params = agg["params"]
    if agg["type"] == "date_histogram":
        return {"date_histogram": {"field": params["field"], "fixed_interval": interval, "min_doc_count": 1}}
    (order,) = (metric for metric in metrics if metric["id"] == params["orderBy"])
    path = "_count" if order["type"] == "count" else order["id"]
    terms = _field(params["field"], scripts) | {"size": params["size"], "order": {path: params["order"]}}
    return {"terms": terms | ({"missing": params["missingBucketLabel"]} if params["missingBucket"] else {})}


def _field(name: str, scripts: dict[str, str]) -> dict[str, Any]:
    return {"script": {"source": scripts[name], "lang": "painless"}} if name in scripts else {"field": name}
