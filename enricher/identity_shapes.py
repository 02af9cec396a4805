"""Types that decode only records that have something at the same paths, so that whose they are is known beforehand."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from enricher.identity import Fields, Identity
from enricher.profiles import MISSING, Get, Path, Profile
from enricher.text import Number

# What must not be there: no value fits the type.
_ABSENT = (Annotated[str, msgspec.Meta(min_length=1, max_length=0)] | msgspec.UnsetType, MISSING)


class Conflict(Exception):
    """One path wants a value, another one what is inside it."""


class Noting:
    """Notes whether there is something at the paths that are asked for."""

    def __init__(self, get: Get) -> None:
        self.get = get
        self.paths: dict[Path, bool] = {}

    def __call__(self, path: Path) -> Any:
        """Return what the record has there."""
        value = self.get(path)
        self.paths[path] = value is not MISSING
        return value


class Shape:
    """A type for the records of one profile.

    Args:
        profile: that profile.
        asked: whether there is something at a path, for all that decides whose a record is.
        record: gave the answers; read by get.

    Raises:
        Conflict, DecodeError, RecursionError: there is no type that decodes the record.
    """

    def __init__(self, profile: Profile, asked: dict[Path, bool], record: bytes, get: Get) -> None:
        wanted = {path: get(path) is not MISSING for path in Fields(profile).paths}
        self._fields = Fields(profile, wanted.__getitem__)
        tree: dict[str, Any] = {}
        for path, present in (asked | wanted).items():
            if present:
                _put(tree, path, (Any,))
            else:
                # What holds no object has nothing below it either.
                depth = next(depth for depth in range(1, len(path) + 1) if get(path[:depth]) is MISSING)
                _put(tree, path[:depth], _ABSENT)
        self._columns = [attrgetter(_name(tree, path)) for path in self._fields.paths]
        self._decode = msgspec.json.Decoder(_type(tree), float_hook=Number).decode
        self._decode(record)

    def read(self, records: Sequence[bytes]) -> list[Identity | None]:
        """Return what tells each of the records apart; None for one that has another shape or is no UTF-8."""
        views: list[Any] = []
        rest = map(self._decode, records)
        while True:
            try:
                views.extend(rest)  # what came before an error stays, and the map goes on behind it
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                views.append(None)
            else:
                break
        if not all(map(bytes.isascii, records)):  # text that is not looked at is not checked by the decoder
            views = [
                view if record.isascii() or _is_utf8(record) else None
                for view, record in zip(views, records, strict=True)
            ]
        fitting = [view for view in views if view]
        identities = iter(self._fields.read(lambda place: list(map(self._columns[place], fitting)), len(fitting)))
        return [view and next(identities) for view in views]


def _is_utf8(record: bytes) -> bool:
    try:
        return bool(record.decode())
    except UnicodeDecodeError:
        return False


def _put(tree: dict[str, Any], path: Path, leaf: tuple[Any, ...]) -> None:
    """Put a leaf into the tree.

    Raises:
        Conflict: there are leaves below, or one above.
    """
    node: Any = tree
    for key in path[:-1]:
        node = node.setdefault(key, {})
        if isinstance(node, tuple):
            raise Conflict
    if isinstance(node.setdefault(path[-1], leaf), dict):
        raise Conflict


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
