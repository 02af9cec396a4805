"""The mapping of an index of calls: which fields it has, what it accepts, and that it cannot grow without end."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from servers.opensearch import OpenSearch

from enricher import Enricher
from enricher.ecs import FIELDS as ECS_FIELDS
from enricher.errors import SettingsError
from enricher.lookup import FIELDS
from enricher.profiles import builtin_profiles
from filters.elastic.mapping import FIELD_LIMIT, RECORDS, Record, Shape, own_fields, vendor_fields
from filters.elastic.templates import Engine, Layout, documents, fields, read_mark

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*/*.expected.jsonl"))
OPENSEARCH = Engine("opensearch", (2, 19))
ELASTICSEARCH = Engine("elasticsearch", (9, 1))
PROFILES = builtin_profiles()

# What an engine makes of each field of `sip`, in the words of its mapping.
SIP_TYPES = {
    "code": "keyword",
    "code.number": "short",
    "category": "keyword",
    "category_description": "keyword",
    "reason": "keyword",
    "description": "keyword",
    "description.text": "match_only_text",
    "initiator": "keyword",
    "initiator_description": "keyword",
    "initiator_inferred": "boolean",
    "outcome": "keyword",
    "match": "keyword",
}
# Records that are hard to take, and the settings of --record with which OpenSearch refuses them.
ALL, NONE = frozenset(RECORDS), frozenset[str]()
KNOWING = frozenset({"known", "flattened"})
NASTY: dict[str, tuple[str, frozenset[str]]] = {
    "an array where the profile has a value": ('{"did_number":["1",2,null,true]}', NONE),
    "arrays in arrays": ('{"did_number":[["1"],[2,["3"]]]}', NONE),
    "an array of objects": ('{"attributes":[{"did_number":"1"},{"did_number":2}]}', NONE),
    "an object where the profile has a value": ('{"did_number":{"a":1}}', KNOWING | {"dynamic"}),
    "a value where the profile has an object": ('{"attributes":"x"}', KNOWING | {"dynamic"}),
    "an object in another object's leaf": ('{"attributes":{"did_number":{"a":1}}}', frozenset({"known", "dynamic"})),
    "null where the profile has an object": ('{"attributes":null}', NONE),
    "an empty object where the profile has an object": ('{"attributes":{}}', NONE),
    "40 000 bytes": (json.dumps({"did_number": "x" * 40_000, "z": "y" * 40_000}), NONE),
    "40 000 bytes in an object": (json.dumps({"attributes": {"did_number": "x" * 40_000}}), frozenset({"flattened"})),
    "a key of 33 000 bytes": (json.dumps({"z": {"k" * 33_000: 1}}), frozenset({"dynamic"})),
    "5 000 keys": (json.dumps({f"k{n}": n for n in range(5_000)}), frozenset({"dynamic"})),
    "5 000 keys in an object": (json.dumps({"attributes": {f"k{n}": n for n in range(5_000)}}), frozenset({"dynamic"})),
    "300 objects in each other": ('{"z":' + '{"a":' * 300 + "1" + "}" * 300 + "}", frozenset({"dynamic"})),
    "an empty key in an object": ('{"z":{"":{"":1}}}', frozenset({"dynamic"})),
    "an empty key": ('{"":1}', ALL),
    "dots in a key": ('{"attributes.did_number":"1","x.y":2}', frozenset({"flattened"})),
    "a key that begins with a dot": ('{".x":1}', ALL),
    "a key that begins with a dot, in an object": ('{"z":{".x":1}}', frozenset({"dynamic"})),
    "the same key twice": ('{"z":1,"z":2}', ALL),
    "numbers beyond a double": ('{"did_number":1e400,"z":123456789012345678901234567890}', NONE),
    "a number, a text and a boolean for one key": ('{"duration":5,"z1":1}', NONE),
    "the same key as text": ('{"duration":"abc","z1":"x"}', NONE),
    "the same key as boolean": ('{"duration":true,"z1":false}', NONE),
    "what looks like a date": ('{"z2":"2026-02-01"}', NONE),
    "the same key without a date": ('{"z2":"never"}', NONE),
    "sip that is no object": ('{"sip":"text"}', ALL),
    "sip.code that is no number": ('{"sip":{"code":"none"}}', NONE),
    "other keys in sip": ('{"sip":{"code":486,"uri":{"full":"sip:1@192.0.2.1"},"anything":[1]}}', NONE),
    "a duration that is none": ('{"event":{"duration":"5s","start":"soon","end":17}}', NONE),
    "a line that was wrapped": (
        json.dumps({"event": {"kind": "pipeline_error", "original": "x" * 1_000_000}, "error": {"message": "bad"}}),
        NONE,
    ),
}


def layout(dataset: str = "sip.calls", **shape: Any) -> Layout:
    """Return a layout without a policy, which the server of these tests does not know."""
    return Layout(shape=Shape(profiles=PROFILES, **shape), dataset=dataset, policy=False)


@pytest.fixture
def install(opensearch: OpenSearch, unique: Callable[[str], str]) -> Callable[..., str]:
    """Install templates, and return the name of a data stream that they are for."""

    def installed(**shape: Any) -> str:
        dataset = unique("sip").replace("-", ".")
        opensearch.request("DELETE", f"/_data_stream/logs-{dataset}-*")
        for document in documents(OPENSEARCH, layout(dataset, **shape)):
            opensearch.ask("PUT", document.path, document.body)
        return f"logs-{dataset}-default"

    return installed


def index(opensearch: OpenSearch, stream: str, records: Sequence[bytes]) -> list[str]:
    """Index records, and return for each why it was refused, "" if it was not."""
    lines = b"".join(b'{"create":{}}\n' + _stamped(record) + b"\n" for record in records)
    said = opensearch.ask("POST", f"/{stream}/_bulk?refresh=true", lines)
    return [item["create"].get("error", {}).get("reason", "") for item in said["items"]]


def _stamped(record: bytes) -> bytes:
    """Return the record with a time, as the sink gives one to records without."""
    record = record.strip()
    if b'"@timestamp"' in record:
        return record
    return b'{"@timestamp":"2026-02-01T10:00:00.123456Z"' + (b"," if record != b"{}" else b"") + record[1:]


def mapped(opensearch: OpenSearch, stream: str) -> dict[str, str]:
    """Return the type of every field of the newest index, by its path."""
    said = opensearch.ask("GET", f"/{stream}/_mapping")
    return dict(_types(said[max(said)]["mappings"]["properties"], ""))


def _types(properties: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        if "type" in field:
            yield prefix + name, field["type"]
        yield from _types(field.get("properties", {}) | field.get("fields", {}), f"{prefix}{name}.")


def hits(opensearch: OpenSearch, stream: str, query: Any) -> int:
    """Return how many records a query finds."""
    count: int = opensearch.ask("POST", f"/{stream}/_count", {"query": query})["count"]
    return count


def test_sip_fields(opensearch: OpenSearch, install: Callable[..., str]) -> None:
    """Every key that a record gains has the type that was promised, and no other is there."""
    stream = install(record="off")
    assert index(opensearch, stream, [b'{"sip":{"code":486}}']) == [""]
    found = mapped(opensearch, stream)
    assert {path: kind for path, kind in found.items() if path.startswith("sip.")} == {
        f"sip.{key}": kind for key, kind in SIP_TYPES.items()
    }
    assert {key.partition(".")[0] for key in SIP_TYPES} == set(FIELDS)
    assert found["@timestamp"] == "date"


def test_flat_and_target(opensearch: OpenSearch, install: Callable[..., str]) -> None:
    """With --flat the fields are sip_code, ...; with --target they are in another object."""
    stream = install(flat=True)
    assert index(opensearch, stream, [b'{"sip_code":486}']) == [""]
    found = mapped(opensearch, stream)
    assert found.items() >= {f"sip_{key}": kind for key, kind in SIP_TYPES.items()}.items()
    assert "sip.code.number" not in found
    stream = install(target="meaning")
    assert index(opensearch, stream, [b'{"meaning":{"code":486}}']) == [""]
    assert mapped(opensearch, stream).items() >= {f"meaning.{key}": kind for key, kind in SIP_TYPES.items()}.items()


def test_ecs_fields(opensearch: OpenSearch, install: Callable[..., str]) -> None:
    """With --ecs each field that it adds is there: times are dates, the duration a number, all else keywords."""
    stream = install(ecs=True)
    example = next(profile for profile in PROFILES if profile.name == "didww-inbound").example[0]
    assert index(opensearch, stream, [Enricher(ecs=True).enrich_json(example.encode())]) == [""]
    found = mapped(opensearch, stream)
    special = {"event.start": "date", "event.end": "date", "event.duration": "long"}
    assert {name: found[name] for name in ECS_FIELDS} == {name: special.get(name, "keyword") for name in ECS_FIELDS}
    assert hits(opensearch, stream, {"range": {"event.end": {"gte": "2026-02-01T10:00:00Z"}}}) == 1


def test_searches(opensearch: OpenSearch, install: Callable[..., str]) -> None:
    """Calls are found by code as text and as number, by words of the description, and counted by trunk."""
    stream = install()
    example = next(profile for profile in PROFILES if profile.name == "didww-inbound").example[0]
    assert index(opensearch, stream, [Enricher().enrich_json(example.encode())]) == [""]
    for query in (
        {"term": {"sip.code": "480"}},
        {"range": {"sip.code.number": {"gte": 480, "lt": 481}}},
        {"match": {"sip.description.text": "assigned capacity"}},
        {"match_phrase": {"sip.description.text": "exceeded its assigned"}},
        {"term": {"sip.outcome": "capacity"}},
        {"term": {"data_stream.dataset": stream.split("-")[1]}},
        {"query_string": {"query": '"37250000001"'}},
    ):
        assert hits(opensearch, stream, query) == 1, query
    wanted = {"size": 0, "aggs": {"trunks": {"terms": {"field": "attributes.trunk_destination"}}}}
    said = opensearch.ask("POST", f"/{stream}/_search", wanted)
    assert [bucket["key"] for bucket in said["aggregations"]["trunks"]["buckets"]] == ["sip:100@192.0.2.10"]


def test_nanoseconds(opensearch: OpenSearch, install: Callable[..., str]) -> None:
    """With --nanoseconds two times that differ by one are told apart; a time before 1970 is refused."""
    stream = install(nanoseconds=True)
    records = [b'{"@timestamp":"2026-02-01T10:00:00.000000001Z"}', b'{"@timestamp":"2026-02-01T10:00:00.000000002Z"}']
    assert index(opensearch, stream, records) == ["", ""]
    assert hits(opensearch, stream, {"range": {"@timestamp": {"gt": "2026-02-01T10:00:00.000000001Z"}}}) == 1
    assert index(opensearch, stream, [b'{"@timestamp":"1960-02-01T10:00:00Z"}']) != [""]


@pytest.mark.parametrize("record", sorted(ALL - {"dynamic"}))
def test_all_records_are_taken(opensearch: OpenSearch, install: Callable[..., str], record: Record) -> None:
    """Every example of every profile and every case is taken, whichever came before it."""
    stream = install(record=record)
    enricher = Enricher()
    records = [enricher.enrich_json(example.encode()) for profile in PROFILES for example in profile.example]
    for path in CASES:
        records += [line for line in path.read_bytes().split(b"\n") if line.strip()]
    assert len(records) > 2_000
    assert {reason for reason in index(opensearch, stream, records) if reason} == set()


@pytest.mark.parametrize("record", RECORDS)
def test_nasty_records(opensearch: OpenSearch, install: Callable[..., str], record: Record) -> None:
    """Hard records are taken, but for those that the engine has no way to take; none of them adds fields for ever."""
    stream = install(record=record)
    if record == "dynamic":  # its first record decides what a field is
        first = b'{"did_number":"1","attributes":{"did_number":"1"}}'
        assert index(opensearch, stream, [first]) == [""]
    reasons = index(opensearch, stream, [text.encode() for text, _ in NASTY.values()])
    refused = {name for name, reason in zip(NASTY, reasons, strict=True) if reason}
    assert refused == {name for name, (_, those) in NASTY.items() if record in those}
    found = mapped(opensearch, stream)
    if record == "dynamic":
        assert len(found) <= FIELD_LIMIT
    else:
        assert set(found) == {path for path in found if path in _expected(record)}
        assert len(found) == len(_expected(record))


def _expected(record: Record) -> set[str]:
    """Return the paths that the templates fix, those of further forms of a field with them."""
    fixed = fields(OPENSEARCH, Shape(profiles=PROFILES, record=record))
    return set(fixed) | {f"{path}.{name}" for path, field in fixed.items() for name in field.get("fields", ())}


def test_no_path_is_two_things() -> None:
    """No field is inside another one, on both engines: such a mapping is refused, or refuses one profile's records."""
    for engine in (OPENSEARCH, ELASTICSEARCH):
        for record in RECORDS:
            for flat in (False, True):
                shape = Shape(profiles=PROFILES, record=record, flat=flat, ecs=True)
                paths = sorted(fields(engine, shape))
                assert not [path for path in paths if any(other.startswith(f"{path}.") for other in paths)]
                assert len(paths) < FIELD_LIMIT / 2


def test_off_maps_nothing_of_the_vendor() -> None:
    """With --record off only what is ours is in the mapping."""
    shape = Shape(profiles=PROFILES, record="off")
    assert vendor_fields(shape, "flattened") == {}
    assert {path.partition(".")[0] for path in own_fields(shape)} == {"@timestamp", "sip", "event", "error"}


def test_vendor_fields_follow_the_profiles() -> None:
    """The fields of a profile that is named are those of its paths and examples; nobody else's clash with them."""
    yeti = tuple(profile for profile in PROFILES if profile.name == "yeti")
    found = vendor_fields(Shape(profiles=yeti), "flattened")
    assert {"id", "src_prefix_in", "data.disconnect_code"} <= set(found)
    assert "id" not in vendor_fields(Shape(profiles=PROFILES), "flattened"), "zeek has id.orig_h"


def test_flattened() -> None:
    """Each object of a vendor is one field of the engine's own type for that; a term of it cannot become too long."""
    shape = Shape(profiles=PROFILES, record="flattened")
    whole = fields(ELASTICSEARCH, shape)["attributes"]
    assert whole["type"] == "flattened"
    assert 2 * 4 * whole["ignore_above"] <= 32_768, "key and value, four bytes a character"
    assert fields(OPENSEARCH, shape)["attributes"] == {"type": "flat_object"}


def test_dynamic_on_elasticsearch() -> None:
    """There a path may be object and value, and what is above the limit is ignored instead of refused."""
    made = {document.name: document.body for document in documents(ELASTICSEARCH, layout(record="dynamic"))}
    mappings = made["logs-sip.calls@mappings"]["template"]["mappings"]
    assert (mappings["dynamic"], mappings["subobjects"]) == (True, False)
    assert mappings["properties"]["sip.code"]["fields"]["number"]["type"] == "short"
    kinds = [rule["match_mapping_type"] for entry in mappings["dynamic_templates"] for rule in entry.values()]
    assert kinds == ["string", "long", "double", "boolean"]
    settings = made["logs-sip.calls@settings"]["template"]["settings"]
    assert settings["index.mapping.total_fields.limit"] == FIELD_LIMIT
    assert settings["index.mapping.total_fields.ignore_dynamic_beyond_limit"] is True


def test_elasticsearch_documents() -> None:
    """The index template is above that for logs-*-*, its parts come before it, and calls go after the retention."""
    made = documents(ELASTICSEARCH, Layout(shape=Shape(profiles=PROFILES), retention=30, components=("mine",)))
    assert [document.path for document in made] == [
        "/_ilm/policy/logs-sip.calls",
        "/_component_template/logs-sip.calls@settings",
        "/_component_template/logs-sip.calls@mappings",
        "/_index_template/logs-sip.calls",
    ]
    policy, settings, mappings, template = (document.body for document in made)
    assert policy["policy"]["phases"]["hot"]["actions"]["rollover"]["max_age"] == "3d"
    assert policy["policy"]["phases"]["delete"] == {"min_age": "30d", "actions": {"delete": {}}}
    assert settings["template"]["settings"]["index.lifecycle.name"] == "logs-sip.calls"
    assert settings["template"]["settings"]["index.mode"] == "standard"
    assert template["priority"] > 100
    assert template["index_patterns"] == ["logs-sip.calls-*"]
    assert template["data_stream"] == {}
    assert template["composed_of"] == ["logs-sip.calls@settings", "logs-sip.calls@mappings", "mine"]
    assert mappings["template"]["mappings"]["properties"]["data_stream"]["properties"]["namespace"] == {
        "type": "constant_keyword"
    }
    assert all(read_mark(document.kind, document.body) for document in made)


def test_kept_for_ever() -> None:
    """Without a retention the policy still rolls over, and nothing is deleted."""
    for engine in (ELASTICSEARCH, OPENSEARCH):
        policy = documents(engine, Layout(shape=Shape(), retention=None))[0]
        assert policy.kind == "policy"
        assert "rollover" in json.dumps(policy.body)
        assert "delete" not in json.dumps(policy.body)


@pytest.mark.parametrize(
    ("engine", "record", "problem"),
    [
        (Engine("elasticsearch", (7, 17)), "known", "expected Elasticsearch 8.0 or newer, got Elasticsearch 7.17"),
        (Engine("elasticsearch", (8, 12)), "dynamic", "--record: expected Elasticsearch 8.13 or newer for dynamic"),
        (Engine("opensearch", (2, 11)), "known", "expected OpenSearch 2.12 or newer, got OpenSearch 2.11"),
    ],
)
def test_old_engines(engine: Engine, record: Record, problem: str) -> None:
    """An engine that does not know what is needed is named, before anything is sent to it."""
    with pytest.raises(SettingsError) as caught:
        documents(engine, layout(record=record))
    assert problem in str(caught.value)


def test_settings_by_version() -> None:
    """Settings that an older engine does not know are not sent to it."""
    old = documents(Engine("elasticsearch", (8, 12)), layout())
    assert "index.mode" not in json.dumps([document.body for document in old])
    assert "constant_keyword" not in json.dumps([d.body for d in documents(Engine("opensearch", (2, 12)), layout())])


def test_dataset_is_checked() -> None:
    """A name that no data stream can have is refused."""
    for dataset in ("", "a-b", "Calls", ".calls", "a/b"):
        with pytest.raises(SettingsError):
            documents(OPENSEARCH, layout(dataset))
