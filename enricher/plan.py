"""A plan: which few values of a record decide what it gains, as a type that decodes nothing else.

It is learned from records: whatever paths the record path asked for are the fields. What a record gains is a function
of the answers, so two records with equal fields gain the same.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from enricher.json_record import open_text
from enricher.profiles import MISSING, Get, Path

# A wider type costs more than it saves: each field costs some 15 ns a record.
WIDEST = 48


class Uncovered(Exception):
    """A path was asked for that the plan does not decode."""


class Trace:
    """Notes which paths are asked for."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()

    def __call__(self, get: Get) -> Get:
        """Return the function, noting what it is asked."""

        def noting(path: Path) -> Any:
            self.paths.add(path)
            return get(path)

        return noting


class Plan:
    """The paths that decide, compiled.

    Args:
        paths: what the record path asked for.
        guarded: top-level keys whose presence sends a record to the record path.
    """

    def __init__(self, paths: Iterable[Path], guarded: Iterable[str]) -> None:
        self.paths = frozenset(paths)
        self._guarded = tuple(guarded)
        self._tree: dict[str, Any] = {}
        for path in sorted([*self.paths, *((key,) for key in self._guarded)], key=len):
            node = self._tree
            for key in path:
                node = node.setdefault(key, {})
        self.type = _struct(self._tree)
        self._attributes: dict[Path, tuple[str, ...]] = {}
        self._note(self._tree, (), ())

    def _note(self, tree: dict[str, Any], path: Path, attributes: tuple[str, ...]) -> None:
        for number, (key, below) in enumerate(tree.items()):
            self._attributes[(*path, key)] = (*attributes, f"f{number}")
            self._note(below, (*path, key), (*attributes, f"f{number}"))

    def covers(self, paths: Iterable[Path]) -> bool:
        """Return whether all these paths are decoded."""
        return self.paths.issuperset(paths)

    def guards(self, view: Any) -> bool:
        """Return whether the record has a guarded key."""
        return any(getattr(view, self._attributes[(key,)][0]) is not MISSING for key in self._guarded)

    def getter(self, view: Any) -> Callable[[Path], Any]:
        """Return the function that reads a decoded record; it raises Uncovered for other paths than the plan's."""

        def get(path: Path) -> Any:
            if path not in self.paths:
                raise Uncovered
            value, tree = view, self._attributes
            for depth, attribute in enumerate(tree[path]):
                if isinstance(value, str):
                    return _inside(value, path[depth:])
                if not isinstance(value, msgspec.Struct):
                    return MISSING
                value = getattr(value, attribute)
            return value

        return get


def _inside(text: str, path: Path) -> Any:
    value: Any = text
    for key in path:
        value = open_text(value)
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def _struct(tree: dict[str, Any]) -> type[msgspec.Struct]:
    """Return the type for a tree of keys.

    A field takes a text or an integer. Anything else there does not decode, which sends the record to the record path:
    as cache keys, 1 and 1.0 and true are equal.
    """
    fields: list[tuple[str, Any, Any]] = []
    for number, below in enumerate(tree.values()):
        scalars = int | str | None | msgspec.UnsetType
        fields.append((f"f{number}", _struct(below) | scalars if below else scalars, MISSING))
    names = {f"f{number}": key for number, key in enumerate(tree)}
    return msgspec.defstruct("View", fields, frozen=True, gc=False, rename=names)
