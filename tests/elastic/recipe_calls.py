"""Calls made for the recipes: for each question some that must be found, and near misses that must not be."""

from datetime import timedelta
from typing import Any

import msgspec
from recipe_records import (
    DESTINATION,
    NOBODY,
    NOW,
    ONE,
    SYSTEM,
    THREE,
    TWO,
    A,
    B,
    Record,
    busy,
    bye,
    call,
    cancel,
    full,
)


class Scenario(msgspec.Struct, frozen=True):
    """What one recipe is tried on.

    Args:
        found: calls that KQL and Lucene must find.
        missed: calls that they must not find, each for one reason only.
        columns: what ES|QL and PPL answer with.
        rows: their answer, in order.
    """

    found: list[Record]
    missed: list[Record]
    columns: str
    rows: list[tuple[Any, ...]]


# Rows of the catalog that a recipe names need these to be found by it.
NEEDED: dict[str, Record] = {
    "cut": {"talk": 30},
    "short": {"talk": 3},
    "impatient": {"ring": 4},
    "rerouted": {"is_last_cdr": False},
}

TRUNK, NUMBER, CALLER = "attributes.trunk_destination", "attributes.did_number", "attributes.src_number"
TEXT = "attributes.internal_disconnect_reason"
YESTERDAY, LAST_WEEK = 25 * 60, 8 * 24 * 60

SCENARIOS = {
    "trouble": Scenario(
        [
            call(503, "Service Unavailable", DESTINATION),
            call(503, "Service Unavailable", DESTINATION, minutes=23 * 60),
            full(),
            *(call(200, "Rtp timeout", SYSTEM) for _ in range(3)),
            *(call(401, "Unauthorized", DESTINATION) for _ in range(4)),
            *(call(404, "Not Found", DESTINATION) for _ in range(5)),
            *(call(403, "DID Blocked", SYSTEM) for _ in range(6)),
            *(call(488, "Not Acceptable Here", DESTINATION) for _ in range(7)),
        ],
        [
            bye(),
            busy(),
            cancel(),
            call(603, "Decline", DESTINATION),
            call(487, "Ringing timeout", SYSTEM),
            call(302, "Moved Temporarily", DESTINATION),
            call(698, "", NOBODY),
        ],
        "calls sip.outcome sip.reason sip.initiator",
        [
            (7, "misconfigured", "Not Acceptable Here", "Destination"),
            (6, "blocked", "DID Blocked", "System"),
            (5, "bad_number", "Not Found", "Destination"),
            (4, "challenged", "Unauthorized", "Destination"),
            (3, "dropped", "RTP Timeout (Origination)", "System"),
            (2, "fault", "Service Unavailable", "Destination"),
            (1, "capacity", "Capacity limit for DID exceeded", "System"),
        ],
    ),
    # Trunk A fell from 100 to 40 percent of its seizures; B fell to half, which is not less than half.
    "asr": Scenario(
        [
            *(bye() for _ in range(7)),
            call(200, "Rtp timeout", SYSTEM),
            *(call(408, "Request Timeout", SYSTEM) for _ in range(12)),
            *(bye(minutes=300) for _ in range(4)),
            *(bye(trunk_destination=B) for _ in range(10)),
            *(busy(trunk_destination=B) for _ in range(10)),
            *(bye(minutes=300, trunk_destination=B) for _ in range(3)),
            *(busy(trunk_destination="sip:rare@192.0.2.1") for _ in range(19)),
            bye(minutes=300, trunk_destination="sip:rare@192.0.2.1"),
            call(480, "Temporarily Unavailable", NOBODY, trunk_destination="sip:c@192.0.2.3"),
        ],
        [
            *(full(trunk_destination=B) for _ in range(9)),
            *(call(302, "Moved Temporarily", DESTINATION, trunk_destination=B) for _ in range(9)),
            *(call(403, "DID Blocked", SYSTEM, trunk_destination=B) for _ in range(9)),
            *(call(488, "Codecs not matched", SYSTEM, trunk_destination=B) for _ in range(9)),
            call(183, "Session Progress", DESTINATION),
            call("", "", NOBODY),
        ],
        f"asr_now calls_now asr_before {TRUNK}",
        [(40.0, 20, 100.0, A)],
    ),
    "sides": Scenario(
        [
            call(408, "SIP transaction timeout", SYSTEM),
            call(500, "SDP empty answer", SYSTEM),
            call(488, "Not Acceptable Here", DESTINATION),
            call(503, "Service Unavailable", DESTINATION, trunk_destination=B),
        ],
        [
            full(),
            call(402, "Customer balance too low", SYSTEM),
            call(200, "Rtp timeout", SYSTEM),
            call(404, "Not Found", DESTINATION),
            call(401, "Unauthorized", DESTINATION),
        ],
        f"calls by_system by_endpoint {TRUNK}",
        [(3, 2, 1, A), (1, 0, 1, B)],
    ),
    "unreachable": Scenario(
        [
            call(408, "SIP transaction timeout", SYSTEM, minutes=5),
            call(408, "Request Timeout", SYSTEM, minutes=50),
            call(480, "Gateway not registered", SYSTEM, minutes=30, trunk_destination=B),
        ],
        [
            call(408, "Request Timeout", DESTINATION),
            call(408, "NoAck", SYSTEM),
            call(480, "Temporarily Unavailable", SYSTEM),
            full(),
            call(480, "Temporarily Unavailable", DESTINATION),
            call(500, "SDP processing exception", SYSTEM),
        ],
        f"calls first_call last_call {TRUNK}",
        [(2, NOW - timedelta(minutes=50), NOW - timedelta(minutes=5), A), (1, *[NOW - timedelta(minutes=30)] * 2, B)],
    ),
    "capacity": Scenario(
        [
            full(minutes=1),
            full(minutes=59),
            full(minutes=3, did_number=TWO, trunk_destination=B),
            full("Vendor gateway 7 overloaded", did_number=THREE),
            full("Capacity limit for trunk exceeded", did_number=THREE),
            full("Capacity limit for trunk exceeded", did_number=THREE),
            full("Capacity limit for trunk exceeded", did_number=THREE),
        ],
        [
            call(480, "Temporarily Unavailable", DESTINATION),
            call(480, "Gateway not registered", SYSTEM),
            call(503, "Service Unavailable", DESTINATION),
            busy(),
        ],
        f"calls sip.reason {NUMBER} {TRUNK}",
        [
            (3, "Capacity limit for trunk exceeded", THREE, A),
            (2, "Capacity limit for DID exceeded", ONE, A),
            (1, "Capacity limit for DID exceeded", TWO, B),
            (1, "Temporarily Unavailable", THREE, A),
        ],
    ),
    "balance": Scenario(
        [
            call(402, "Customer balance too low", SYSTEM, minutes=20),
            call(402, "Customer balance too low", SYSTEM, minutes=5),
            call(200, "Teardown", SYSTEM, minutes=21),
        ],
        [
            call(402, "Payment Required", DESTINATION),
            call(402, "Customer balance too low", DESTINATION),
            call(403, "Customer blocked", SYSTEM),
            call(200, "Rtp timeout", SYSTEM),
            bye(),
        ],
        "calls first_call last_call sip.reason",
        [
            (2, NOW - timedelta(minutes=20), NOW - timedelta(minutes=5), "Customer balance too low"),
            (1, *[NOW - timedelta(minutes=21)] * 2, "Teardown"),
        ],
    ),
    "blocked": Scenario(
        [
            call(403, "DID Blocked", SYSTEM),
            call(403, "DID Blocked", SYSTEM),
            call(403, "No trunk assigned", SYSTEM, did_number=TWO),
        ],
        [
            call(403, "Rejected by trunk settings", SYSTEM),
            call(403, "Forbidden", DESTINATION),
            call(403, "No trunk assigned", DESTINATION),
            call(402, "Customer balance too low", SYSTEM),
        ],
        f"calls {NUMBER} sip.reason",
        [(2, ONE, "DID Blocked"), (1, TWO, "No trunk assigned")],
    ),
    "media": Scenario(
        [
            call(200, "Rtp timeout", SYSTEM),
            call(200, "Rtp timeout(legB)", SYSTEM, trunk_destination=B),
            call(200, "RTP Timeout (Destination)", SYSTEM, trunk_destination=B),
        ],
        [
            bye(),
            call(200, "Teardown", SYSTEM),
            call(200, "Session Timeout", SYSTEM),
            call(200, "Transfer Failed", SYSTEM),
            call(408, "Request Timeout", SYSTEM),
            call(500, "No suitable media", SYSTEM),
        ],
        f"calls {TRUNK} sip.reason",
        [(2, B, "RTP Timeout (Destination)"), (1, A, "RTP Timeout (Origination)")],
    ),
    "cut": Scenario(
        [
            call(200, "Transfer Failed: 486/Busy Here", SYSTEM),
            call(200, "Transfer Failed: 404/Not Found", SYSTEM),
            call(408, "NoAck", SYSTEM, talk=30),
            *(call(200, "Call duration limit reached", SYSTEM) for _ in range(3)),
        ],
        [
            bye(),
            call(200, "Rtp timeout", SYSTEM),
            call(200, "Rtp timeout(legB)", SYSTEM),
            call(200, "Teardown", SYSTEM),
            call(408, "Request Timeout", SYSTEM),
        ],
        f"calls sip.code sip.reason {TRUNK}",
        [(3, "200", "OK", A), (2, "200", "Transfer Failed", A), (1, "408", "NoAck", A)],
    ),
    "short": Scenario(
        [bye(talk=0), bye(talk=1), bye(talk=4), bye(DESTINATION, talk=2, trunk_destination=B)],
        [bye(talk=5), bye(talk=40), bye(talk=10), call(200, "Rtp timeout", SYSTEM, talk=3), cancel(ring=2), busy()],
        f"calls sip.initiator {TRUNK}",
        [(3, "Origination", A), (1, "Destination", B)],
    ),
    "numbers": Scenario(
        [
            call(404, "Not Found", DESTINATION),
            call(404, "Not Found", DESTINATION),
            call(484, "Address Incomplete", DESTINATION, did_number=TWO),
        ],
        [
            call(404, "Cant find destination prefix", SYSTEM),
            call(480, "Temporarily Unavailable", DESTINATION),
            call(403, "DID Blocked", SYSTEM),
            call(400, "Bad Request", DESTINATION),
        ],
        f"calls {NUMBER} {TRUNK} sip.reason",
        [(2, ONE, A, "Not Found"), (1, TWO, A, "Address Incomplete")],
    ),
    # Number three is busy for one call in six, which is below a fifth.
    "busy": Scenario(
        [busy(), busy(), call(600, "Busy Everywhere", DESTINATION), busy(did_number=TWO), busy(did_number=THREE)],
        [
            bye(),
            *(bye(did_number=TWO) for _ in range(4)),
            *(bye(did_number=THREE) for _ in range(4)),
            call(603, "Decline", DESTINATION, did_number=THREE),
            call("", "", NOBODY),
        ],
        f"calls busy {NUMBER} busy_percent",
        [(4, 3, ONE, 75.0), (5, 1, TWO, 20.0)],
    ),
    "unanswered": Scenario(
        [
            call(487, "Ringing timeout", SYSTEM),
            call(487, "Ringing timeout", SYSTEM),
            call(480, "Temporarily Unavailable", DESTINATION, did_number=TWO),
        ],
        [cancel(), call(487, "Request Terminated", DESTINATION), full(), busy(), bye()],
        f"calls {NUMBER} sip.reason",
        [(2, ONE, "Ringing timeout"), (1, TWO, "Temporarily Unavailable")],
    ),
    "settings": Scenario(
        [
            call(488, "Codecs not matched", SYSTEM),
            call(488, "Codecs not matched", SYSTEM),
            call(483, "Too Many Hops", DESTINATION, trunk_destination=B),
        ],
        [
            call(500, "SDP processing exception", SYSTEM),
            call(503, "Service Unavailable", DESTINATION),
            call(404, "Not Found", DESTINATION),
            call(403, "Forbidden", DESTINATION),
        ],
        f"calls {TRUNK} sip.code sip.reason",
        [(2, A, "488", "No matching codecs"), (1, B, "483", "Too Many Hops")],
    ),
    "rerouted": Scenario(
        [
            call(503, "Service Unavailable", DESTINATION, is_last_cdr=False),
            call(503, "Service Unavailable", DESTINATION, is_last_cdr=False),
            call(408, "SIP transaction timeout", SYSTEM, is_last_cdr=False, routing_attempt=2, trunk_destination=B),
        ],
        [
            bye(routing_attempt=2),
            call(503, "Service Unavailable", DESTINATION, routing_attempt=3),
            {"sip_code": 503, "time_end": "2026-01-01T00:00:00Z"},
        ],
        f"attempts {TRUNK} sip.code sip.reason",
        [(2, A, "503", "Service Unavailable"), (1, B, "408", "Request Timeout")],
    ),
    "impatient": Scenario(
        [cancel(ring=2), cancel(ring=9.9, did_number=TWO), cancel(ring=1, src_number="37255500002")],
        [
            cancel(ring=10),
            cancel(ring=90),
            call(487, "Request Terminated", DESTINATION, ring=2),
            call(487, "Ringing timeout", SYSTEM, ring=2),
            busy(ring=2),
            bye(ring=2, talk=1),
        ],
        f"calls numbers {CALLER}",
        [(2, 2, "37255500001"), (1, 1, "37255500002")],
    ),
    "rejected": Scenario(
        [
            call(603, "Decline", DESTINATION),
            call(603, "Decline", DESTINATION),
            call(607, "Unwanted", DESTINATION, src_number="37255500002"),
        ],
        [
            call(603, "Decline", SYSTEM),
            call(603, "Network Blocked", DESTINATION),
            call(608, "Rejected", DESTINATION),
            call(403, "Forbidden", DESTINATION),
            busy(),
        ],
        f"calls numbers {CALLER} sip.reason",
        [(2, 1, "37255500001", "Decline"), (1, 1, "37255500002", "Unwanted")],
    ),
    # Ten calls within one minute, and nine; the tenth of the second caller comes a minute later.
    "burst": Scenario(
        [
            *(busy(minutes=10, did_number=f"3725000{last:04}") for last in range(10)),
            *(bye(minutes=10, src_number="37255500002") for _ in range(9)),
            bye(minutes=11, src_number="37255500002"),
        ],
        [*(bye(src_number="") for _ in range(12)), *(bye(src_number=None) for _ in range(12)), call("", "", NOBODY)],
        f"calls numbers at_minute {CALLER}",
        [(10, 10, (NOW - timedelta(minutes=10)).replace(second=0), "37255500001")],
    ),
    "unreadable": Scenario(
        [call("", "Sorry", NOBODY), call("", "Sorry", NOBODY), call(698, "Never heard of", SYSTEM)],
        [bye(), call(420, "", DESTINATION), call(500, "A text that nobody knows", SYSTEM), call(180, "", NOBODY)],
        f"calls sip.match sip.code {TEXT}",
        [(2, "none", None, "Sorry"), (1, "class", "698", "Never heard of")],
    ),
    "unknown": Scenario(
        [
            call(500, "A text that nobody knows", SYSTEM),
            call(500, "A text that nobody knows", SYSTEM, minutes=6 * 24 * 60),
            call(486, "Ich bin nicht da", DESTINATION),
        ],
        [
            busy(),
            call(486, "User Busy", DESTINATION),
            call(486, "", DESTINATION),
            call(486, None, DESTINATION),
            call(698, "Never heard of", SYSTEM),
        ],
        f"calls sip.code {TEXT} sip.initiator",
        [
            (2, "500", "A text that nobody knows", "System"),
            (1, "486", "Ich bin nicht da", "Destination"),
        ],
    ),
}
