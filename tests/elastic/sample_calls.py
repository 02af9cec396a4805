"""A day of calls, made up and the same each time: records of DIDWW's stream as they arrive, and enriched.

Four trunks, a handful of numbers, a working day's curve, and four incidents that an operator has to see: a trunk whose
server fails, a capacity limit that is reached at noon, a balance that runs out, and media that time out on one trunk.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from enricher import Enricher

START = datetime(2026, 2, 3, tzinfo=UTC)
END = START + timedelta(days=1)
TRUNKS = (
    "sip:sales@pbx1.example.com",
    "sip:support@pbx2.example.com",
    "sip:office@pbx3.example.com",
    "sip:fax@192.0.2.40",
)
NUMBERS = tuple(f"3725000{number:04}" for number in (101, 102, 103, 200, 201, 300, 301, 302, 404))
# How many of a day's calls begin in each hour.
CURVE = (1, 1, 1, 1, 1, 2, 4, 9, 18, 24, 26, 25, 21, 23, 25, 24, 22, 17, 12, 9, 8, 6, 4, 2)
# Code, reason as the platform writes it, initiator (1 System, 2 Destination, 3 Origination), weight on a usual day.
USUAL = (
    (200, "Bye", 3, 320),
    (200, "Bye", 2, 250),
    (487, "Request terminated (Cancel)", 3, 150),
    (487, "Ringing timeout", 1, 60),
    (486, "Busy Here", 2, 55),
    (603, "Decline", 2, 22),
    (480, "Temporarily Unavailable", 2, 30),
    (404, "Not Found", 2, 9),
    (484, "Address Incomplete", 2, 3),
    (488, "Not Acceptable Here", 2, 4),
    (500, "Internal Server Error", 2, 4),
    (503, "Service Unavailable", 2, 3),
    (408, "Request Timeout", 2, 3),
    (200, "Rtp timeout", 1, 3),
    (200, "Transfer Failed: 486/Busy Here", 1, 1),
    (500, "SDP parsing failed", 1, 2),
    (302, "Moved Temporarily", 2, 2),
    (407, "Proxy Authentication Required", 2, 2),
    (403, "Source number blacklisted", 1, 2),
    (480, "Gateway not registered", 1, 3),
    (607, "Unwanted", 2, 1),
    (608, "Rejected", 2, 1),
    (420, "Bad Extension", 2, 1),
    (480, "Gateway not registered", None, 2),
)


def records(count: int = 4000) -> list[dict[str, Any]]:
    """Return the day's records, in the order in which the calls ended."""
    random = Random(3261)
    made = [_record(random, number) for number in range(count)]
    return sorted(made, key=lambda record: record["attributes"]["time_end"])


def documents(count: int = 4000) -> list[dict[str, Any]]:
    """Return the day's records as they are in the index: enriched, and with the time in `@timestamp`."""
    return [*_documents(records(count))]


def _documents(made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    enricher = Enricher()
    for record in made:
        ended = datetime.fromisoformat(record["attributes"]["time_end"]).replace(tzinfo=UTC)
        line = enricher.enrich_json(msgspec.json.encode(record))
        yield {"@timestamp": ended.isoformat().replace("+00:00", "Z")} | msgspec.json.decode(line)


def _record(random: Random, number: int) -> dict[str, Any]:
    hour = random.choices(range(24), CURVE)[0]
    start = START + timedelta(hours=hour, seconds=random.randrange(3590), microseconds=random.randrange(10**6))
    trunk = random.choices(TRUNKS, (45, 30, 20, 5))[0]
    called = random.choices(NUMBERS, (20, 18, 12, 14, 10, 10, 8, 6, 2))[0]
    code, reason, initiator = _end(random, start, trunk, called)
    connected = code == 200
    ringing = 0.2 if initiator == 1 and not connected else random.uniform(1, 25)
    talking = min(int(random.expovariate(1 / 140)) + 1, 2000) if connected else 0
    end = min(start + timedelta(seconds=ringing + talking), END - timedelta(milliseconds=1))
    return {
        "type": "inbound-cdr",
        "id": f"{random.randbytes(4).hex()}-0000-11ef-bc9d-{number:012}",
        "attributes": {
            "disconnect_initiator": initiator,
            "internal_disconnect_code": code,
            "internal_disconnect_reason": reason,
            "success": connected,
            "duration": talking,
            "is_last_cdr": True,
            "routing_attempt": 1,
            "time_start": _time(start),
            "time_connect": _time(start + timedelta(seconds=ringing)) if connected else None,
            "time_end": _time(end),
            "did_number": called,
            "src_number": f"372{random.randrange(5000000, 5999999)}",
            "trunk_destination": trunk,
        },
    }


def _end(random: Random, start: datetime, trunk: str, called: str) -> tuple[int, str, int | None]:
    """Return how a call ends that begins then."""
    minute = start.hour * 60 + start.minute
    if called == NUMBERS[-1]:
        return 404, "Not Found", 2  # a number that the endpoint does not know
    if trunk == TRUNKS[1] and 615 <= minute < 670 and random.random() < 0.85:
        return random.choices([(503, "Service Unavailable", 2), (408, "SIP transaction timeout", 1)], (3, 2))[0]
    if 700 <= minute < 745 and random.random() < 0.4:
        return random.choices(
            [(480, "DID number overloaded", 1), (480, "Capacity limit for trunk exceeded", 1)], (1, 2)
        )[0]
    if 1125 <= minute < 1155 and random.random() < 0.9:
        return 402, "Customer balance too low", 1
    if trunk == TRUNKS[2] and 845 <= minute < 960 and random.random() < 0.3:
        return 200, "Rtp timeout", 1
    code, reason, initiator, _ = random.choices(USUAL, [end[-1] for end in USUAL])[0]
    return code, reason, initiator


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"
