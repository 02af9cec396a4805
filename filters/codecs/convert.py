"""JSON lines and MessagePack events, each made of the other; what the other cannot say becomes text.

From MessagePack to JSON: BIN is text (bytes that are not UTF-8 are written as `\\xNN`), NaN and Infinity are text, keys
are text, EventTime and timestamps are RFC 3339 text, other extensions are `ext(TYPE):BASE64`. From JSON to MessagePack:
numbers beyond 64 bits and beyond a double (`1e400`) are text as they were spelled, lone surrogates are written as
`\\udNNN`. Of equal keys the last one is kept.
"""

import re
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from enricher.errors import InvalidRecord
from filters.forward.wire import array, split
from filters.invalid import Rejected, wrapped

_decode = msgspec.msgpack.Decoder().decode
_decode_json = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.encode
# JSON has no such numbers, and what writes JSON fast writes null instead.
_NO_NUMBER = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]|\xca[\x7f\xff][\x80-\xff]", re.DOTALL)
# Seconds: the year 10000.
_FARTHEST = 253_402_300_800
_SURROGATE = re.compile("[\ud800-\udfff]")


def json_of(record: bytes) -> bytes:
    """Return a MessagePack value as JSON, without a newline."""
    if not _NO_NUMBER.search(record):
        try:
            return orjson.dumps(_decode(record), default=_plain)
        except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
            pass
    return _slow_json_of(record)


def _slow_json_of(record: bytes) -> bytes:
    from msgpack import unpackb

    try:
        value = unpackb(record, strict_map_key=False, unicode_errors="surrogateescape", object_pairs_hook=_members)
        return orjson.dumps(_plain(value))
    except Exception:  # the package raises what the bytes lead it to
        return orjson.dumps(_of_bytes(record))


def _members(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    # A map can be a key in MessagePack.
    return {key if isinstance(key, str) else _key(key): value for key, value in pairs}


def _key(key: Any) -> str:
    plain = _plain(key)
    return plain if isinstance(plain, str) else orjson.dumps(plain).decode()


def _plain(value: Any) -> Any:
    """Return a value as something that JSON can say, all the way down."""
    if isinstance(value, str):
        return value if not _SURROGATE.search(value) else _of_bytes(value.encode(errors="surrogateescape"))
    if isinstance(value, dict):
        return {_key(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, bytes):
        return _of_bytes(value)
    return value if isinstance(value, int | None) else _of_extension(value)


def _of_bytes(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _of_extension(value: Any) -> str:
    if hasattr(value, "nanoseconds"):
        return rfc3339(value.seconds, value.nanoseconds)
    code, data = value.code, value.data
    if code == 0 and len(data) == 8:
        return rfc3339(int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big"))
    return f"ext({code}):{b64encode(data).decode()}"


def rfc3339(seconds: int, nanoseconds: int = 0) -> str:
    """Return a time in UTC, with its nanoseconds if it has any."""
    try:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return str(seconds)
    return f"{text}.{nanoseconds:09d}Z" if nanoseconds else f"{text}Z"


def time_of(head: bytes) -> str:
    """Return the time that the head of an entry holds, as text."""
    raw = head[1:]
    value = _decode(raw) if head[1] != 0x92 else _decode(array(2) + raw[1:])[0]
    if isinstance(value, float):
        whole = int(value // 1)
        return rfc3339(whole, int((value - whole) * 10**9))
    return rfc3339(value) if isinstance(value, int) else _of_extension(value)


def nanoseconds_of(head: bytes) -> int:
    """Return the time that the head of an entry holds, in nanoseconds since 1970; now, if it is none."""
    raw = head[1:]
    value = _decode(raw) if head[1] != 0x92 else _decode(array(2) + raw[1:])[0]
    if isinstance(value, int | float) and 0 <= value < _FARTHEST:
        return round(value * 10**6) * 1000  # a double holds no more than microseconds of our days
    if isinstance(value, msgspec.msgpack.Ext) and value.code == 0:
        data = bytes(value.data)
        return int.from_bytes(data[:4], "big") * 10**9 + int.from_bytes(data[4:8], "big")
    return time.time_ns()


def record_of(line: bytes) -> bytes:
    """Return a JSON line as a MessagePack map; one that is no JSON object is wrapped in one."""
    try:
        value = _decode_json(line)
        if isinstance(value, dict):
            return _pack(value)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        pass
    return _slow_record_of(line)


def _slow_record_of(line: bytes) -> bytes:
    import json

    try:
        value = json.loads(line, parse_int=_integer, parse_float=_float, parse_constant=_no_json)
        if not isinstance(value, dict):
            raise InvalidRecord("not_object", "expected a JSON object")
        return _pack(_encodable(value))
    except InvalidRecord as error:
        kind, message = error.kind, str(error)
    except RecursionError:
        kind, message = "too_deep", "expected JSON that is not nested so deeply"
    except ValueError as error:
        kind, message = "not_json", f"expected a JSON object: {error}"
    return _pack(_decode_json(wrapped(Rejected(0, line.rstrip(b"\r\n"), kind, message))))


def _integer(text: str) -> int | str:
    if len(text) > 20:
        return text
    value = int(text)
    return value if -(2**63) <= value < 2**64 else text


def _float(text: str) -> float | str:
    value = float(text)
    return value if abs(value) < float("inf") else text


def _no_json(name: str) -> str:
    raise ValueError(f"{name} is no JSON")


def _encodable(value: Any) -> Any:
    """Return a value with lone surrogates written out, which UTF-8 cannot say."""
    if isinstance(value, str):
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(member) for key, member in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def event_time(nanoseconds: int) -> bytes:
    """Return a time as an EventTime of MessagePack."""
    # The one of fluent-logger is made of a float, in which 2026 has no single nanoseconds.
    seconds, rest = divmod(nanoseconds, 10**9)
    return b"\xd7\x00" + seconds.to_bytes(4, "big") + rest.to_bytes(4, "big")


def entries_of(lines: bytes, now: int) -> tuple[bytes, int]:
    """Return JSON lines as forward entries, one behind the other, and how many there are.

    Args:
        lines: each with its newline.
        now: their time, in nanoseconds since 1970.
    """
    head = array(2) + event_time(now)
    records = list(map(record_of, lines.split(b"\n")[:-1]))
    return head + head.join(records) if records else b"", len(records)


def lines_of(tag_key: str, time_key: str) -> Callable[[str, bytes, int], bytes]:
    """Return what makes JSON lines of entries, with tag and time as fields at the end.

    Args:
        tag_key: the key of the tag, "" for none. A record that has this key keeps its own value.
        time_key: the same for the time.
    """
    if not tag_key and not time_key:
        return lambda tag, entries, count: b"".join([json_of(record) + b"\n" for record in split(entries, count)[1]])

    def lines(tag: str, entries: bytes, count: int) -> bytes:
        tag = _plain(tag)
        heads, records = split(entries, count)
        return b"".join([with_fields(head, record, tag) for head, record in zip(heads, records, strict=True)])

    def with_fields(head: bytes, record: bytes, tag: str) -> bytes:
        line = json_of(record)
        own = orjson.loads(line)
        if not isinstance(own, dict):
            return line + b"\n"
        extra = {}
        if tag_key and tag_key not in own:
            extra[tag_key] = tag
        if time_key and time_key not in own:
            extra[time_key] = time_of(head)
        comma = b"," if own and extra else b""
        return line[:-1] + comma + orjson.dumps(extra)[1:] + b"\n"

    return lines
