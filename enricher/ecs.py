"""What enrichment adds by the Elastic Common Schema (ECS), for whoever searches calls beside other events.

Names and allowed values: elastic.co/docs/reference/ecs. `sip` is no field set of ECS; Packetbeat's use of the `event`
fields for SIP messages is followed, save that `protocol` is a type there and no category.
"""

from collections.abc import Iterable, Mapping, Set
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from enricher.added import Added, Record
from enricher.catalog import Outcome
from enricher.lookup import Explanation
from enricher.profiles import MISSING, Found, Get, Path, Profile, parse_path, paths_of, unescaped
from enricher.times import SECOND, UNITS, read_duration, read_time, time_zone

VERSION = "8.17.0"
DATASET = "sip.calls"

# Each with its value or where that comes from, as docs/ecs.md tells it.
FIELDS = {
    "ecs.version": f"`{VERSION}`",
    "network.protocol": "`sip`",
    "event.kind": "`event`",
    "event.category": '`["network"]`',
    "event.type": '`["connection", "end"]` in the record of a call, `["connection", "protocol"]` in that of a single '
    'INVITE, `["info", "protocol"]` for other requests and interim replies (1xx)',
    "event.dataset": f"`{DATASET}`",
    "event.outcome": "from `sip.outcome`, see below",
    "event.code": "`sip.code`, as text",
    "event.reason": "`sip.reason`",
    "event.start": "when the call began, UTC",
    "event.end": "when it ended, UTC",
    "event.duration": "nanoseconds from start to end, ringing included; or what the record says of that",
}
Types: TypeAlias = tuple[str, ...]
CALL: Types = ("connection", "end")
REQUEST: Types = ("connection", "protocol")
INTERIM: Types = ("info", "protocol")
_PROVISIONAL = "provisional"

Groups: TypeAlias = dict[str, dict[str, bytes]]


class _Meaning(msgspec.Struct, frozen=True, eq=False):
    """The fields that follow from what a record means.

    Args:
        groups: each group's keys and values, as JSON.
        members: each group as JSON, save `event`.
        event: that, without what closes it.
    """

    groups: Groups
    members: dict[str, bytes]
    event: bytes


class Ecs:
    """Finds out what to add to a record, and adds what is not there.

    Args:
        profiles: those that are in use; what one of them reads is never added, lest it were read as the record's own.
        outcomes: the catalog's outcomes by name.
    """

    def __init__(self, profiles: Iterable[Profile], outcomes: Mapping[str, Outcome]) -> None:
        profiles = list(profiles)
        read = {path[:2] for profile in profiles for path in paths_of(profile)}
        names = [tuple(name.split(".")) for name in FIELDS]
        self._names = [(group, key) for group, key in names if (group,) not in read and (group, key) not in read]
        self._occupied = {group for group, _ in names} | set(FIELDS)
        times = {key for group, key in self._names if group == "event"} & {"start", "end", "duration"}
        self._times = {id(profile): _Times(profile, times) for profile in profiles}
        self._outcomes = outcomes
        self._meanings: dict[tuple[Added, Types], _Meaning] = {}

    def extended(self, record: Record, found: Found, added: Added) -> bytes:
        """Return the record with the fields that it has not, be it as an object or with dots in a key."""
        keys = record.keys
        meaning, times = self._found(found, added, record.exact, keys)
        if keys.isdisjoint(self._occupied):
            members = meaning.members
            if meaning.event:
                members = members | {"event": meaning.event + _members(times) + b"}"}
            return record.extended_by(Added(None, values=members), list(members))
        for group, values in _with_times(meaning, times).items():
            fresh = {key: value for key, value in values.items() if f"{group}.{key}" not in keys}
            if group in keys:
                record.data = record.merged(group, Added(None, values=fresh), keep=True) or record.data
            elif fresh:
                member = {group: b"{" + _members(fresh)[1:] + b"}"}
                record.data = record.extended_by(Added(None, values=member), [group])
        return record.data

    def merged(self, record: dict[str, Any], found: Found, added: Added, get: Get) -> dict[str, Any]:
        """Return the same for a record that is a dict."""
        result = dict(record)
        for group, values in _with_times(*self._found(found, added, get, record.keys())).items():
            existing = record.get(group, {})
            if isinstance(existing, Mapping):
                fresh = [key for key in values if key not in existing and f"{group}.{key}" not in record]
                if fresh:
                    result[group] = {**existing, **{key: msgspec.json.decode(values[key]) for key in fresh}}
        return result

    def _found(self, found: Found, added: Added, get: Get, keys: Set[str]) -> tuple[_Meaning, dict[str, bytes]]:
        """Return what follows from the meaning, and the times."""
        types = self._types(found, added, get)
        meaning = self._meanings.get((added, types))
        if meaning is None:
            meaning = self._meanings[added, types] = self._of_meaning(added, types)
        return meaning, self._times[id(found.profile)].read(get, keys)

    def _types(self, found: Found, added: Added, get: Get) -> Types:
        explanation = _explanation(added)
        if not found.call or explanation.outcome == _PROVISIONAL or (explanation.code or 0) // 100 == 1:
            return INTERIM
        calls = found.profile.calls
        return CALL if calls is None or get(parse_path(calls.path)) is MISSING else REQUEST

    def _of_meaning(self, added: Added, types: Types) -> _Meaning:
        explanation = _explanation(added)
        values = {
            "ecs.version": VERSION,
            "network.protocol": "sip",
            "event.kind": "event",
            "event.category": ["network"],
            "event.type": types,
            "event.dataset": DATASET,
            "event.outcome": "" if types is INTERIM else self._outcome(explanation),
            "event.code": str(explanation.code) if explanation.code else "",
            "event.reason": explanation.reason,
        }
        groups: Groups = {}
        for group, key in self._names:
            value = values.get(f"{group}.{key}")
            if value:
                groups.setdefault(group, {})[key] = msgspec.json.encode(value)
        members = {group: b"{" + _members(values)[1:] for group, values in groups.items()}
        event = members.pop("event", b"")
        return _Meaning(groups, {group: member + b"}" for group, member in members.items()}, event)

    def _outcome(self, explanation: Explanation) -> str:
        """Return success, failure, unknown, or "" where the attempt goes on elsewhere."""
        if explanation.outcome:
            return self._outcomes[explanation.outcome].ecs
        # Rows that cannot be told apart leave no outcome, but of these codes each is a failure.
        digit = (explanation.code or 0) // 100
        return "" if digit == 3 else "failure" if digit > 3 else "unknown"


def _explanation(added: Added) -> Explanation:
    assert added.explanation, "strangers gain nothing"
    return added.explanation


class _Times:
    """When a call began and ended, read by its profile.

    Args:
        names: which of start, end and duration are added.
    """

    def __init__(self, profile: Profile, names: Set[str]) -> None:
        self._names = names
        self._zone = time_zone(profile.zone)
        self._start = [parse_path(text) for text in profile.start]
        self._end = [parse_path(text) for text in profile.end]
        self._lengths = [(parse_path(length.path), UNITS[length.unit]) for length in profile.duration]
        self._escaped = profile.urlencoded

    def read(self, get: Get, keys: Set[str]) -> dict[str, bytes]:
        """Return start, end and duration, as far as they can be read, as JSON."""
        start, end = self._first(self._start, get, keys), self._first(self._end, get, keys)
        values: dict[str, bytes] = {}
        if start is not None:
            values["start"] = _stamp(start)
        if end is not None:
            values["end"] = _stamp(end)
        if start is not None and end is not None and end >= start:
            values["duration"] = b"%d" % (end - start)
        else:
            found = (read_duration(get(path), unit) for path, unit in self._lengths)
            duration = next((length for length in found if length is not None), None)
            if duration is not None:
                values["duration"] = b"%d" % duration
        return values if values.keys() <= self._names else {key: values[key] for key in values if key in self._names}

    def _first(self, paths: list[Path], get: Get, keys: Set[str]) -> int | None:
        for path in paths:
            if path[0] in keys:
                value = get(path)
                time = read_time(unescaped(value) if self._escaped else value, self._zone)
                if time is not None:
                    return time
        return None


def _with_times(meaning: _Meaning, times: dict[str, bytes]) -> Groups:
    return meaning.groups | {"event": meaning.groups["event"] | times} if times else meaning.groups


def _members(values: Mapping[str, bytes]) -> bytes:
    """Return members with a comma before each of them."""
    return b"".join(b',"%b":%b' % (key.encode(), value) for key, value in values.items())


def _stamp(time: int) -> bytes:
    """Return a time as ISO 8601 text in UTC, with as many thousandths as it needs, as JSON."""
    seconds, rest = divmod(time, SECOND)
    if not rest:
        return b'"%bZ"' % _second(seconds)
    fraction = b".%09d" % rest
    while fraction.endswith(b"000"):
        fraction = fraction[:-3]
    return b'"%b%bZ"' % (_second(seconds), fraction)


@lru_cache(maxsize=4096)
def _second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19].encode()
