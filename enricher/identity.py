"""What of the records of a profile tells them apart, read a column at a time: each value costs next to nothing then."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, TypeAlias

import msgspec

from enricher.profiles import MISSING, Path, Profile, parse_choices, parse_path, unescaped
from enricher.text import Number
from enricher.times import read_times, time_zone

TIMESTAMP = ("@timestamp",)
_WIDEST_INTEGER = 2**64

# Gives what some records have at a place, the values in the order of the records.
Column: TypeAlias = Callable[[int], Sequence[Any]]


class Identity(msgspec.Struct, frozen=True, gc=False):
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


class Fields:
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
        self.paths = (TIMESTAMP, *(path for path in wanted if path != TIMESTAMP and there(path)))
        places = {path: number for number, path in enumerate(self.paths) if there(path)}
        self._calls, self._attempts, self._times = (
            [places[path] for path in paths if path in places] for paths in lists
        )
        self._ids = [one for one in ids if one.compile(places)]

    def read(self, column: Column, count: int) -> list[Identity]:
        """Return what tells records apart.

        Args:
            column: gives their values at a path, by its place among the paths.
            count: how many records there are.
        """
        there = [value is not MISSING for value in column(0)]
        if self._urlencoded:
            column = _unescaping(column)
        ids = _first(count, (combination.read(column, count) for combination in self._ids))
        times = _first(count, (read_times(column(place), self._zone) for place in self._times))
        attempts = _first_texts(column, self._attempts, count)
        calls = _first_texts(column, self._calls, count)
        return list(map(Identity, ids, attempts, times, there, repeat(self._name), calls))


class _Combination:
    """Values that tell a record apart together.

    Args:
        parts: the paths where each of them may be; the first part, and one that has a choice, must not be empty.
    """

    def __init__(self, parts: tuple[tuple[Path, ...], ...]) -> None:
        self._parts = parts
        self.paths = [path for paths in parts for path in paths]

    def compile(self, places: Mapping[Path, int]) -> bool:
        """Find the values by their places; return whether all parts can be there."""
        self._places = [[places[path] for path in paths if path in places] for paths in self._parts]
        return all(self._places)

    def read(self, column: Column, count: int) -> Sequence[str | None]:
        """Return the values of each record as one text; None where one of them is missing."""
        parts = [
            _first_texts(column, places, count) if len(paths) > 1 or not number else _texts(column(places[0]))
            for number, (paths, places) in enumerate(zip(self._parts, self._places, strict=True))
        ]
        return _joined(parts)


def _unescaping(column: Column) -> Column:
    return lambda place: list(map(unescaped, column(place)))


def _first(count: int, columns: Iterable[Sequence[Any]]) -> Sequence[Any]:
    """Return of each record the first value that is not None; columns behind the last that is needed are not read."""
    found: Sequence[Any] = ()
    for values in columns:
        found = [one if other is None else other for one, other in zip(values, found, strict=True)] if found else values
        if None not in found:
            break
    return found or [None] * count


def _first_texts(column: Column, places: Sequence[int], count: int) -> Sequence[str | None]:
    """Return of each record the first text at one of the places that is not empty."""
    return _first(count, ([text or None for text in _texts(column(place))] for place in places))


def _texts(values: Sequence[Any]) -> Sequence[str | None]:
    return [value if value.__class__ is str else _text(value) for value in values]


def _text(value: Any) -> str | None:
    if value.__class__ is str or value.__class__ is Number:
        return value
    if value.__class__ is int and -_WIDEST_INTEGER < value < _WIDEST_INTEGER:
        return str(value)
    return None


def _joined(parts: Sequence[Sequence[str | None]]) -> Sequence[str | None]:
    """Return the texts of each record with a bar between them, None where one is missing.

    Bars in them become %7C, so that no two lists of texts give the same.
    """
    if len(parts) == 1:
        return parts[0]
    rows = list(zip(*parts, strict=True))
    if any(None in texts for texts in parts):
        return [None if None in row else _escaped(row) for row in rows]
    joined = list(map("|".join, rows))
    everything = "".join(joined)
    if "%" in everything or everything.count("|") > len(rows) * (len(parts) - 1):
        return list(map(_escaped, rows))
    return joined


def _escaped(texts: tuple[str, ...]) -> str:
    joined = "|".join(texts)
    if "%" in joined or joined.count("|") > len(texts) - 1:
        joined = "|".join(text.replace("%", "%25").replace("|", "%7C") for text in texts)
    return joined
