"""Times and lengths of time as call logs write them, read to whole nanoseconds."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Context, Decimal
from operator import itemgetter
from typing import Any

SECOND = 10**9
UNITS = {"s": SECOND, "ms": 10**6, "us": 10**3}
_LAST = 2**63 - 1  # what Elasticsearch's date_nanos and Loki hold: the year 2262
_LONGEST = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_FIFTH = itemgetter(4)

# A count since 1970 tells its unit by its size: each of them spans March 1973 to the year 5138.
_SMALLEST = 10**8
_SIZES = ((10**11, SECOND), (10**14, 10**6), (10**17, 10**3), (10**20, 1))
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_EXACT = Context(prec=2 * _LONGEST)  # holds all digits of a number times its unit

_SEVENTH_DIGIT = re.compile(r"[.,]\d{6}(\d{1,3})", re.ASCII)
# RFC 3339 allows small letters; "2026-02-01 10:00:09 +0000" is how Ruby and Fluentd write times.
_OTHER_ZONE = re.compile(r"(\S{10}[ Tt]\S{8,18}) ?(UTC|GMT|[Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_RFC_2822 = re.compile(
    r"(?:[A-Z][a-z]{2},\s*)?(\d{1,2})\s+([A-Z][a-z]{2})\s+(\d{4})\s+(\d\d):(\d\d)(?::(\d\d))?\s+(GMT|UTC?|[+-]\d{4})",
    re.ASCII,
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}


def time_zone(name: str) -> tzinfo | None:
    """Return the zone of that name, None for "".

    Raises:
        LookupError, OSError, ValueError: there is none.
    """
    if name in ("", "UTC"):
        return UTC if name else None
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def read_time(value: Any, zone: tzinfo | None = None) -> int | None:
    """Return nanoseconds since 1970 UTC; None for what is no time, and for 1970 itself (which stands for never).

    Args:
        value: a count of seconds, milli-, micro- or nanoseconds, as number or text; or a text after ISO 8601 (with T or
            a blank, with a zone or none) or RFC 2822. What is behind the ninth digit of a fraction is cut off.
        zone: that of texts that say none; without it they are not read.
    """
    if isinstance(value, str):
        iso = len(value) > 18 and value[4] == "-"
        found = _of_iso(value, zone) if iso else _of_text(value)
    elif isinstance(value, float):
        found = _of_count(repr(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        found = _scaled(value)
    else:
        return None
    return found if found is not None and 0 < found <= _LAST else None


def read_times(values: Sequence[Any], zone: tzinfo | None = None) -> list[int | None]:
    """Return what read_time makes of each value; quick for texts after ISO 8601 that are alike."""
    try:
        return _of_isos(values, zone)
    except (TypeError, ValueError, LookupError):
        return [read_time(value, zone) for value in values]


def _of_isos(values: Sequence[Any], zone: tzinfo | None) -> list[int | None]:
    """Return nanoseconds.

    Raises:
        TypeError, ValueError, LookupError: one of them wants a closer look.
    """
    longest = max(map(len, values))
    aware = datetime.fromisoformat(values[0]).tzinfo is not None
    if min(map(len, values)) <= 18 or set(map(_FIFTH, values)) != {"-"} or not (aware or zone is UTC):
        raise ValueError  # a day or a count, or of a zone that is not simply taken off
    if longest > 26 and any(value[26:27].isdecimal() for value in values):
        raise ValueError  # a seventh digit would be cut off
    epoch = _EPOCH if aware else _PLAIN_EPOCH  # to give each of them a zone costs more than all the rest
    moments = map(datetime.fromisoformat, values)
    found: list[int | None] = [(moment - epoch) // _MICROSECOND * 1000 for moment in moments]
    if not 0 < min(found) <= max(found) <= _LAST:  # type: ignore[operator, type-var]  # there is no None
        raise ValueError
    return found


def read_duration(value: Any, unit: int) -> int | None:
    """Return nanoseconds; None for what is no length of time.

    Args:
        value: a number or its text.
        unit: how many nanoseconds 1 stands for.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    number = value if isinstance(value, int) else _decimal(value if isinstance(value, str) else repr(value))
    if number is None or not 0 <= number <= _LAST:
        return None
    found = int(_EXACT.multiply(Decimal(number), Decimal(unit)))
    return found if found <= _LAST else None


def _of_text(text: str) -> int | None:
    if len(text) > _LONGEST:
        return None
    text = text.strip()
    return _of_count(text) if text[:1].isdecimal() and " " not in text else _of_rfc_2822(text)


def _of_iso(text: str, zone: tzinfo | None) -> int | None:
    moment = _moment(text)
    if moment is None:
        found = _OTHER_ZONE.fullmatch(text)
        moment = _moment(found[1] + (found[2] if found[2][0] in "+-" else "Z")) if found else None
    if moment is None:
        return None
    if moment.tzinfo:
        gone = moment - _EPOCH
    elif zone is UTC:
        gone = moment - _PLAIN_EPOCH  # to give it a zone costs more than all the rest
    elif zone:
        gone = moment.replace(tzinfo=zone) - _EPOCH
    else:
        return None
    nanoseconds = (gone.days * 86400 + gone.seconds) * SECOND + gone.microseconds * 1000
    if len(text) > 26 and text[26].isdecimal() and (more := _SEVENTH_DIGIT.match(text, 19)):
        nanoseconds += int(more[1].ljust(3, "0"))
    return nanoseconds


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _of_count(text: str) -> int | None:
    whole, _, fraction = text.partition(".")
    if len(whole) == 10 and text.isascii() and whole.isdecimal() and (fraction.isdecimal() or not fraction):
        return int(whole) * SECOND + int(fraction[:9].ljust(9, "0"))
    number = _decimal(text)
    return None if number is None else _scaled(number)


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if len(text) <= _LONGEST and _NUMBER.fullmatch(text) else None


def _scaled(count: int | Decimal) -> int | None:
    if count < _SMALLEST:
        return None
    for end, unit in _SIZES:
        if count < end:
            return count * unit if isinstance(count, int) else int(_EXACT.multiply(count, Decimal(unit)))
    return None


def _of_rfc_2822(text: str) -> int | None:
    found = _RFC_2822.fullmatch(text)
    if not found or found[2] not in _MONTHS:
        return None
    day, _, year, hour, minute, second, zone = found.groups()
    offset = timedelta()
    if zone[0] in "+-":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:])) * (-1 if zone[0] == "-" else 1)
    try:
        moment = datetime(
            int(year), _MONTHS[found[2]], int(day), int(hour), int(minute), int(second or 0), tzinfo=timezone(offset)
        )
    except ValueError:
        return None
    gone = moment - _EPOCH
    return (gone.days * 86400 + gone.seconds) * SECOND
