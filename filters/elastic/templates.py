"""The documents that make an index of calls in Elasticsearch or OpenSearch: templates and retention.

They are made from the keys that a record gains and from the profiles; `sipsense setup` installs them.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from enricher.errors import SettingsError
from filters import __version__
from filters.elastic.mapping import (
    FIELD_LIMIT,
    Fields,
    Shape,
    as_properties,
    dynamic_templates,
    merged,
    own_fields,
    vendor_fields,
)

Product: TypeAlias = Literal["elasticsearch", "opensearch"]
Kind: TypeAlias = Literal["policy", "pipeline", "component", "index"]
Body: TypeAlias = dict[str, Any]

NAMES: Mapping[Product, str] = {"elasticsearch": "Elasticsearch", "opensearch": "OpenSearch"}
# The oldest version that knows all that is asked of it: ILM with _meta and size of a shard; match_only_text.
OLDEST: Mapping[Product, tuple[int, int]] = {"elasticsearch": (8, 0), "opensearch": (2, 12)}
# Above the template for logs-*-* that comes with Elasticsearch, which has 100.
PRIORITY = 200
DATASET = "sip.calls"
MANAGER = "sipsense"

# https://www.elastic.co/docs/reference/elasticsearch/index-settings/mapping-limit, elasticsearch pull 96235
_IGNORES_BEYOND_LIMIT = (8, 13)
# Since then data streams named logs-*-* may get another index mode, which writes _source anew.
_LOGSDB = (8, 15)
_CONSTANT_KEYWORD = (2, 14)
_DATASET = re.compile(r"[a-z0-9][a-z0-9._]{0,99}")
_MARK = re.compile(r"\(sipsense ([0-9A-Za-z.]+), ([0-9a-f]{16})\)$")


class Engine(msgspec.Struct, frozen=True):
    """Which server is spoken to."""

    product: Product
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"{NAMES[self.product]} {'.'.join(map(str, self.version))}"


# For documents that are printed, not installed.
NEWEST: Mapping[Product, Engine] = {
    "elasticsearch": Engine("elasticsearch", (9, 0)),
    "opensearch": Engine("opensearch", (3, 0)),
}


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted.

    Args:
        dataset: the data streams are `logs-DATASET-*`.
        retention: after so many days calls are deleted; None for never.
        policy: the server rolls indices over and deletes them; else somebody else does.
        pipeline: the ingest pipeline that records go through, if there is one.
        components: names of component templates of the user's own, which have the last word.
    """

    shape: Shape
    dataset: str = DATASET
    retention: int | None = 90
    policy: bool = True
    pipeline: Body | None = None
    components: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the name of what is made."""
        return f"logs-{self.dataset}"

    @property
    def pattern(self) -> str:
        """Return the pattern of the data streams."""
        return f"logs-{self.dataset}-*"


class Mark(msgspec.Struct, frozen=True):
    """What a document of ours says of itself.

    Args:
        version: of sipsense, when it made the document.
        digest: of the rest of the document.
    """

    version: str
    digest: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One document and where it belongs."""

    kind: Kind
    title: str
    name: str
    path: str
    body: Body

    @property
    def mark(self) -> Mark:
        """Return its mark."""
        mark = read_mark(self.kind, self.body)
        assert mark
        return mark


def check(engine: Engine, layout: Layout) -> list[str]:
    """Return what cannot be had."""
    problems = []
    if engine.version < OLDEST[engine.product]:
        oldest = ".".join(map(str, OLDEST[engine.product]))
        problems.append(f"expected {NAMES[engine.product]} {oldest} or newer, got {engine}")
    elif _free_names(engine, layout) and engine.version < _IGNORES_BEYOND_LIMIT:
        problems.append(f"--record: expected {NAMES[engine.product]} 8.13 or newer for dynamic, got {engine}")
    if not _DATASET.fullmatch(layout.dataset):
        problems.append(f"--dataset: expected small letters, digits, dots and underscores, got {layout.dataset!r}")
    return problems


def documents(engine: Engine, layout: Layout) -> list[Document]:
    """Return the documents in the order in which they can be installed.

    Raises:
        SettingsError: the engine does not know something that they need.
    """
    problems = check(engine, layout)
    if problems:
        raise SettingsError(problems)
    settings, mappings = _settings(engine, layout), _mappings(engine, layout)
    # An index keeps this, so that it can be told whether it is of the newest form.
    mappings["_meta"] = {"managed_by": MANAGER, "digest": digest({"settings": settings, "mappings": mappings})}
    index: Body = {
        "index_patterns": [layout.pattern],
        "data_stream": {},
        "priority": PRIORITY,
        "composed_of": [f"{layout.name}@settings", f"{layout.name}@mappings", *layout.components],
    }
    made = []
    if layout.policy:
        made.append(_policy(engine, layout))
    if layout.pipeline is not None:
        made.append(_document("pipeline", "ingest pipeline", layout.name, "/_ingest/pipeline", layout.pipeline))
    for part, template in {"settings": settings, "mappings": mappings}.items():
        body, name = {"template": {part: template}}, f"{layout.name}@{part}"
        made.append(_document("component", "component template", name, "/_component_template", body))
    made.append(_document("index", "index template", layout.name, "/_index_template", index))
    return made


def fields(engine: Engine, shape: Shape) -> Fields:
    """Return the type of every field that the templates fix, by its path."""
    own = own_fields(shape) | _data_stream(engine, DATASET)
    return merged(own, vendor_fields(shape, "flattened" if engine.product == "elasticsearch" else "flat_object"))


def _free_names(engine: Engine, layout: Layout) -> bool:
    """Tell whether a path may be an object in one record and a value in another: only dynamic fields can do that."""
    return engine.product == "elasticsearch" and layout.shape.record == "dynamic"


def _settings(engine: Engine, layout: Layout) -> Body:
    elasticsearch = engine.product == "elasticsearch"
    settings: Body = {"index.codec": "best_compression", "index.mapping.total_fields.limit": FIELD_LIMIT}
    if _free_names(engine, layout):
        settings["index.mapping.total_fields.ignore_dynamic_beyond_limit"] = True
    if elasticsearch and engine.version >= _LOGSDB:
        settings["index.mode"] = "standard"
    if elasticsearch and layout.policy:
        settings["index.lifecycle.name"] = layout.name
    if layout.pipeline is not None:
        settings["index.default_pipeline"] = layout.name
    return settings


def _mappings(engine: Engine, layout: Layout) -> Body:
    shape = layout.shape
    found = fields(engine, shape) | _data_stream(engine, layout.dataset)
    mappings: Body = {
        "dynamic": shape.record == "dynamic",
        "date_detection": False,
        "numeric_detection": False,
        "properties": as_properties(found, dotted=_free_names(engine, layout)),
    }
    if shape.record == "dynamic":
        mappings["dynamic_templates"] = dynamic_templates()
    if _free_names(engine, layout):
        mappings["subobjects"] = False
    return mappings


def _data_stream(engine: Engine, dataset: str) -> Fields:
    """Return the fields of ECS that name the data stream: the same in all documents, which need not hold them."""
    known = {"type": "logs", "dataset": dataset}
    if engine.product == "opensearch" and engine.version < _CONSTANT_KEYWORD:
        return {f"data_stream.{key}": {"type": "keyword"} for key in (*known, "namespace")}
    constant = {f"data_stream.{key}": {"type": "constant_keyword", "value": value} for key, value in known.items()}
    # Elasticsearch takes it from the first document; OpenSearch wants to be told.
    namespace = "constant_keyword" if engine.product == "elasticsearch" else "keyword"
    return constant | {"data_stream.namespace": {"type": namespace}}


def _policy(engine: Engine, layout: Layout) -> Document:
    """Return the policy: a new index every tenth of the retention; one goes when the last call in it is due."""
    days = layout.retention
    age, size = f"{max(1, min(30, (days or 300) // 10))}d", "50gb"
    if engine.product == "elasticsearch":
        roll = {"rollover": {"max_age": age, "max_primary_shard_size": size}}
        phases: Body = {"hot": {"min_age": "0ms", "actions": roll}}
        if days:
            phases["delete"] = {"min_age": f"{days}d", "actions": {"delete": {}}}
        return _document("policy", "ILM policy", layout.name, "/_ilm/policy", {"policy": {"phases": phases}})
    roll = {"rollover": {"min_index_age": age, "min_primary_shard_size": size}}
    hot: Body = {"name": "hot", "actions": [roll], "transitions": []}
    states = [hot]
    if days:
        hot["transitions"] = [{"state_name": "delete", "conditions": {"min_rollover_age": f"{days}d"}}]
        states.append({"name": "delete", "actions": [{"delete": {}}], "transitions": []})
    policy = {
        "description": f"Rolls over {layout.pattern}" + (f", deletes calls after {days} days." if days else "."),
        "default_state": "hot",
        "states": states,
        "ism_template": [{"index_patterns": [layout.pattern], "priority": PRIORITY}],
    }
    return _document("policy", "ISM policy", layout.name, "/_plugins/_ism/policies", {"policy": policy})


def _document(kind: Kind, title: str, name: str, where: str, body: Body) -> Document:
    plain = msgspec.json.decode(msgspec.json.encode(_marked(kind, body)))  # as a server gives it back
    return Document(kind=kind, title=title, name=name, path=f"{where}/{name}", body=plain)


def _marked(kind: Kind, body: Body) -> Body:
    """Return the body with our mark: in `_meta`, or in the description where there is no such thing."""
    print_ = digest(body)
    owner = body["policy"] if kind == "policy" else body
    if kind == "pipeline" or "description" in owner:
        text = f"{owner.get('description') or 'Enrichment of calls.'} ({MANAGER} {__version__}, {print_})"
        marked = owner | {"description": text}
    else:
        marked = owner | {"_meta": {"managed_by": MANAGER, "version": __version__, "digest": print_}}
    return {"policy": marked} if kind == "policy" else marked


def read_mark(kind: Kind, body: Mapping[str, Any]) -> Mark | None:
    """Return the mark in a document, None if it is not ours."""
    owner = body.get("policy", {}) if kind == "policy" else body
    meta = owner.get("_meta")
    if isinstance(meta, dict) and meta.get("managed_by") == MANAGER:
        return Mark(str(meta.get("version")), str(meta.get("digest")))
    found = _MARK.search(str(owner.get("description") or ""))
    return Mark(found[1], found[2]) if found else None


def digest(value: Any) -> str:
    """Return a short print of a document, whatever the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]
