"""The enricher: gives a record the meaning of its SIP code, as a dict, as JSON bytes or as MessagePack bytes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from enricher.added import NOTHING, Added, Enriched, Record
from enricher.catalog import load_catalog
from enricher.errors import SettingsError
from enricher.json_record import JsonRecord, open_text
from enricher.lookup import FIELDS, Call, Explanation, Lookup
from enricher.profiles import MISSING, Found, Get, Path, Profile, Profiles, Reader, load_profiles

if TYPE_CHECKING:
    from os import PathLike

    from enricher.identity import Identity

    File = str | PathLike[str]

_T = TypeVar("_T")

# Texts are free and an attacker chooses them: a full cache is emptied, a long text never goes in.
CACHE_ENTRIES = 16384
CACHED_LENGTH = 512
ECS_KEYS = ("ecs", "event", "network")


class Enricher:
    """Gives records the meaning of their SIP code.

    Args:
        catalog: TOML files that are laid over the built-in catalog.
        profiles: names of the profiles to use; None decides per record.
        profile_files: TOML files with a profile each.
        custom: one profile more, made by `custom_profile`; it is used alone unless others are named.
        guess: whether aliases that are only plausible are used.
        target: the key of the object that is added.
        fields: which of the ten keys are added.
        flat: whether they are added at the top level, as `<target>_<key>`.
        ecs: whether the fields of the Elastic Common Schema are added too. A record then takes the record path, which
            costs several times as much.

    Raises:
        SettingsError: with every setting that is wrong.
    """

    def __init__(
        self,
        *,
        catalog: Sequence["File"] = (),
        profiles: Sequence[str] | None = None,
        profile_files: Sequence["File"] = (),
        custom: Profile | None = None,
        guess: bool = False,
        target: str = "sip",
        fields: Sequence[str] = FIELDS,
        flat: bool = False,
        ecs: bool = False,
    ) -> None:
        problems: list[str] = [*check_fields(fields), *check_target(target, ecs=ecs and not flat)]
        loaded = _collect(problems, lambda: load_catalog(catalog, guess=guess))
        found = _collect(problems, lambda: _profiles(profiles, profile_files, custom))
        if problems or loaded is None or found is None:
            raise SettingsError(problems)
        self.catalog = loaded
        self.profiles = found
        self.target = target
        self.flat = flat
        self.ecs = ecs
        self.fields = tuple(key for key in FIELDS if key in fields)
        self._lookup = Lookup(loaded)
        self._explanations: dict[Call, tuple[Explanation, Added]] = {}
        self._added: dict[tuple[Any, ...], Added] = {}
        if ecs:
            from enricher.ecs import Ecs

            self._ecs = Ecs((reader.profile for reader in found.readers), loaded.outcomes)
        self._process = self._process_with_ecs if ecs else self._process_alone

    # Effects on one record

    def lookup(
        self, code: Any, reason: str | None = None, initiator: str | None = None, *, connected: bool | None = None
    ) -> Explanation:
        """Return what the catalog says of a code, a reason text and an initiator.

        Args:
            code: a number or a text such as `"sip:486"`.
            initiator: System, Origination, Destination, or a word or number that the generic profile knows.
            connected: whether the call was connected, where that is known.
        """
        record = {"sip_code": code, "sip_reason": reason, "disconnect_initiator": initiator}
        found = _generic().read(lambda path: record.get(path[0], MISSING))
        return self._lookup.explain(
            Call(code=found.code, reason=found.reason, initiator=found.initiator, connected=connected)
        )

    def enrich(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of the record with the meaning of its SIP code; a stranger's copy has nothing added."""
        get = partial(_get, record)
        found, added = self.explain(get, record.keys())
        existing = {} if self.flat or not added.values else record.get(self.target, {})
        merged = self._merged(record, added)
        if not self.ecs or found is None or not isinstance(existing, Mapping) or self._enriched_before(record):
            return merged
        return self._ecs.merged(merged, found, added, get)

    def enrich_json(self, record: bytes) -> bytes:
        """Return the JSON object with the meaning of its SIP code; all other bytes stay.

        Raises:
            InvalidRecord: the bytes are no JSON object.
        """
        return self.process_json(record).record

    def enrich_msgpack(self, record: bytes) -> bytes:
        """Return the MessagePack map with the meaning of its SIP code; all other bytes stay.

        Raises:
            InvalidRecord: the bytes are no single MessagePack map.
        """
        return self.process_msgpack(record).record

    # The pieces that streams use

    def process_json(self, line: bytes, trace: Callable[[Get], Get] | None = None) -> Enriched:
        """Enrich one JSON record and say what was added.

        Args:
            trace: wraps the function that reads values, to see which ones decide.
        """
        return self._process(JsonRecord(line), trace)

    def process_msgpack(self, data: bytes, trace: Callable[[Get], Get] | None = None) -> Enriched:
        """Enrich one MessagePack record and say what was added."""
        from enricher.msgpack_record import MsgpackRecord

        return self._process(MsgpackRecord(data), trace)

    def _process_alone(self, record: Record, trace: Callable[[Get], Get] | None) -> Enriched:
        get, keys = (trace(record.get), None) if trace else (record.get, record.keys)
        return self._with_meaning(record, self.explain(get, keys, record.get)[1])

    def _with_meaning(self, record: Record, added: Added) -> Enriched:
        if not added.count:
            return Enriched(record.data, added)
        if self.flat:
            missing = self.missing(added, record.keys)
            whole = len(missing) == len(added.values)
            return Enriched(record.extended(added) if whole else record.extended_by(added, missing), added)
        if self.target not in record.keys:
            return Enriched(record.extended(added), added)
        merged = record.merged(self.target, added)
        return Enriched(record.data, added, conflict=True) if merged is None else Enriched(merged, added)

    def _process_with_ecs(self, record: Record, trace: Callable[[Get], Get] | None) -> Enriched:
        get, keys = (trace(record.get), None) if trace else (record.get, record.keys)
        found, added = self.explain(get, keys, record.get)
        enriched = self._with_meaning(record, added)
        if found is None or enriched.conflict or self._enriched_before(record.keys):
            return enriched
        record.data = enriched.record
        return Enriched(self._ecs.extended(record, found, added), added)

    def explain(
        self, get: Get, keys: Collection[str] | None = None, get_evidence: Get | None = None
    ) -> tuple[Found | None, Added]:
        """Return what was read and what it means.

        Args:
            get: reads the value at a path.
            keys: the record's top-level keys, where they are known.
            get_evidence: reads connect evidence, if another function is to.
        """
        claimed = self.profiles.find(get, self._lookup.knows_text, keys)
        if claimed is None:
            return None, NOTHING
        reader, found = claimed
        call = _call(found)
        explanation, added = self._explained(call)
        if explanation.evidence:
            added = self._weighed(call, reader.connected(get_evidence or get))
        return found, added

    def weigh(self, get: Get) -> tuple[Callable[[Get], bool | None], dict[bool | None, Added]]:
        """Return what reads connect evidence in calls that are like this one otherwise, and what each verdict adds."""
        claimed = self.profiles.find(get, self._lookup.knows_text)
        assert claimed, "only calls have evidence"
        reader, found = claimed
        call = _call(found)
        return reader.connected, {verdict: self._weighed(call, verdict) for verdict in (None, True, False)}

    @cached_property
    def identify(self) -> Callable[[Sequence[bytes]], "list[Identity]"]:
        """Return what tells records apart: from the bytes of JSON objects, enriched or not, to their identities.

        It never raises: bytes that are no JSON object have an empty identity.
        """
        from enricher.identities import Identities

        own = [f"{self.target}_{key}" for key in FIELDS] if self.flat else []
        return Identities(self.profiles, self._lookup.knows_text, own, f"{self.target}_match" if own else "").identify

    def added(self, explanation: Explanation) -> Added:
        """Return what an explanation adds; equal explanations give the same object."""
        identity = tuple(getattr(explanation, key) for key in (*FIELDS, "evidence", "final"))
        added = self._added.get(identity)
        if added is None:
            added = self._added[identity] = self._new_added(explanation)
        return added

    def missing(self, added: Added, keys: Collection[str]) -> list[str]:
        """Return which members to add at the top level of a record with these keys; what is there is the record's.

        None are missing from a record that was enriched before; its own `sip_code` must not be read as another's.
        """
        return [key for key in added.values if key not in keys] if not self._enriched_before(keys) else []

    def _enriched_before(self, keys: Collection[str]) -> bool:
        """Return whether keys at the top level say so, where it is them that are added."""
        return self.flat and f"{self.target}_match" in keys

    def _weighed(self, call: Call, connected: bool | None) -> Added:
        return self._explained(call if connected is None else msgspec.structs.replace(call, connected=connected))[1]

    def _explained(self, call: Call) -> tuple[Explanation, Added]:
        cached = self._explanations.get(call)
        if cached is not None:
            return cached
        call = self._lookup.alike(call)
        cached = self._explanations.get(call)
        if cached is not None:
            return cached
        explanation = self._lookup.explain(call)
        result = explanation, self.added(explanation)
        if len(call.reason or "") <= CACHED_LENGTH:
            if len(self._explanations) >= CACHE_ENTRIES:
                self._explanations.clear()
            self._explanations[call] = result
        return result

    def _new_added(self, explanation: Explanation) -> Added:
        chosen = {key: value for key in self.fields if (value := getattr(explanation, key))}
        prefix = f"{self.target}_" if self.flat else ""
        chosen = {prefix + key: value for key, value in chosen.items()}
        if not chosen:
            return Added(explanation)
        values = {key: msgspec.json.encode(value) for key, value in chosen.items()}
        top = chosen if self.flat else {self.target: chosen}
        packed = b"".join(msgspec.msgpack.encode(item) for member in top.items() for item in member)
        json = b"," + msgspec.json.encode(top)[1:-1]
        return Added(explanation, json, values, packed, len(top), json + b"}\n")

    def _merged(self, record: Mapping[str, Any], added: Added) -> dict[str, Any]:
        result = dict(record)
        values = {key: msgspec.json.decode(value) for key, value in added.values.items()}
        if self.flat:
            return result | {key: values[key] for key in self.missing(added, result)}
        existing = result.get(self.target, {})
        if values and isinstance(existing, Mapping):
            result[self.target] = {**existing, **values}
        return result


def _call(found: Found) -> Call:
    return Call(
        code=found.code, reason=found.reason, initiator=found.initiator, system=found.profile.system, final=found.call
    )


def _get(record: Any, path: Path) -> Any:
    value = record
    for key in path:
        if isinstance(value, str):
            value = open_text(value)
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return value


def check_fields(fields: Sequence[str]) -> list[str]:
    """Return what is wrong with a choice of fields."""
    unknown = [key for key in fields if key not in FIELDS]
    if fields and not unknown:
        return []
    came = ", ".join(map(repr, unknown)) or "none"
    return [f"fields: expected some of {', '.join(FIELDS)}, got {came}{nearest(unknown[:1], FIELDS)}"]


def check_target(target: str, *, ecs: bool = False) -> list[str]:
    """Return what is wrong with a target key.

    Args:
        ecs: whether ECS has keys beside it.
    """
    if ecs and target in ECS_KEYS:
        return [f"target: expected another key than ECS's {', '.join(ECS_KEYS)}, got {target!r}"]
    if target and target.isprintable() and not set(target) & set('"\\.'):
        return []
    return [f"target: expected a key without dots, quotes and backslashes, got {target!r}"]


def nearest(names: Sequence[str], known: Collection[str]) -> str:
    """Return a hint at the known name that is nearest to the first of the names, "" where none is near."""
    from difflib import get_close_matches

    close = get_close_matches(names[0], known, 1) if names else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _collect(problems: list[str], load: Callable[[], _T]) -> _T | None:
    """Return what loads, or keep its problems."""
    try:
        return load()
    except SettingsError as error:
        problems += error.problems
        return None


def _profiles(names: Sequence[str] | None, files: Sequence["File"], custom: Profile | None) -> Profiles:
    if custom is None:
        return load_profiles(names, files=files)
    named = load_profiles(names, files=files).readers if names else ()
    return Profiles([Reader(custom, auto=False), *named])


@cache
def _generic() -> Reader:
    return load_profiles(["generic"]).readers[0]
