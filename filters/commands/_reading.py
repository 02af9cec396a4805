"""How a record was read: by which profile, from which paths."""

import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from enricher.enrich import Enricher
from enricher.json_record import JsonRecord
from enricher.lookup import Call
from enricher.profiles import MISSING, Found, Get, Profile, Reader, parse_parts, parse_path
from enricher.text import read_code

_LONGEST_VALUE = 80
_CANDIDATES = 5
_DEEPEST = 8
_TELLING = re.compile("sip|code|status|cause|response|reply", re.IGNORECASE)


class Field(NamedTuple):
    """One of the three fields.

    Args:
        path: where it was read, or where something stands that could not be read; "" where there is nothing.
        value: what stands there.
        meaning: what it was read as, None if it could not be.
    """

    path: str
    value: Any
    meaning: int | str | None


class Connected(NamedTuple):
    """The connect evidence, and whether it makes a difference."""

    path: str
    value: Any
    verdict: bool
    counts: bool


class Reading(NamedTuple):
    """What was read from a record."""

    profile: Profile
    code: Field
    reason: Field
    initiator: Field
    connected: Connected | None
    other_method: str
    call: Call


def read(enricher: Enricher, record: JsonRecord) -> Reading | None:
    """Return what a profile reads from the record, None for a stranger."""
    found, added = enricher.explain(record.get, record.keys, record.get)
    if found is None or added.explanation is None:
        return None
    profile = found.profile
    evidence = _connected(profile, record.get, added.explanation.evidence)
    calls = profile.calls.path if profile.calls and not found.call else ""
    return Reading(
        profile=profile,
        code=_field(record.get, found.code_path, found.code),
        reason=_field(record.get, found.reason_path, found.reason),
        initiator=_initiator(record.get, found),
        connected=evidence,
        other_method=f"{calls} is {_shown(record.get(parse_path(calls)))}" if calls else "",
        call=Call(
            code=found.code,
            reason=found.reason,
            initiator=found.initiator,
            connected=evidence.verdict if evidence and evidence.counts else None,
            system=profile.system,
            final=found.call,
        ),
    )


def _field(get: Get, path: str | None, meaning: int | str | None) -> Field:
    return Field(path, _value(get, path), meaning) if path else Field("", None, None)


def _initiator(get: Get, found: Found) -> Field:
    """Return the initiator, or the first value at its paths that is none of the profile's words."""
    if found.initiator_path:
        return _field(get, found.initiator_path, found.initiator)
    present = (path for path in found.profile.initiator if _value(get, path) not in (MISSING, None, ""))
    return _field(get, next(present, None), None)


def _value(get: Get, path: str) -> Any:
    values = [get(part) for part in parse_parts(path, "+")]
    if len(values) == 1:
        return values[0]
    return " ".join(values) if all(isinstance(value, str) for value in values) else MISSING


def _connected(profile: Profile, get: Get, counts: bool) -> Connected | None:
    """Return the first evidence that says yes or no."""
    for evidence in profile.connected:
        verdict = Reader(msgspec.structs.replace(profile, connected=(evidence,))).connected(get)
        if verdict is not None:
            return Connected(evidence.path, get(parse_path(evidence.path)), verdict, counts)
    return None


def sentences(reading: Reading) -> list[tuple[str, str]]:
    """Return what was read, each with its label."""
    pairs = [
        ("Code", _read_as(reading.code, "holds no SIP code")),
        ("Reason text", _read_as(reading.reason, "")),
        ("Initiator", _read_as(reading.initiator, "is none of the profile's words")),
    ]
    evidence = reading.connected
    if evidence:
        verdict = "yes" if evidence.verdict else "no"
        idle = "" if evidence.counts else "; it makes no difference to this meaning"
        pairs.append(("Connected", f"{verdict} from {evidence.path} = {_shown(evidence.value)}{idle}"))
    if reading.other_method:
        pairs.append(("No outcome", f"{reading.other_method}, so the record does not tell how a call ended"))
    return pairs


def _read_as(field: Field, problem: str) -> str:
    if not field.path:
        return "none"
    place = f"{field.path} = {_shown(field.value)}"
    if field.meaning is None:
        return f"none: {place} {problem}"
    if field.meaning == field.value:
        return f"{_shown(field.value)} from {field.path}"
    return f"{field.meaning} from {place}"


def as_json(reading: Reading) -> dict[str, Any]:
    """Return what was read for machines; what is not there is null."""
    fields = {"code": reading.code, "reason": reading.reason, "initiator": reading.initiator}
    evidence = reading.connected
    return {
        "profile": reading.profile.name,
        **{name: field._asdict() if field.path else None for name, field in fields.items()},
        "connected": evidence._asdict() if evidence else None,
        "call": reading.call.final,
    }


def code_paths(enricher: Enricher) -> list[str]:
    """Return where a code would be found: the plain names if they are used, else what the profiles say."""
    profiles = [reader.profile for reader in enricher.profiles.readers]
    plain = [profile for profile in profiles if profile.name == "generic"]
    return list(dict.fromkeys(path for profile in plain or profiles for path in profile.code))


def code_like(record: JsonRecord) -> list[tuple[str, str]]:
    """Return the paths whose values could be SIP codes, with their values."""
    try:
        values = msgspec.json.decode(record.data)
    except (msgspec.DecodeError, RecursionError):
        return []
    found = [(path, value) for path, value in _leaves(values, ()) if read_code(value)[0]]
    found.sort(key=lambda candidate: not _TELLING.search(candidate[0][-1]))
    return [(_spelled(path), _shown(value)) for path, value in found[:_CANDIDATES]]


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(value, dict):
        yield path, value
    elif len(path) < _DEEPEST:
        for key, below in value.items():
            yield from _leaves(below, (*path, key))


def _spelled(path: tuple[str, ...]) -> str:
    """Return the path as it is written in a shell behind an option."""
    return shlex.quote(".".join(re.sub(r"[\\.+]", r"\\\g<0>", key) for key in path))


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
