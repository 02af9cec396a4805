"""Where records keep code, reason and initiator: one profile a system.

A path is `a.b.c` into nested objects; a backslash takes the next character as it is (`a\\.b` is one key).
In `code` and `initiator` a path may be `a.b+c.d`: both values, joined with one space.
In `requires` it may be `a|b`: either is enough. In `id` it may be both: `a|b+c`.
"""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from enricher.errors import SettingsError
from enricher.text import fold, read_code

Path: TypeAlias = tuple[str, ...]
Get: TypeAlias = Callable[[Path], Any]
KnowsText: TypeAlias = Callable[[str, bool], bool]

MISSING = msgspec.UNSET
INITIATORS = ("System", "Origination", "Destination")

# Words and causes are short; longer values are free text, which must not fill the cache of `fold`.
_LONGEST_WORD = 64
_FLAGS = {True: True, False: False, "true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A path that tells whether the call was connected."""

    path: str
    kind: Literal["flag", "time", "duration"]


class Length(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A path that tells how long the call was from its start to its end, ringing included."""

    path: str
    unit: Literal["s", "ms", "us"]


class Calls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which records tell how a call ended; a record without the path is taken for one of them."""

    path: str
    values: tuple[str, ...]


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where one system keeps the fields, and its words for who ended the call."""

    name: str
    title: str
    source: str
    rank: int
    platform: bool = False  # the table's own platform: its sentence for System and its side of "Rtp timeout" hold
    system: str = ""  # the sentence for System where it is another platform
    code: tuple[str, ...]
    reason: tuple[str, ...] = ()
    initiator: tuple[str, ...] = ()
    connected: tuple[Evidence, ...] = ()
    time: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    duration: tuple[Length, ...] = ()
    zone: str = ""  # of times that say none: UTC or a name such as Europe/Riga; "" where nobody can know
    id: tuple[str, ...] = ()  # tells each record apart from all others, of the same call too
    call: tuple[str, ...] = ()  # what all records of one call share
    attempt: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()  # needed when nobody named the profile; the values are part of a cache key: no ids
    initiators: dict[str, str] = {}
    codes: dict[str, int] = {}
    calls: Calls | None = None
    urlencoded: bool = False  # values are written like "Busy%20Here"
    example: tuple[str, ...]


class _Builtin(msgspec.Struct):
    profiles: tuple[Profile, ...]


class Found(NamedTuple):
    """What a profile reads from a record."""

    profile: Profile
    code: int | None
    reason: str | None
    initiator: str | None
    call: bool
    code_path: str | None
    reason_path: str | None
    initiator_path: str | None


def _split(text: str, separator: str) -> list[str]:
    if "\\" not in text:
        return text.split(separator)
    return re.findall(rf"(?:^|\{separator})((?:\\.|[^\\\{separator}])*)", text, re.DOTALL)


def parse_path(text: str) -> Path:
    """Return the keys of a path such as `a.b.c`."""
    keys = _split(text, ".")
    return tuple(keys) if "\\" not in text else tuple(re.sub(r"\\(.)", r"\1", key, flags=re.DOTALL) for key in keys)


def parse_parts(text: str, separator: str = "") -> tuple[Path, ...]:
    """Return the paths that stand between the separators, if there may be any."""
    return tuple(parse_path(part) for part in _split(text, separator)) if separator else (parse_path(text),)


def parse_choices(text: str) -> tuple[tuple[Path, ...], ...]:
    """Return the parts of `a|b+c`, each with its paths."""
    return tuple(parse_parts(part, "|") for part in _split(text, "+"))


def paths_of(profile: Profile) -> Iterator[Path]:
    """Give all paths that a profile reads."""
    single = (*profile.reason, *profile.time, *profile.call, *profile.attempt, *profile.start, *profile.end)
    evidence = (part.path for part in profile.connected)
    for text in (*single, *evidence, *(part.path for part in profile.duration)):
        yield parse_path(text)
    for text in (*profile.code, *profile.initiator):
        yield from parse_parts(text, "+")
    for text in profile.requires:
        yield from parse_parts(text, "|")
    for text in profile.id:
        yield from chain.from_iterable(parse_choices(text))
    if profile.calls:
        yield parse_path(profile.calls.path)


def unescaped(value: Any) -> Any:
    """Return a text that is written like "Busy%20Here" as it was meant; what is none stays."""
    if isinstance(value, str) and "%" in value:
        from urllib.parse import unquote

        return unquote(value)
    return value


def _distinct(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))


def _word(value: Any) -> str:
    """Return a word or a small number as a vocabulary holds it, or an empty text."""
    if isinstance(value, str):
        return fold(value) if len(value) <= _LONGEST_WORD else ""
    if isinstance(value, int | float) and not isinstance(value, bool) and -1 < value < 1000 and value == int(value):
        return str(int(value))
    return ""


def _was_connected(kind: str, value: Any) -> bool | None:
    if kind == "flag":
        key = value.strip().casefold() if isinstance(value, str) else value
        return _FLAGS.get(key) if isinstance(key, str | int | float) else None
    if isinstance(value, str):
        # "0", "00:00:00", "0000-00-00 00:00:00" and "-" all stand for never.
        if value.strip(" 0-:.TZ"):
            return True
        return False if kind == "time" or "0" in value else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value > 0
    return False if kind == "time" and value is None else None


class Reader:
    """A profile, compiled.

    Args:
        profile: where the fields are.
        auto: claim only records that hold what the profile `requires`.
    """

    def __init__(self, profile: Profile, *, auto: bool = True) -> None:
        self.profile = profile
        self.auto = auto
        self._code = [(text, parse_parts(text, "+")) for text in profile.code]
        self._reason = [(text, parse_path(text)) for text in profile.reason]
        self._initiator = [(text, parse_parts(text, "+")) for text in profile.initiator]
        self._requires = [parse_parts(text, "|") for text in profile.requires] if auto else []
        self._connected = [(parse_path(evidence.path), evidence.kind) for evidence in profile.connected]
        self._calls = parse_path(profile.calls.path) if profile.calls else None
        self._call_values = frozenset(fold(value) for value in profile.calls.values) if profile.calls else frozenset()
        self._codes = {fold(text): code for text, code in profile.codes.items()}
        self._initiators = {fold(word): name for word, name in profile.initiators.items()}
        self.code_paths = _distinct(path for _, parts in self._code for path in parts)
        self.reason_paths = _distinct(path for _, path in self._reason)
        self.key_paths = _distinct(
            [
                *self.code_paths,
                *self.reason_paths,
                *(path for _, parts in self._initiator for path in parts),
                *((self._calls,) if self._calls else ()),
                *(path for either in self._requires for path in either),
            ]
        )

    def claims_code(self, get: Get) -> bool:
        """Tell whether the record has one of the code paths and all that the profile requires."""
        return self._has_required(get) and any(get(path) is not MISSING for path in self.code_paths)

    def claims_reason(self, get: Get, knows_text: KnowsText) -> bool:
        """Tell whether the record has all that the profile requires and, at a reason path, a text that is known."""
        reason = self._read_reason(get)[0]
        return reason is not None and self._has_required(get) and knows_text(reason, self.profile.platform)

    def read(self, get: Get) -> Found:
        """Return what the record says, as far as it can be read."""
        code, phrase, code_path = self._read_code(get)
        reason, reason_path = self._read_reason(get)
        if reason is None and phrase:
            reason, reason_path = phrase, code_path
        initiator, initiator_path = self._read_initiator(get)
        return Found(self.profile, code, reason, initiator, self._is_call(get), code_path, reason_path, initiator_path)

    def connected(self, get: Get) -> bool | None:
        """Tell whether the call was connected; None where the record does not say."""
        for path, kind in self._connected:
            value = get(path)
            if value is not MISSING:
                verdict = _was_connected(kind, value)
                if verdict is not None:
                    return verdict
        return None

    def _has_required(self, get: Get) -> bool:
        return all(any(get(path) is not MISSING for path in either) for either in self._requires)

    def _value(self, get: Get, parts: tuple[Path, ...]) -> Any:
        if len(parts) == 1:
            return self._decoded(get(parts[0]))
        words = [self._decoded(get(path)) for path in parts]
        return " ".join(words) if all(isinstance(word, str) for word in words) else MISSING

    def _decoded(self, value: Any) -> Any:
        return unescaped(value) if self.profile.urlencoded else value

    def _read_code(self, get: Get) -> tuple[int | None, str | None, str | None]:
        """Return code, phrase and path of the first code path that can be read, else the first that is there."""
        present = None
        for text, parts in self._code:
            value = self._value(get, parts)
            if value is MISSING:
                continue
            # The profile's own map goes first: Q.850 has causes from 100 on, which look like SIP codes.
            code = self._codes.get(_word(value)) if self._codes else None
            if code is not None:
                spoken = len(parts) == 1 and isinstance(value, str) and not value.strip().isdigit()
                return code, value if spoken else None, text
            code, phrase = read_code(value) if len(parts) == 1 else (None, None)
            if code is not None:
                return code, phrase, text
            present = present or (text if len(parts) == 1 else None)
        return None, None, present

    def _read_reason(self, get: Get) -> tuple[str | None, str | None]:
        for text, path in self._reason:
            value = self._decoded(get(path))
            if isinstance(value, str) and value and not value.isspace():
                return value, text
        return None, None

    def _read_initiator(self, get: Get) -> tuple[str | None, str | None]:
        for text, parts in self._initiator:
            name = self._initiators.get(_word(self._value(get, parts)))
            if name is not None:
                return name, text
        return None, None

    def _is_call(self, get: Get) -> bool:
        if self._calls is None:
            return True
        value = get(self._calls)
        return value is MISSING or _word(value) in self._call_values


class Profiles:
    """The readers that a record is offered to, first one first."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self.readers = tuple(readers)
        self._by_code = _by_first_key(reader.code_paths for reader in self.readers)
        self._by_reason = _by_first_key(reader.reason_paths for reader in self.readers)

    def find(self, get: Get, knows_text: KnowsText, keys: Collection[str] | None = None) -> tuple[Reader, Found] | None:
        """Return the reader that claims the record, and what it reads there; None for a stranger.

        Args:
            get: gives the value at a path, or MISSING.
            knows_text: tells whether a reason text is known, in logs of the table's own platform or of another.
            keys: the record's top-level keys, which spare offering it to readers that look elsewhere.
        """
        reader = self.claim(get, knows_text, keys)
        return (reader, reader.read(get)) if reader else None

    def claim(self, get: Get, knows_text: KnowsText, keys: Collection[str] | None = None) -> Reader | None:
        """Return the reader that claims the record; see `find`."""
        return self.claim_by_code(get, keys) or self.claim_by_reason(get, knows_text, keys)

    def claim_by_code(self, get: Get, keys: Collection[str] | None = None) -> Reader | None:
        """Return the reader that claims the record because it has a path for the code."""
        return next((reader for reader in self._candidates(self._by_code, keys) if reader.claims_code(get)), None)

    def claim_by_reason(self, get: Get, knows_text: KnowsText, keys: Collection[str] | None = None) -> Reader | None:
        """Return the reader that claims the record because its reason text is known."""
        for reader in self._candidates(self._by_reason, keys):
            if reader.claims_reason(get, knows_text):
                return reader
        return None

    def _candidates(self, by_first_key: dict[str, int], keys: Collection[str] | None) -> Sequence[Reader]:
        if keys is None:
            return self.readers
        wanted = 0
        for key in keys:
            if key in by_first_key:
                wanted |= by_first_key[key]
        return [reader for place, reader in enumerate(self.readers) if wanted >> place & 1] if wanted else ()


def _by_first_key(paths_by_reader: Iterable[Iterable[Path]]) -> dict[str, int]:
    """Return for each first key the readers that look there, as a bit mask of their places."""
    masks: dict[str, int] = {}
    for place, paths in enumerate(paths_by_reader):
        for path in paths:
            masks[path[0]] = masks.get(path[0], 0) | 1 << place
    return masks


@cache
def builtin_profiles() -> tuple[Profile, ...]:
    """Return the profiles that come with the package, in rank order."""
    with open(os.path.join(os.path.dirname(__file__), "builtin.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=_Builtin).profiles


def load_profiles(names: Sequence[str] | None = None, *, files: Sequence[str | os.PathLike[str]] = ()) -> Profiles:
    """Return the profiles to use: all, the files' first, or those named, in the order of the names.

    Raises:
        SettingsError: a file or a name is wrong; carries every finding.
    """
    builtin = builtin_profiles()
    if not files and names is None:
        return Profiles([Reader(profile) for profile in builtin])
    from enricher.profile_files import choose, read_files

    profiles = [*read_files(files, {profile.name for profile in builtin}), *builtin]
    if names is None:
        return Profiles([Reader(profile) for profile in profiles])
    return Profiles([Reader(profile, auto=False) for profile in choose(names, profiles)])


def custom_profile(
    code: str | Sequence[str] = (), reason: str | Sequence[str] = (), initiator: str | Sequence[str] = ()
) -> Profile:
    """Return a profile made of paths alone, with the words of `generic`, and its names for times and ids.

    Raises:
        SettingsError: no path for code or reason, or a path that cannot be read.
    """
    from enricher.profile_files import check_paths

    code, reason, initiator = (
        (value,) if isinstance(value, str) else tuple(value) for value in (code, reason, initiator)
    )
    generic = next(profile for profile in builtin_profiles() if profile.name == "generic")
    profile = Profile(
        name="custom",
        title="Paths given as options",
        source="options",
        rank=0,
        platform=True,
        code=code,
        reason=reason,
        initiator=initiator,
        time=generic.time,
        start=generic.start,
        end=generic.end,
        id=generic.id,
        call=generic.call,
        attempt=generic.attempt,
        initiators=generic.initiators,
        example=(),
    )
    problems = [f"options: {problem}" for problem in check_paths(profile)]
    if not code and not reason:
        problems.append("options: expected a path for the code or for the reason, got neither")
    if problems:
        raise SettingsError(problems)
    return profile
