"""Which fields an index of calls has, and their types: from the keys that a record gains and from the profiles."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from enricher.ecs import FIELDS as ECS_FIELDS
from enricher.lookup import FIELDS
from enricher.profiles import Path, Profile, paths_of

Record: TypeAlias = Literal["known", "flattened", "dynamic", "off"]
Field: TypeAlias = dict[str, Any]
Fields: TypeAlias = dict[str, Field]

RECORDS: tuple[Record, ...] = ("known", "flattened", "dynamic", "off")
# What may be in the mapping at most, dynamic fields included; both engines have it as their default.
FIELD_LIMIT = 1000

# The longest term of Lucene has 32 766 bytes and a character up to four; what is longer is kept, but not indexed.
KEYWORD: Field = {"type": "keyword", "ignore_above": 1024}
_LEAF_LIMIT = 4096  # beside a key of the same length, four bytes a character
# For what is shown beside a call, and nobody searches.
_SENTENCE: Field = {"type": "keyword", "index": False, "doc_values": False}
_TEXT: Field = {"type": "match_only_text"}
_DATE: Field = {"type": "date", "ignore_malformed": True}
_SIP: Fields = {
    "code": {**KEYWORD, "fields": {"number": {"type": "short", "ignore_malformed": True}}},
    "category_description": _SENTENCE,
    "description": {**KEYWORD, "fields": {"text": _TEXT}},
    "initiator_description": _SENTENCE,
    "initiator_inferred": {"type": "boolean"},
}
_ECS: Fields = {
    "event.duration": {"type": "long", "ignore_malformed": True},
    "event.end": _DATE,
    "event.start": _DATE,
}
# What `--invalid wrap` makes of a line that is no record.
_WRAPPED: Fields = {
    "event.kind": KEYWORD,
    "event.original": _SENTENCE,
    "error.message": _TEXT,
    "error.type": KEYWORD,
}


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What the documents look like.

    Args:
        target: key of the object that records gain.
        flat: they gain `sip_code`, ... at the top level instead.
        ecs: they gain fields of ECS too.
        nanoseconds: `@timestamp` is kept to the nanosecond, and has to lie between 1970 and 2262.
        record: what becomes searchable of the vendor's record.
        profiles: whose records come.
    """

    target: str = "sip"
    flat: bool = False
    ecs: bool = False
    nanoseconds: bool = False
    record: Record = "known"
    profiles: tuple[Profile, ...] = ()


def own_fields(shape: Shape) -> Fields:
    """Return the fields that are there whoever the vendor is, by their path."""
    prefix = "sip_" if shape.flat else f"{shape.target}."
    return {
        "@timestamp": {"type": "date_nanos" if shape.nanoseconds else "date"},
        **{f"{prefix}{key}": _SIP.get(key, KEYWORD) for key in FIELDS},
        **_WRAPPED,
        **({name: _ECS.get(name, KEYWORD) for name in ECS_FIELDS} if shape.ecs else {}),
    }


def vendor_fields(shape: Shape, container: str) -> Fields:
    """Return the fields of the vendor's record, by their path.

    Whatever they hold becomes a keyword, so that a number in one record and a text in another do not clash. A path that
    is an object for one vendor and a value for another is left out: mapped, it would have one of them refused.

    Args:
        container: the type of the engine that takes a whole object: `flattened` or `flat_object`.
    """
    if shape.record == "off":
        return {}
    values, containers, objects = _collect(shape.profiles)
    whole = containers if shape.record == "flattened" else set()
    fields: Fields = {}
    for path in sorted(values - objects):
        if any(path[:length] in values for length in range(1, len(path))) or not all(key.strip() for key in path):
            continue
        if path[0] in whole:
            fields[path[0]] = _whole(container)
        else:
            fields[".".join(path)] = KEYWORD
    return fields


def _whole(container: str) -> Field:
    if container == "flat_object":  # takes no settings
        return {"type": container}
    return {"type": container, "ignore_above": _LEAF_LIMIT, "depth_limit": 1000}


def _collect(profiles: Iterable[Profile]) -> tuple[set[Path], set[str], set[Path]]:
    """Return the paths of values, the top-level keys of whole objects, and the paths of objects.

    An engine takes a dot in a key for a step into an object: `id.orig_h` is such a path, but `id` no key.
    """
    values: set[Path] = set()
    keys: set[str] = set()
    for profile in profiles:
        # A path may lead into JSON text; as others write an object there, neither has a place in the mapping.
        found = set(paths_of(profile))
        keys |= {path[0] for path in found if len(path) > 1}
        for example in profile.example:
            record = msgspec.json.decode(example)
            keys |= {key for key, value in record.items() if isinstance(value, dict)}
            found |= set(_leaves(record, ()))
        values |= {tuple(".".join(path).split(".")) for path in found}
    objects = {path[:length] for path in values for length in range(1, len(path))}
    return values, {key for key in keys if "." not in key and (key,) not in values}, objects


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path


def merged(own: Fields, vendor: Fields) -> Fields:
    """Return both; of the vendor's what has no place beside our own is left out."""
    return own | {
        path: field
        for path, field in vendor.items()
        if path not in own and not any(_nested(path, taken) or _nested(taken, path) for taken in own)
    }


def _nested(inner: str, outer: str) -> bool:
    return inner.startswith(f"{outer}.")


def as_properties(fields: Mapping[str, Field], *, dotted: bool = False) -> Field:
    """Return the fields as a mapping has them: objects in objects, or the dotted paths as they are."""
    if dotted:
        return dict(fields)
    properties: Field = {}
    for path, field in fields.items():
        *parents, name = path.split(".")
        place = properties
        for parent in parents:
            place = place.setdefault(parent, {"properties": {}})["properties"]
        place[name] = field
    return properties


def dynamic_templates() -> Sequence[Field]:
    """Return the rules that make a keyword of every value that comes."""
    return [
        {kind: {"match_mapping_type": kind, "mapping": KEYWORD}} for kind in ("string", "long", "double", "boolean")
    ]
