"""Input for the benchmarks: call logs that are made up, the same ones in each run.

`python benchmarks/data.py FILE KIND COUNT` writes a file of them.
"""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from random import Random
from typing import Any

import msgspec

# How calls end: code, reason as the switch writes it, initiator as DIDWW counts it (1 System, 2 Destination,
# 3 Origination), how many of a thousand calls. Texts are rows, aliases and texts that no table knows.
ENDS = (
    (200, "Bye", 3, 300),
    (200, "Bye", 2, 240),
    (487, "Request terminated (Cancel)", 3, 150),
    (486, "Busy Here", 2, 70),
    (480, "Temporarily Unavailable", 2, 40),
    (404, "Not Found", 2, 40),
    (603, "Decline", 2, 30),
    (480, "DID number overloaded", 1, 20),
    (480, "Capacity limit for DID exceeded", 1, 15),
    (503, "Service Unavailable", 2, 15),
    (403, "Forbidden", 2, 12),
    (408, "Request Timeout", 2, 10),
    (487, "Ringing timeout", 1, 10),
    (484, "Address Incomplete", 2, 8),
    (500, "Internal Server Error", 2, 8),
    (488, "Not Acceptable Here", 2, 6),
    (480, "NO_ANSWER at pbx", 2, 5),
    (410, "Gone", 2, 4),
    (502, "Bad Gateway", 2, 4),
    (504, "Server Time-out", 2, 3),
    (604, "Does Not Exist Anywhere", 2, 3),
    (200, "Rtp timeout", 1, 3),
    (500, "SDP parsing failed", 1, 2),
    (606, "Not Acceptable", 2, 2),
)
INITIATORS = {1: "System", 2: "Destination", 3: "Origination"}
# Of so many different records a stream is made, by repeating them.
DIFFERENT = 5000
MANY_REASONS = 1_000_000

_MONEY = ("rate", "connection_fee", "initial_interval", "next_interval", "duration", "amount")
_BAD = (b'{"sip_code":486,"sip_reason":"Busy', b"Feb 01 10:00:00 sbc1 restarted", b'["sip_code",486]', b"{}}")


class _Call(msgspec.Struct):
    """What both shapes of record are made from."""

    code: int
    reason: str
    initiator: int
    number: int
    duration: int
    caller: str
    callee: str


def _calls(random: Random) -> Iterator[_Call]:
    weights = [weight for *_, weight in ENDS]
    for number in range(DIFFERENT):
        code, reason, initiator, _ = random.choices(ENDS, weights)[0]
        yield _Call(
            code=code,
            reason=reason,
            initiator=initiator,
            number=number,
            duration=random.randrange(1, 900) if code == 200 else 0,
            caller=str(random.randrange(37250000000, 37259999999)),
            callee=str(random.randrange(37250000000, 37259999999)),
        )


def _time(number: int, seconds: int) -> str:
    second = number // 7 + seconds
    return f"2026-02-01 {10 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{number * 7919 % 1000:03}000"


def _flat(call: _Call, random: Random) -> dict[str, Any]:
    """Return a record of ten keys and about 300 bytes."""
    return {
        "time": _time(call.number, 0),
        "call_id": f"{random.randbytes(16).hex()}@192.0.2.{call.number % 250}",
        "src": call.caller,
        "dst": call.callee,
        "trunk": f"trunk-{call.number % 17}",
        "user_agent": "Example PBX 4.2",
        "sip_code": call.code,
        "sip_reason": call.reason,
        "disconnect_initiator": INITIATORS[call.initiator],
        "duration": call.duration,
    }


def _nested(call: _Call, random: Random) -> dict[str, Any]:
    """Return DIDWW's envelope of an inbound call, with about 50 attributes and 1.7 kB."""
    answered = call.code == 200
    money: dict[str, float | None] = {}
    for name in ("tf", "trm", "metered_channels"):
        paid = answered and name != "tf"
        values = (0.012, 0.0, 60, 60, call.duration, round(call.duration * 0.0002, 4))
        money |= {f"{name}_{key}": value if paid else None for key, value in zip(_MONEY, values, strict=True)}
        money[f"{name}_amount_no_vat"] = round(call.duration * 0.00016, 5) if paid else None
    money |= {f"sub_customer_{name}_{key}": None for name in ("tf", "trm") for key in _MONEY}
    return {
        "type": "inbound-cdr",
        "id": f"{random.randbytes(4).hex()}-0000-11ea-bc9d-{random.randbytes(6).hex()}",
        "attributes": {
            "time_start": _time(call.number, 0),
            "time_connect": _time(call.number, 4) if answered else None,
            "time_end": _time(call.number, 4 + call.duration),
            "duration": call.duration,
            "success": answered,
            "did_number": call.callee,
            "dst_number": call.callee,
            "src_number": call.caller,
            "src_name": "",
            "trunk_destination": f"sip:{call.callee}@192.0.2.{call.number % 250}:5060",
            "local_tag": f"10-{random.randbytes(4).hex().upper()}-5DBAF4AA000E6DDB-6A41F700",
            "term_call_id": f"{random.randbytes(16).hex()}@198.51.100.7",
            "user_agent": "Example PBX 4.2",
            "transport_protocol_id": 1,
            "out_pop_id": 4,
            "customer_vat": 20.0,
            "is_last_cdr": True,
            "is_redirected": False,
            "early_media_present": False,
            "routing_attempt": 1,
            "disconnect_initiator": call.initiator,
            "internal_disconnect_code": call.code,
            "internal_disconnect_reason": call.reason,
            "legb_disconnect_code": call.code if call.initiator == 2 else 0,
            "legb_disconnect_reason": call.reason if call.initiator == 2 else "",
            **money,
        },
    }


def records(shape: Callable[[_Call, Random], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the different records of a shape."""
    random = Random(3261)  # noqa: S311  # the same records each time are the point
    return [shape(call, random) for call in _calls(random)]


def _lines(shape: Callable[[_Call, Random], dict[str, Any]]) -> list[bytes]:
    return [json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records(shape)]


def flat() -> Iterator[bytes]:
    """Give flat lines without end."""
    return cycle(_lines(_flat))


def nested() -> Iterator[bytes]:
    """Give nested lines without end."""
    return cycle(_lines(_nested))


def packed() -> Iterator[bytes]:
    """Give the flat records as MessagePack without end."""
    return cycle([msgspec.msgpack.encode(record) for record in records(_flat)])


def bad() -> Iterator[bytes]:
    """Give flat lines without end, of which one in a hundred is no record."""
    lines = _lines(_flat)
    for place in range(50, len(lines), 100):
        lines[place] = _BAD[place // 100 % len(_BAD)] + b"\n"
    return cycle(lines)


def mixed() -> Iterator[bytes]:
    """Give flat and nested lines in turn, without end: two profiles."""
    return cycle([line for pair in zip(_lines(_flat), _lines(_nested), strict=True) for line in pair])


def reasons() -> Iterator[bytes]:
    """Give flat lines with a million different reason texts, then these again."""
    lines = [line.split(b'"sip_reason":"', 1) for line in _lines(_flat)]
    for number, (before, after) in enumerate(cycle(lines)):
        yield b'%b"sip_reason":"%d: %b' % (before, number % MANY_REASONS, after)


KINDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "flat": flat,
    "nested": nested,
    "msgpack": packed,
    "bad": bad,
    "mixed": mixed,
    "reasons": reasons,
}


def write(path: str, kind: str, count: int) -> None:
    """Write a file with so many records of a kind."""
    stream = KINDS[kind]()
    with open(path, "wb") as file:
        while count > 0:
            step = min(count, DIFFERENT)
            file.write(b"".join(islice(stream, step)))
            count -= step


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], int(sys.argv[3]))
