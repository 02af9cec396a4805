"""Profiles that a user writes: how a file is read, and what is checked in it."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec

from enricher.errors import SettingsError
from enricher.profiles import INITIATORS, MISSING, Get, Path, Profile, Profiles, Reader, parse_choices, parse_parts
from enricher.times import time_zone

_WHOLE = re.compile(r"(?:[^\\]|\\.)*", re.DOTALL)


def getter(record: dict[str, Any]) -> Get:
    """Return a function that gives the value at a path of the record, through JSON text where a path leads into it."""

    def get(path: Path) -> Any:
        value: Any = record
        for key in path:
            if isinstance(value, str):
                value = _object(value)
            if not isinstance(value, dict) or key not in value:
                return MISSING
            value = value[key]
        return value

    return get


def read_files(files: Sequence[str | os.PathLike[str]], taken: Iterable[str] = ()) -> list[Profile]:
    """Return the profile of each file.

    Args:
        files: TOML files with one profile each.
        taken: names that they must not have.

    Raises:
        SettingsError: carries every finding of all files.
    """
    profiles: list[Profile] = []
    problems: list[str] = []
    names = set(taken)
    for file in files:
        try:
            profile = _read_file(file)
        except (OSError, ValueError) as error:  # TOML, UTF-8 and shape errors are all of them ValueErrors
            problems.append(f"{os.fspath(file)}: {error.strerror if isinstance(error, OSError) else error}")
            continue
        if profile.name in names:
            problems.append(f"{os.fspath(file)}: name: expected one that no other profile has, got {profile.name!r}")
        names.add(profile.name)
        problems.extend(f"{os.fspath(file)}: {problem}" for problem in check(profile))
        profiles.append(profile)
    if problems:
        raise SettingsError(problems)
    return profiles


def choose(names: Sequence[str], profiles: Sequence[Profile]) -> list[Profile]:
    """Return the profiles with these names, in the order of the names."""
    known = {profile.name: profile for profile in profiles}
    problems = []
    for name in names:
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"profile: expected one of {', '.join(sorted(known))}, got {name!r}{hint}")
    if problems:
        raise SettingsError(problems)
    return [known[name] for name in dict.fromkeys(names)]


def check(profile: Profile) -> list[str]:
    """Return what is wrong in a profile: key, what was expected, what came."""
    problems = [*check_paths(profile), *_check_words(profile), *_check_zone(profile)]
    if not profile.name:
        problems.append("name: expected a name, got ''")
    if not profile.code:
        problems.append("code: expected at least one path, got none")
    if not profile.platform and not profile.system:
        problems.append("system: expected a sentence or platform = true, got neither")
    if not profile.example:
        problems.append("example: expected at least one record, got none")
    if not problems:  # a reader needs sound paths
        problems.extend(_check_examples(profile))
    return problems


def check_paths(profile: Profile) -> list[str]:
    """Return which paths of a profile cannot be read."""
    return [
        f"{key}: expected keys with a dot between them, got {text!r}"
        for key, text, separators in _paths(profile)
        if not _WHOLE.fullmatch(text) or not all(all(path) for path in _parsed(text, separators))
    ]


def _parsed(text: str, separators: str) -> Iterable[Path]:
    if separators == "+|":
        return chain.from_iterable(parse_choices(text))
    return parse_parts(text, separators)


def _read_file(file: str | os.PathLike[str]) -> Profile:
    import tomllib  # slow to import, and needed for a user's file alone

    with open(file, "rb") as stream:
        return msgspec.convert(tomllib.load(stream), Profile)


def _paths(profile: Profile) -> Iterator[tuple[str, str, str]]:
    """Give key, path and what may stand between two paths, for all paths of a profile."""
    combined = {"code": "+", "initiator": "+", "requires": "|", "id": "+|"}
    for key in ("code", "reason", "initiator", "requires", "time", "id", "call", "attempt", "start", "end"):
        for place, text in enumerate(getattr(profile, key)):
            yield f"{key}[{place}]", text, combined.get(key, "")
    for key in ("connected", "duration"):
        for place, part in enumerate(getattr(profile, key)):
            yield f"{key}[{place}].path", part.path, ""
    if profile.calls:
        yield "calls.path", profile.calls.path, ""


def _check_words(profile: Profile) -> Iterator[str]:
    for word, name in profile.initiators.items():
        if name not in INITIATORS:
            yield f"initiators: {word!r}: expected one of {', '.join(INITIATORS)}, got {name!r}"
    for text, code in profile.codes.items():
        if not 100 <= code <= 699:
            yield f"codes: {text!r}: expected a SIP code from 100 to 699, got {code}"


def _check_zone(profile: Profile) -> Iterator[str]:
    try:
        time_zone(profile.zone)
    except (LookupError, OSError, ValueError):  # no such zone, a folder of zones, a name that leads out of it
        yield f"zone: expected UTC or a time zone such as Europe/Riga, got {profile.zone!r}"


def _check_examples(profile: Profile) -> Iterator[str]:
    profiles = Profiles([Reader(profile)])
    for place, text in enumerate(profile.example):
        record = _object(text)
        if record is None:
            yield f"example[{place}]: expected a JSON object, got {text[:60]!r}"
        elif profiles.find(getter(record), lambda *_: True) is None:
            yield f"example[{place}]: expected a record that the profile claims, got {text[:60]!r}"


def _object(text: str) -> dict[str, Any] | None:
    """Return the object that a JSON text holds, or None."""
    try:
        value = msgspec.json.decode(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
