"""Messages of the forward protocol, made by another implementation than the one under test."""

import gzip
import struct
from typing import Any

import msgpack

RECORD = {"sip_code": 486, "sip_reason": "Busy Here", "id": "a"}


def event_time(seconds: int = 1700000000, nanoseconds: int = 123456789) -> msgpack.ExtType:
    """Return a time with nanoseconds."""
    return msgpack.ExtType(0, struct.pack(">II", seconds, nanoseconds))


def entries(count: int, first: int = 0) -> bytes:
    """Return entries with ascending numbers `n`, which are their nanoseconds too."""
    numbers = range(first, first + count)
    return b"".join(msgpack.packb([event_time(nanoseconds=n), {**RECORD, "n": n}]) for n in numbers)


def packed(count: int, first: int = 0, tag: str = "calls.x", **options: Any) -> bytes:
    """Return a message in the mode PackedForward, or CompressedPackedForward if the options say so."""
    data = entries(count, first)
    if options.get("compressed") == "gzip":
        data = gzip.compress(data)
    return msgpack.packb([tag, data, {"size": count, **options}])
