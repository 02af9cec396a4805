"""Records of DIDWW's inbound stream, as they come before they are enriched, for the tests of the recipes."""

from datetime import UTC, datetime, timedelta
from typing import Any

Record = dict[str, Any]

NOW = datetime.now(UTC).replace(microsecond=0)
SYSTEM, DESTINATION, ORIGINATION, NOBODY = 1, 2, 3, 4
SIDES = {"System": SYSTEM, "Destination": DESTINATION, "Origination": ORIGINATION}
A, B = "sip:a@pbx.example.com", "sip:b@192.0.2.20"
ONE, TWO, THREE = "37250000001", "37250000002", "37250000003"


def call(
    code: Any,
    text: str | None,
    side: int,
    *,
    minutes: float = 10,
    ring: float = 15,
    talk: int | None = None,
    **attributes: Any,
) -> Record:
    """Return the record of a call.

    Args:
        minutes: how long ago it ended.
        ring: seconds before the answer or the end.
        talk: seconds after the answer; None for a call that was not answered, save those with code 200.
    """
    talk = 60 if talk is None and code == 200 else talk
    end = NOW - timedelta(minutes=minutes)
    start = end - timedelta(seconds=ring + (talk or 0))
    return {
        "type": "inbound-cdr",
        "attributes": {
            "disconnect_initiator": side,
            "internal_disconnect_code": code,
            "internal_disconnect_reason": text,
            "success": talk is not None,
            "duration": talk or 0,
            "is_last_cdr": True,
            "routing_attempt": 1,
            "time_start": _time(start),
            "time_connect": _time(end - timedelta(seconds=talk)) if talk is not None else None,
            "time_end": _time(end),
            "did_number": ONE,
            "src_number": "37255500001",
            "trunk_destination": A,
            **attributes,
        },
    }


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def bye(side: int = ORIGINATION, **more: Any) -> Record:
    """Return a call that was answered and ended by a hang-up."""
    return call(200, "Bye", side, **more)


def busy(**more: Any) -> Record:
    """Return a call to a busy line."""
    return call(486, "Busy Here", DESTINATION, **more)


def full(reason: str = "DID number overloaded", **more: Any) -> Record:
    """Return a call that met a limit."""
    return call(480, reason, SYSTEM, **more)


def cancel(**more: Any) -> Record:
    """Return a call that the caller gave up."""
    return call(487, "Request terminated (Cancel)", ORIGINATION, **more)
