"""How values of a record are read: codes, reason texts, words."""

import re
from functools import lru_cache
from typing import Any

_NOT_A_WORD = re.compile(r"[\W_]+")
# Kamailio appends " (503/TM)" and the like to phrases of its own: src/core/error.c.
_KAMAILIO_SUFFIX = re.compile(r"\s*\(\d{3}/\w+\)\s*$")
_CODE = re.compile(r"\s*(?:SIP(?:/\d\.\d)?\s*[: ]\s*)?([1-6]\d\d)(?:\s+(.*?))?\s*", re.IGNORECASE | re.DOTALL)
# A number of any length would be read otherwise; the longest value that can be a code is a status line.
_LONGEST_CODE_TEXT = 1024


class Number(str):
    """The text of a JSON number with a fraction or an exponent, of which a float would lose digits."""

    __slots__ = ()


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Return the text as it is compared: no case, no punctuation, one space between words."""
    return _NOT_A_WORD.sub(" ", _KAMAILIO_SUFFIX.sub("", text).casefold()).strip()


def read_code(value: Any) -> tuple[int | None, str | None]:
    """Return the SIP code that a value holds and the phrase behind it.

    Args:
        value: `486`, `"486"`, `"sip:486"`, `"SIP 486 Busy Here"`, `"SIP/2.0 486 Busy Here"` or anything else.

    Returns:
        A code from 100 to 699 and the phrase; None where there is none.
    """
    if isinstance(value, bool):
        return None, None
    if isinstance(value, int | float):
        return (int(value), None) if 100 <= value < 700 and value == int(value) else (None, None)
    if isinstance(value, str) and len(value) <= _LONGEST_CODE_TEXT:
        found = _CODE.fullmatch(value)
        if found:
            return int(found[1]), found[2] or None
    return None, None
