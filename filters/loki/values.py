"""A few values of a record as texts: those that become labels and metadata."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from enricher.errors import InvalidRecord
from enricher.json_record import JsonRecord
from enricher.profiles import MISSING, Path

# One for each path, in its order; None and MISSING are the same.
Values: TypeAlias = tuple[int | str | msgspec.UnsetType | None, ...]


class Picker:
    """Reads the values at some paths of JSON objects: texts and integers at once, anything else by a longer way.

    Args:
        paths: at least one.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        tree: dict[str, Any] = {}
        for path in paths:
            node = tree
            for key in path:
                node = node.setdefault(key, {})
        self._paths = tuple(paths)
        self._decode = msgspec.json.Decoder(_type(tree)).decode
        names = [_attribute(tree, path) for path in paths]
        one = attrgetter(names[0])
        self._values = attrgetter(*names) if len(names) > 1 else lambda view: (one(view),)

    def __call__(self, record: bytes) -> Values:
        """Return the values; none of bytes that are no JSON object."""
        try:
            values: Values = self._values(self._decode(record))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError):
            return self._one_by_one(record)
        return values

    def _one_by_one(self, record: bytes) -> Values:
        try:
            get = JsonRecord(record).get
        except InvalidRecord:
            return (None,) * len(self._paths)
        return tuple(_plain(get(path)) for path in self._paths)


def text_of(value: int | str | msgspec.UnsetType | None) -> str:
    """Return a value as Loki takes it, "" where there is none: to Loki, empty and missing are the same."""
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _plain(value: Any) -> str | None:
    """Return a value as a text; None for what has no text of its own."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | str) else None


def _attribute(tree: dict[str, Any], path: Path) -> str:
    names = []
    for key in path:
        names.append(f"f{list(tree).index(key)}")
        tree = tree[key]
    return ".".join(names)


def _type(tree: dict[str, Any]) -> type[msgspec.Struct]:
    """Return the type that decodes these keys and no others.

    It takes neither 1.0 nor true: what is alike as the key of a cache must be alike as a text.
    """
    fields: list[tuple[str, Any, Any]] = []
    for number, below in enumerate(tree.values()):
        if below:
            kind = _type(below)
            fields.append((f"f{number}", kind, msgspec.field(default_factory=kind)))
        else:
            fields.append((f"f{number}", int | str | msgspec.UnsetType | None, MISSING))
    names = {f"f{number}": key for number, key in enumerate(tree)}
    return msgspec.defstruct("Picked", fields, frozen=True, gc=False, rename=names)
