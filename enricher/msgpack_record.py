"""MessagePack records as bytes: the twin of `json_record` for what Fluentd hands over."""

from collections.abc import Sequence
from typing import Any

import msgspec

from enricher.added import Added
from enricher.errors import InvalidRecord
from enricher.json_record import open_text
from enricher.profiles import MISSING, Path

_value = msgspec.msgpack.Decoder().decode
_members = msgspec.msgpack.Decoder(dict[Any, msgspec.Raw]).decode


class MsgpackRecord:
    """A MessagePack map that is decoded only where it is asked; keys and texts may be STR or BIN.

    Fluentd 1.18 hands over BIN where its JSON parser made binary strings.

    Raises:
        InvalidRecord: the bytes are no single map.
    """

    def __init__(self, record: bytes) -> None:
        self.data = record
        try:
            self._nodes: dict[Path, Any] = {(): _named(_members(record))}
        except msgspec.ValidationError as error:
            raise InvalidRecord("not_map", f"expected a MessagePack map: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError) as error:  # the latter two before msgspec 0.23
            self._nodes = {(): _loose_members(record, error)}
        except RecursionError:
            raise InvalidRecord("too_deep", "expected MessagePack that is not nested so deeply") from None

    @property
    def keys(self) -> Any:
        """Return the keys of the map itself, as text."""
        return self._nodes[()].keys()

    def extended(self, added: Added) -> bytes:
        """Return the record with all that is added."""
        return extend(self.data, added.msgpack, added.count)

    def extended_by(self, added: Added, keys: Sequence[str]) -> bytes:
        """Return the record with some of what is added."""
        return extend(self.data, b"".join(_pack(key, added.values[key]) for key in keys), len(keys))

    def merged(self, target: str, added: Added, *, keep: bool = False) -> bytes | None:
        """Return the record with what is added in the map at the target key; None where that is no map."""
        return merge(self.data, target, added.values, keep=keep)

    def get(self, path: Path) -> Any:
        """Return the value at the path, MISSING where there is none."""
        nodes = self._nodes
        if path not in nodes:
            parent = nodes[path[:-1]] if len(path) == 1 else self.get(path[:-1])
            parent = open_text(parent)
            raw = parent.get(path[-1], MISSING) if isinstance(parent, dict) else MISSING
            nodes[path] = _leaf(raw) if isinstance(raw, msgspec.Raw) else raw
        return nodes[path]

    exact = get  # a float is all that MessagePack has


def _loose_members(record: bytes, error: Exception) -> dict[str, Any]:
    """Return the members of a map with a key that is no UTF-8, as old log lines have them.

    Args:
        error: why it cannot be decoded.

    Raises:
        InvalidRecord: it is not such a key alone.
    """
    from msgpack import UnpackException, unpackb

    try:
        unpackb(record, strict_map_key=False, unicode_errors="replace")
        spans = _spans(record)
    except (UnpackException, ValueError, TypeError):
        raise InvalidRecord("not_msgpack", f"expected a MessagePack map: {error}") from None
    return {key: msgspec.Raw(record[begin:end]) for key, (begin, end) in spans.items()}


def _named(members: dict[Any, Any]) -> dict[str, Any]:
    """Return the members by key as text; keys that are no text are nothing that a path can name."""
    texts = ((_text(key), value) for key, value in members.items())
    return {key: value for key, value in texts if isinstance(key, str)}


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _leaf(raw: msgspec.Raw) -> Any:
    try:
        value = _text(_value(raw))
    except (msgspec.DecodeError, RecursionError, ValueError, TypeError):
        return None
    return _named(value) if isinstance(value, dict) else value


def _pack(key: str, json: bytes) -> bytes:
    return msgspec.msgpack.encode(key) + _repack(json)


def _repack(json: bytes) -> bytes:
    return msgspec.msgpack.encode(msgspec.json.decode(json))


def extend(record: bytes, addition: bytes, count: int) -> bytes:
    """Return the map with `count` members more: its header raised, the addition at its end."""
    header, total = map_header(record)
    return raised(record[0], total + count) + record[header:] + addition


def map_header(record: bytes) -> tuple[int, int]:
    """Return the length of the map's header and how many members it counts."""
    first = record[0]
    if first <= 0x8F:
        return 1, first & 0x0F
    width = 2 if first == 0xDE else 4
    return 1 + width, int.from_bytes(record[1 : 1 + width], "big")


def raised(first: int, count: int) -> bytes:
    """Return the header of a map of that many members, as narrow as the old one (by its first byte) allows."""
    if first <= 0x8F and count <= 0x0F:
        return bytes([0x80 | count])
    if first != 0xDF and count <= 0xFFFF:
        return b"\xde" + count.to_bytes(2, "big")
    return b"\xdf" + count.to_bytes(4, "big")


def merge(record: bytes, target: str, values: dict[str, bytes], *, keep: bool = False) -> bytes | None:
    """Return the record with the values in the map at the target key; None where it holds something else.

    Args:
        keep: whether members that are there stay as they are.
    """
    start, end = _spans(record)[target]
    inner = record[start:end]
    if not (0x80 <= inner[0] <= 0x8F or inner[0] in b"\xde\xdf"):
        return None
    spans = _spans(inner)
    parts, at = [], 0
    for key in [] if keep else sorted(set(values) & set(spans), key=spans.__getitem__):
        parts += [inner[at : spans[key][0]], _repack(values[key])]
        at = spans[key][1]
    replaced = b"".join([*parts, inner[at:]])
    fresh = [key for key in values if key not in spans]
    merged = extend(replaced, b"".join(_pack(key, values[key]) for key in fresh), len(fresh)) if fresh else replaced
    return record[:start] + merged + record[end:]


def _spans(record: bytes) -> dict[str, tuple[int, int]]:
    """Return where the values of a map lie, by key; of equal keys the last."""
    from msgpack import Unpacker

    unpacker = Unpacker(None, max_buffer_size=0, strict_map_key=False, unicode_errors="replace")
    unpacker.feed(record)
    spans = {}
    for _ in range(unpacker.read_map_header()):
        key = _text(unpacker.unpack())
        start = unpacker.tell()
        unpacker.skip()
        if isinstance(key, str):
            spans[key] = (start, unpacker.tell())
    return spans
