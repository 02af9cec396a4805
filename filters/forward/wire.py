"""Messages of the forward protocol as bytes.

https://github.com/fluent/forward-protocol/blob/master/Forward-Protocol-Specification-v1.5.md
"""

import zlib
from base64 import b64encode
from collections.abc import Sequence
from os import urandom
from typing import Any, NamedTuple

import msgspec

NIL = b"\xc0"
# What one decompressed piece may become at once.
_PIECE = 1 << 20
# An event of three bytes takes a hundred times as much when it is read.
MOST_EVENTS = 1_000_000

_Parts = list[msgspec.Raw]
_parts = msgspec.msgpack.Decoder(_Parts).decode
_pairs = msgspec.msgpack.Decoder(list[tuple[msgspec.Raw, msgspec.Raw]]).decode
_members = msgspec.msgpack.Decoder(dict[Any, msgspec.Raw]).decode
_TOO_MANY = f"expected at most {MOST_EVENTS} events in a message, got more"
_any = msgspec.msgpack.Decoder().decode

_ARRAYS = frozenset([*range(0x90, 0xA0), 0xDC, 0xDD])
_MAPS = frozenset([*range(0x80, 0x90), 0xDE, 0xDF])
_BLOBS = frozenset([*range(0xA0, 0xC0), 0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB])
_INTEGERS = frozenset([*range(0x80), 0xCC, 0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3])
# An integer, a float (not in the specification, but some clients send it), EventTime, or one of them with metadata.
_TIMES = _INTEGERS | {0xCA, 0xCB, 0xD7, 0xC7, 0x92}


class Malformed(Exception):
    """The bytes are no message of the protocol, or one that is not taken."""


class Message(NamedTuple):
    """A message with events.

    Args:
        heads: for each event the bytes in front of its record: the head of the entry, its time and metadata.
        records: each event's record.
        chunk: the bytes of the id that is to be acknowledged, b"" for none.
    """

    tag: str
    heads: list[bytes]
    records: list[bytes]
    chunk: bytes = b""


def array(count: int) -> bytes:
    """Return the head of an array."""
    return bytes([0x90 | count]) if count < 16 else b"\xdd" + count.to_bytes(4, "big")


def array_head(data: bytes) -> tuple[int, int]:
    """Return how long the head of an array is and how many values it announces."""
    width = 0 if data[0] < 0xA0 else 2 if data[0] == 0xDC else 4
    return 1 + width, int.from_bytes(data[1 : 1 + width], "big") if width else data[0] & 0x0F


def binary(data: bytes) -> bytes:
    """Return the head of binary data of that length."""
    return b"\xc6" + len(data).to_bytes(4, "big")


def text_of(raw: bytes | msgspec.Raw) -> str:
    """Return a text that came as STR or BIN; bytes that are not UTF-8 survive the way back.

    Raises:
        Malformed: it is neither.
    """
    raw = bytes(raw)
    if raw[0] not in _BLOBS:
        raise Malformed(f"expected a text, got a value that begins with byte {raw[:1].hex()}")
    return _blob(raw).decode(errors="surrogateescape")


def packed_text(text: str) -> bytes:
    """Return a text as STR."""
    data = text.encode(errors="surrogateescape")
    if len(data) < 32:
        return bytes([0xA0 | len(data)]) + data
    return b"\xdb" + len(data).to_bytes(4, "big") + data


def decode(frame: bytes, limit: int) -> Message | None:
    """Return the events of a message in any of the four modes, None for a keep-alive.

    Args:
        limit: how large decompressed entries may be, in bytes.

    Raises:
        Malformed: it is no message.
    """
    if frame == NIL:
        return None
    if frame[:1] == b"" or frame[0] not in _ARRAYS:
        raise Malformed(_guess(frame))
    _, count = array_head(frame)
    if not 2 <= count <= 4:
        raise Malformed(f"expected an array of 2 to 4 parts, got {count}")
    try:
        parts = _parts(frame)
    except (msgspec.DecodeError, RecursionError):
        raise Malformed("expected a message that is whole and not nested so deeply") from None
    tag = text_of(parts[0])
    second = bytes(parts[1])
    if second[0] in _ARRAYS or second[0] in _BLOBS:
        options = _options(parts[2:])
        entries, count = _entries(second, options, limit)
        heads, records = split(entries, count)
    elif len(parts) in (3, 4):
        options = _options(parts[3:])
        heads, records = split(array(2) + second + bytes(parts[2]), 1)
    else:
        raise Malformed("expected the entries, or a time and a record, behind the tag")
    return Message(tag, _with_metadata(heads, options), records, options.get("chunk", b""))


def _guess(frame: bytes) -> str:
    """Say what came instead of an array."""
    if frame[:1] in (b"{", b"["):
        return "expected a MessagePack array, got what looks like JSON"
    if frame[:1] in (b"\x16",):
        return "expected a MessagePack array, got what looks like TLS"
    return f"expected a MessagePack array, got a value that begins with byte {frame[:1].hex()}"


def _options(parts: Sequence[msgspec.Raw]) -> dict[str, bytes]:
    """Return the options of a message, each still packed."""
    if len(parts) > 1:
        raise Malformed(f"expected at most the options behind the entries, got {len(parts)} parts")
    if not parts or bytes(parts[0]) == NIL:
        return {}
    try:
        members = _members(parts[0])
    except (ValueError, RecursionError, TypeError):  # a msgspec.DecodeError is a ValueError
        raise Malformed("expected a map of options") from None
    options = {_key(key): bytes(value) for key, value in members.items()}
    if _value(options.get("fluent_signal", b"\x00")) not in (0, None):
        raise Malformed("expected log records, got metrics or traces (fluent_signal)")
    if options.get("chunk") == NIL:
        del options["chunk"]
    return options


def _key(key: object) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)


def _value(raw: bytes) -> Any:
    try:
        return _any(raw)
    except (ValueError, RecursionError, TypeError):
        return None


def _entries(second: bytes, options: dict[str, bytes], limit: int) -> tuple[bytes, int]:
    """Return the entries, one behind the other, and how many there are if that is known, else 0."""
    first = second[0]
    if first in _ARRAYS:
        begin, count = array_head(second)
        if count > MOST_EVENTS:
            raise Malformed(_TOO_MANY)
        return second[begin:], count
    data = _blob(second)
    kind = text_of(options["compressed"]) if "compressed" in options else "text"
    if kind == "gzip":
        data = gunzip(data, limit)
    elif kind == "zstd":
        data = unzstd(data, limit)
    elif kind != "text":
        raise Malformed(f"expected entries compressed by gzip or zstd, got {kind!r}")
    size = _value(options.get("size", NIL))
    return data, size if isinstance(size, int) and 0 < size <= MOST_EVENTS else 0


def _blob(raw: bytes) -> bytes:
    """Return what is in STR or BIN."""
    width = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}.get(raw[0], 0)
    return raw[1 + width :]


def split(entries: bytes, count: int = 0) -> tuple[list[bytes], list[bytes]]:
    """Return the heads and the records of entries that stand one behind the other.

    Args:
        count: how many there should be; 0 if that is not known.

    Raises:
        Malformed: they are no entries.
    """
    if not entries:
        return [], []
    pairs = None
    try:
        if count:
            pairs = _pairs(b"\xdd" + count.to_bytes(4, "big") + entries)
    except (msgspec.DecodeError, RecursionError):
        pass  # the number that the client gave may be wrong
    if pairs is None:
        pairs = _counted(entries)
    heads = [b"\x92" + bytes(time) for time, _ in pairs]
    records = [bytes(record) for _, record in pairs]
    odd = {head[1] for head in heads} - _TIMES
    if odd:
        raise Malformed(f"expected a time in front of a record, got a value that begins with byte {min(odd):02x}")
    return heads, records


def _counted(entries: bytes) -> list[tuple[msgspec.Raw, msgspec.Raw]]:
    count = _count(entries)
    try:
        return _pairs(b"\xdd" + count.to_bytes(4, "big") + entries)
    except RecursionError:
        raise Malformed("expected entries that are not nested so deeply") from None
    except msgspec.DecodeError as error:
        raise Malformed(f"expected whole entries of a time and a record: {error}") from None


def _count(entries: bytes) -> int:
    from msgpack import OutOfData, Unpacker

    unpacker = Unpacker(None, max_buffer_size=0)
    unpacker.feed(entries)
    count = 0
    try:
        while count <= MOST_EVENTS:
            unpacker.skip()
            count += 1
    except OutOfData:
        return count
    except ValueError:  # what the package raises for bytes that are none, and for depth
        raise Malformed("expected entries in MessagePack that are not nested so deeply") from None
    raise Malformed(_TOO_MANY)


def _with_metadata(heads: list[bytes], options: dict[str, bytes]) -> list[bytes]:
    """Return the heads with the metadata that the options hold for all events, where an event has none of its own."""
    metadata = options.get("metadata", b"")
    if not metadata or metadata[0] not in _MAPS or metadata == b"\x80":
        return heads
    return [head if head[1] == 0x92 else b"\x92\x92" + head[1:] + metadata for head in heads]


def gunzip(data: bytes, limit: int) -> bytes:
    """Return what is in one or more gzip members, one behind the other.

    Raises:
        Malformed: they are damaged, or more than `limit` bytes are in them.
    """
    pieces: list[bytes] = []
    total = 0
    while data:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                piece = member.decompress(data, _PIECE)
            except zlib.error as error:
                raise Malformed(f"expected gzip: {error}") from None
            data = member.unconsumed_tail or member.unused_data
            total += len(piece)
            if total > limit:
                raise Malformed(_too_large(limit))
            if not piece and not data and not member.eof:
                raise Malformed("expected gzip: it is cut off")
            pieces.append(piece)
    return b"".join(pieces)


def unzstd(data: bytes, limit: int) -> bytes:
    """Return what is in one or more Zstandard frames, one behind the other.

    Raises:
        Malformed: they are damaged, more than `limit` bytes are in them, or there is nothing to read them with.
    """
    try:
        import zstandard
    except ImportError:
        raise Malformed("Zstandard needs one package more: pip install 'sipsense[zstd]'") from None
    from io import BytesIO

    from filters.sources.zstd import decompressed

    pieces: list[bytes] = []
    total = 0
    try:
        for piece in decompressed(BytesIO(data)):
            total += len(piece)
            if total > limit:
                raise Malformed(_too_large(limit))
            pieces.append(piece)
    except (zstandard.ZstdError, EOFError) as error:
        raise Malformed(f"expected Zstandard: {error}") from None
    return b"".join(pieces)


def _too_large(limit: int) -> str:
    return f"expected at most {limit} bytes of entries after decompression, got more"


def new_chunk() -> str:
    """Return an id for a message: 128 bits in base64, as the specification asks."""
    return b64encode(urandom(16)).decode()


def packed_forward(tag: str, entries: bytes, count: int, chunk: str = "", *, gzip: bool = False) -> list[bytes]:
    """Return a message with entries, in pieces.

    Args:
        entries: the entries, one behind the other.
        chunk: the id that the target is to acknowledge.
        gzip: whether they are to be compressed.
    """
    options: dict[str, Any] = {"size": count}
    if chunk:
        options["chunk"] = chunk
    if gzip:
        options["compressed"] = "gzip"
        compressor = zlib.compressobj(level=3, wbits=31)  # a third of the time of the default, a third larger
        entries = compressor.compress(entries) + compressor.flush()
    return [array(3) + packed_text(tag) + binary(entries), entries, msgspec.msgpack.encode(options)]


def ack(chunk: bytes) -> bytes:
    """Return the answer to a message with this chunk id, given as it came."""
    return b"\x81\xa3ack" + chunk
