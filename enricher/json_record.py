"""JSON records as bytes: reading a few of their values, and adding members without touching what is there."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from enricher.added import Added
from enricher.errors import InvalidRecord
from enricher.profiles import MISSING, Path
from enricher.text import Number

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value = msgspec.json.Decoder().decode
_exact_value = msgspec.json.Decoder(float_hook=Number).decode
_WHITE = b" \t\r\n"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)


class JsonRecord:
    """A JSON object that is decoded only where it is asked.

    Args:
        line: the object's bytes; white space around it is allowed.

    Raises:
        InvalidRecord: the bytes are no JSON object, or not UTF-8.
    """

    def __init__(self, line: bytes) -> None:
        self.data = line
        try:
            if not line.isascii():
                line.decode()  # msgspec does not look inside strings that it skips
            self._members = _members(line)
        except UnicodeDecodeError as error:
            raise InvalidRecord(
                "not_utf8", f"expected UTF-8, got byte 0x{line[error.start]:02x} at {error.start}"
            ) from None
        except msgspec.ValidationError as error:
            raise InvalidRecord("not_object", f"expected a JSON object: {error}") from None
        except msgspec.DecodeError as error:
            raise InvalidRecord("not_json", f"expected a JSON object: {error}") from None
        except RecursionError:
            raise InvalidRecord("too_deep", "expected JSON that is not nested so deeply") from None
        self._nodes: dict[Path, Any] = {}

    def get(self, path: Path) -> Any:
        """Return the value at the path, MISSING where there is none."""
        value = self._node(path)
        return _leaf(value) if isinstance(value, msgspec.Raw) else value

    def exact(self, path: Path) -> Any:
        """Return the same, with numbers that are no integers as their text."""
        value = self._node(path)
        return _leaf(value, _exact_value) if isinstance(value, msgspec.Raw) else value

    @property
    def keys(self) -> Any:
        """Return the keys of the object itself."""
        return self._members.keys()

    def extended(self, added: Added) -> bytes:
        """Return the record with all that is added."""
        return splice(self.data, added.json)

    def extended_by(self, added: Added, keys: Sequence[str]) -> bytes:
        """Return the record with some of what is added."""
        return splice(self.data, b"".join(b',"%b":%b' % (key.encode(), added.values[key]) for key in keys))

    def merged(self, target: str, added: Added, *, keep: bool = False) -> bytes | None:
        """Return the record with what is added in the object at the target key; None where that is no object."""
        return merge(self.data, target, added.values, keep=keep)

    def _node(self, path: Path) -> Any:
        """Return what is at the path: raw bytes, an opened object as a dict of raw bytes, or MISSING."""
        nodes = self._nodes
        if path in nodes:
            return nodes[path]
        parent = self._members if len(path) == 1 else self._opened(path[:-1])
        node = nodes[path] = parent.get(path[-1], MISSING) if parent is not None else MISSING
        return node

    def _opened(self, path: Path) -> dict[str, Any] | None:
        node = self._node(path)
        if isinstance(node, msgspec.Raw):
            node = self._nodes[path] = _open(node)
        return node if isinstance(node, dict) else None


def _open(raw: msgspec.Raw) -> Any:
    """Return the members of a raw object, or of an object that is written inside a string; else its value."""
    try:
        return _members(raw)
    except (msgspec.DecodeError, RecursionError):
        return open_text(_leaf(raw))


def open_text(value: Any) -> Any:
    """Return the object that is written inside a string (Asterisk's `extra`), else the value."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return _value(value)
        except (msgspec.DecodeError, RecursionError):
            return value
    return value


def _leaf(raw: msgspec.Raw, decode: Callable[[msgspec.Raw], Any] = _value) -> Any:
    try:
        return decode(raw)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None  # a number like 1e400: it is there, and it is nothing that can be used


class Member(NamedTuple):
    """Where a member of an object lies in its bytes."""

    key: str
    start: int
    end: int


def members(line: bytes, start: int) -> tuple[list[Member], int]:
    """Return the members (spans of their values) of the valid object at `start`, and where its brace closes."""
    found: list[Member] = []
    depth, key, begin = 0, "", 0
    for token in _TOKEN.finditer(line, start):
        text = token[0]
        if text in b"{[":
            depth += 1
        elif depth == 1 and text == b":":
            begin = token.end()
        elif depth == 1 and text in b",}":
            if begin:
                found.append(_member(line, key, begin, token.start()))
            begin = 0
            if text == b"}":
                return found, token.start()
        elif text in b"}]":
            depth -= 1
        elif depth == 1 and not begin and text[:1] == b'"':
            key = _value(text)
    raise AssertionError("only valid objects come here")


def _member(line: bytes, key: str, begin: int, end: int) -> Member:
    value = line[begin:end]
    left = len(value) - len(value.lstrip(_WHITE))
    return Member(key, begin + left, begin + len(value.rstrip(_WHITE)))


def splice(line: bytes, addition: bytes) -> bytes:
    """Return the line with the addition before the brace that closes its object."""
    at = len(line.rstrip(_WHITE)) - 1
    return line[:at] + addition + line[at:]


def merge(line: bytes, target: str, values: dict[str, bytes], *, keep: bool = False) -> bytes | None:
    """Return the line with the values in the object at the target key: namesakes replaced, the others added.

    Args:
        keep: whether namesakes stay as they are.

    Returns:
        None where the target holds something that is no object.
    """
    place = next(member for member in reversed(members(line, 0)[0]) if member.key == target)
    if line[place.start : place.start + 1] != b"{":
        return None
    present, close = members(line, place.start)
    spans = {member.key: member for member in present}
    parts, at = [], 0
    replaced = [] if keep else [spans[key] for key in values if key in spans]
    for member in sorted(replaced, key=lambda member: member.start):
        parts += [line[at : member.start], values[member.key]]
        at = member.end
    fresh = b",".join(b'"%b":%b' % (key.encode(), value) for key, value in values.items() if key not in spans)
    comma = b"," if present and fresh else b""
    return b"".join([*parts, line[at:close], comma, fresh, line[close:]])
