"""What tells records apart, and when they happened: for targets that are not to take a record twice.

The reference is the record path: `Profiles.claim` says whose a record is. Its fast twin is a type that decodes only
records that have something at the same paths as a record seen before, so that whose they are is known beforehand.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Annotated, Any

import msgspec

from enricher.errors import InvalidRecord
from enricher.json_record import JsonRecord
from enricher.profiles import (
    MISSING,
    Get,
    KnowsText,
    Path,
    Profile,
    Profiles,
    Reader,
    parse_choices,
    parse_path,
    unescaped,
)
from enricher.text import Number
from enricher.times import read_time, time_zone

_TIMESTAMP = ("@timestamp",)
# Making a shape costs as much as a hundred records on the record path, so it is not done for each that is odd.
_SHAPES = 8
_RECORDS_A_SHAPE = 64
_WIDEST_INTEGER = 2**64


class Identity(msgspec.Struct, frozen=True):
    """What tells a record apart.

    Args:
        id: no other record has it, not of the same call either, and the same record has it again; None in doubt.
        attempt: which attempt of its call the record tells of.
        time: nanoseconds since 1970 UTC; None where the record tells none that can be read.
        timestamp: whether the record has a top-level `@timestamp` of its own.
        profile: the name of the profile that claims the record; None for a stranger.
        call: what all records of its call share, as a rule the Call-ID.
    """

    id: str | None = None
    attempt: str | None = None
    time: int | None = None
    timestamp: bool = False
    profile: str | None = None
    call: str | None = None


NOBODY = Identity()


class Identities:
    """Tells records apart; any number of threads may ask.

    Args:
        profiles: say whose a record is.
        knows_text: tells whether a reason text is known.
        own: top-level keys that enrichment adds, where it does so, and which of them says that it did.
    """

    def __init__(self, profiles: Profiles, knows_text: KnowsText, own: Collection[str] = (), mark: str = "") -> None:
        self._profiles = profiles
        self._knows_text = knows_text
        self._own = frozenset(own)
        self._mark = mark
        self._fields = {reader: _Fields(reader.profile) for reader in profiles.readers}
        self._shapes: tuple[_Shape, ...] = ()
        self._odd = _RECORDS_A_SHAPE - 1

    def identify(self, record: bytes) -> Identity:
        """Return what tells a JSON object apart, enriched or not; nothing does for bytes that are none."""
        for place, shape in enumerate(self._shapes):
            try:
                view = shape.decode(record)
                if not record.isascii():
                    record.decode()
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if place:
                self._shapes = (shape, *(other for other in self._shapes if other is not shape))
            return shape.fields.read(shape.values(view))
        return self._looked_up(record)

    def _looked_up(self, record: bytes) -> Identity:
        """Return the same by the record path, and learn from one in so many records that come here."""
        try:
            opened = JsonRecord(record)
        except InvalidRecord:
            return NOBODY
        keys = opened.keys
        reader = self._owner(opened.get, keys)
        if reader is None:
            return Identity(timestamp=_TIMESTAMP[0] in keys)
        self._odd += 1
        if self._odd >= _RECORDS_A_SHAPE:
            self._odd = 0
            self._learn(record, opened.get)
        fields = self._fields[reader]
        return fields.read([opened.exact(path) for path in fields.paths])

    def _owner(self, get: Get, keys: Collection[str]) -> Reader | None:
        """Return the reader that claims the record; what enrichment added counts only where nothing else does."""
        hidden = self._profiles.claim(self._hiding(get), self._knows_text, keys) if self._mark in keys else None
        return hidden or self._profiles.claim(get, self._knows_text, keys)

    def _hiding(self, get: Get) -> Get:
        return lambda path: MISSING if path[0] in self._own else get(path)

    def _learn(self, record: bytes, get: Get) -> None:
        """Make a shape of a record, if nothing but the paths that it has decides whose it is."""
        noting, reader = _Noting(get), None
        if self._mark and noting((self._mark,)) is not MISSING:
            reader = self._profiles.claim_by_code(self._hiding(noting))
            if not reader:
                texts = _Noting(get)
                if self._profiles.claim_by_reason(self._hiding(texts), lambda *_: False) or any(texts.paths.values()):
                    return
                noting.paths |= texts.paths
        reader = reader or self._profiles.claim_by_code(noting)
        if reader is None:
            return
        try:
            shape = _Shape(reader.profile, noting.paths, get)
            shape.decode(record)
        except (_Conflict, msgspec.DecodeError, RecursionError):
            return  # a value is in JSON text, or no object where others have one
        self._shapes = (shape, *self._shapes)[:_SHAPES]


class _Fields:
    """What of a profile's records tells them apart, compiled.

    Args:
        there: whether a record can have something at a path; what it cannot is not looked for.
    """

    def __init__(self, profile: Profile, there: Callable[[Path], bool] = lambda path: True) -> None:
        self._name = profile.name
        self._urlencoded = profile.urlencoded
        self._zone = time_zone(profile.zone)
        ids = [_Combination(parse_choices(text)) for text in profile.id]
        lists = [[parse_path(text) for text in texts] for texts in (profile.call, profile.attempt, profile.time)]
        wanted = dict.fromkeys((*chain.from_iterable(parts.paths for parts in ids), *chain.from_iterable(lists)))
        self.paths = (_TIMESTAMP, *(path for path in wanted if path != _TIMESTAMP and there(path)))
        places = {path: number for number, path in enumerate(self.paths) if there(path)}
        self._calls, self._attempts, self._times = (
            [places[path] for path in paths if path in places] for paths in lists
        )
        self._ids = [one for one in ids if one.compile(places)]

    def read(self, values: Sequence[Any]) -> Identity:
        """Return what tells the record apart that has these values at the paths."""
        if self._urlencoded:
            values = [unescaped(value) for value in values]
        time = found = None
        for place in self._times:
            time = read_time(values[place], self._zone)
            if time is not None:
                break
        for combination in self._ids:
            found = combination.read(values)
            if found is not None:
                break
        attempt = _first_text(values, self._attempts) if self._attempts else None
        return Identity(found, attempt, time, values[0] is not MISSING, self._name, _first_text(values, self._calls))


class _Combination:
    """Values that tell a record apart together.

    Args:
        parts: the paths where each of them may be; the first part, and one that has a choice, must not be empty.
    """

    def __init__(self, parts: tuple[tuple[Path, ...], ...]) -> None:
        self._parts = parts
        self.paths = [path for paths in parts for path in paths]
        self._filled = [number for number, paths in enumerate(parts) if len(paths) > 1 or not number]

    def compile(self, places: Mapping[Path, int]) -> bool:
        """Find the values by their places; return whether all parts can be there."""
        self._places = [[places[path] for path in paths if path in places] for paths in self._parts]
        first = [choices[0] for choices in self._places if len(choices) == 1]
        # Of a single place, itemgetter would give no tuple.
        self._pick = itemgetter(*first) if len(first) == len(self._places) > 1 else None
        return all(self._places)

    def read(self, values: Sequence[Any]) -> str | None:
        """Return the values as one text; None where one of them is missing."""
        if self._pick:
            texts = [value if value.__class__ is str else _text(value) for value in self._pick(values)]
        else:
            texts = [
                _text(values[choices[0]]) if len(self._parts[number]) == 1 else _first_text(values, choices)
                for number, choices in enumerate(self._places)
            ]
        for number in self._filled:
            if not texts[number]:
                return None
        return None if None in texts else _joined(texts)  # type: ignore[arg-type]


def _first_text(values: Sequence[Any], places: Sequence[int]) -> str | None:
    for place in places:
        value = values[place]
        text = value if value.__class__ is str else _text(value)
        if text:
            return text
    return None


def _text(value: Any) -> str | None:
    if value.__class__ is str or value.__class__ is Number:
        return value
    if value.__class__ is int and -_WIDEST_INTEGER < value < _WIDEST_INTEGER:
        return str(value)
    return None


def _joined(texts: list[str]) -> str:
    """Return the texts with a bar between them; bars in them become %7C, so that no two lists give the same."""
    joined = "|".join(texts)
    if len(texts) == 1 or ("%" not in joined and joined.count("|") == len(texts) - 1):
        return joined
    return "|".join(text.replace("%", "%25").replace("|", "%7C") for text in texts)


class _Noting:
    """Notes whether there is something at the paths that are asked for."""

    def __init__(self, get: Get) -> None:
        self.get = get
        self.paths: dict[Path, bool] = {}

    def __call__(self, path: Path) -> Any:
        value = self.get(path)
        self.paths[path] = value is not MISSING
        return value


# What must not be there: no value fits the type.
_ABSENT = (Annotated[str, msgspec.Meta(min_length=1, max_length=0)] | msgspec.UnsetType, MISSING)


class _Conflict(Exception):
    """One path wants a value, another one what is inside it."""


class _Shape:
    """A type that decodes only records that have something at the same paths, which the same profile claims.

    Args:
        profile: that profile.
        asked: whether there is something at a path, for all that decides whose a record is.
        get: reads the record that gave the answers.
    """

    def __init__(self, profile: Profile, asked: dict[Path, bool], get: Get) -> None:
        wanted = {path: get(path) is not MISSING for path in _Fields(profile).paths}
        self.fields = _Fields(profile, wanted.__getitem__)
        tree: dict[str, Any] = {}
        for path, present in (asked | wanted).items():
            if present:
                _put(tree, path, (Any,))
            else:
                # What holds no object has nothing below it either.
                depth = next(depth for depth in range(1, len(path) + 1) if get(path[:depth]) is MISSING)
                _put(tree, path[:depth], _ABSENT)
        names = [_name(tree, path) for path in self.fields.paths]
        self.decode = msgspec.json.Decoder(_type(tree), float_hook=Number).decode
        self.values = attrgetter(*names) if len(names) > 1 else attrgetter(*names, *names)


def _put(tree: dict[str, Any], path: Path, leaf: tuple[Any, ...]) -> None:
    """Put a leaf into the tree.

    Raises:
        _Conflict: there are leaves below, or one above.
    """
    node: Any = tree
    for key in path[:-1]:
        node = node.setdefault(key, {})
        if isinstance(node, tuple):
            raise _Conflict
    if isinstance(node.setdefault(path[-1], leaf), dict):
        raise _Conflict


def _name(tree: dict[str, Any], path: Path) -> str:
    """Return the attribute that holds what is at the path."""
    names, node = [], tree
    for key in path:
        names.append(f"f{list(node).index(key)}")
        node = node[key]
    return ".".join(names)


def _type(tree: dict[str, Any]) -> type[msgspec.Struct]:
    fields = []
    for number, below in enumerate(tree.values()):
        if isinstance(below, dict):
            kind = _type(below)
            required = any(field.required for field in msgspec.structs.fields(kind))
            fields.append((f"f{number}", kind) if required else (f"f{number}", kind, kind()))
        else:
            fields.append((f"f{number}", *below))
    names = {f"f{number}": key for number, key in enumerate(tree)}
    return msgspec.defstruct("View", fields, frozen=True, gc=False, kw_only=True, rename=names)
