"""Records for the tests of the ingest pipeline: everything that is read, spelled in every way that may matter."""

import json
import sys
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st

from enricher.catalog import Catalog, load_catalog
from enricher.profiles import Profile, builtin_profiles, paths_of

PROFILE = """\
name = "own"
title = "A test's own"
source = "test"
rank = 1
system = "A switch of our own ended the call."
urlencoded = true
code = ["a.c", "a.x+b", "list.code"]
reason = ["a.r"]
initiator = ["a.c+a.by", "by"]
requires = ["kind|a.kind"]
calls = { path = "kind", values = ["end", "Ende\u00df"] }
connected = [{ path = "a.ok", kind = "flag" }, { path = "since", kind = "time" }, { path = "a.sec", kind = "duration" }]
example = ['{"kind":"end","a":{"c":486}}']
[codes]
17 = 486
"\u00b2" = 404
"stra\u00dfe zu" = 480
"busy here" = 600
"busy everywhere" = 600
"-" = 487
[initiators]
"486 us" = "System"
"486 busy here" = "Origination"
999 = "Destination"
"LONG" = "System"
them = "Origination"
"\u0130ch" = "Destination"
""".replace("LONG", "\U00010428" * 40)
# One of the table's own platform that maps numbers, as no profile does that comes with the package.
NUMBERS = """\
name = "numbers"
title = "A test's own numbers"
source = "test"
rank = 2
platform = true
code = ["p.c"]
initiator = ["p.by"]
example = ['{"p":{"c":17}}']
[codes]
17 = 487
[initiators]
us = "System"
"""
CATALOG = """\
[[row]]
code = 480
reason = "Stra\u00dfe gesperrt"
outcome = "busy"
owner = "callee"
aliases = [
    { text = "a * b # c * d", code = 480, certainty = "certain", source = "test", pattern = true },
    { text = "*x#*", code = 480, certainty = "guess", source = "test", pattern = true },
    { text = "Gesperrt", code = 699, certainty = "certain", source = "test" },
    { text = "# b #", code = 699, certainty = "likely", source = "test", pattern = true, platform = true },
    { text = "* b *", code = 699, certainty = "likely", source = "test", pattern = true },
    { text = "* z", code = 699, certainty = "likely", source = "test", pattern = true },
]
[[row]]
code = 698
reason = "Nobody's code"
initiators = ["System"]
outcome = "fault"
owner = "provider"
evidence = true
[[row]]
code = 697
reason = "Nobody's code either"
initiators = ["System"]
outcome = "dropped"
owner = "provider"
evidence = true
"""


OWN = msgspec.convert(tomllib.loads(PROFILE), Profile)
# All that is read, by profile.
PATHS = [list(paths_of(profile)) for profile in (*builtin_profiles(), OWN)]

WORDS = (None, "System", "caller", "callee")


def own_records(code: Any, reason: Any) -> Iterator[dict[str, Any]]:
    """Give records of the table's platform with this code and text: all sides, all verdicts on the connection."""
    for word in WORDS:
        for success in (None, True, False):
            said = {"sip_code": code, "sip_reason": reason, "disconnect_initiator": word, "success": success}
            yield {key: value for key, value in said.items() if value is not None}


def foreign_records(code: Any, reason: Any) -> Iterator[dict[str, Any]]:
    """Give records of another platform with this code and text: all sides, all verdicts, calls and other requests."""
    for word in (None, "MI Termination", "Downstream BYE", "Upstream BYE"):
        for duration in (None, 0, 7):
            said = {"sip_code": code, "sip_reason": reason, "dlg_end_reason": word, "duration": duration}
            yield {"params": {key: value for key, value in said.items() if value is not None}}
    yield {"params": {"sip_code": code, "sip_reason": reason, "method": "BYE"}}


def all_records(code: Any, reason: Any) -> list[dict[str, Any]]:
    """Return all records with this code and text."""
    return [*own_records(code, reason), *foreign_records(code, reason)]


def texts_of(catalog: Catalog) -> Iterator[tuple[int, str]]:
    """Give the raw code and the text of all rows, aliases and causes; the wildcards of patterns stand for something."""
    for row in catalog.rows:
        yield row.code, row.reason
    for entry in (*(alias for row in catalog.rows for alias in row.aliases), *catalog.causes):
        yield entry.code, entry.text.replace("#", "31").replace("*", "whatever else") if entry.pattern else entry.text


# Values at the edges of what is read; texts have a | between them.
ODD_TEXTS = """\
486| 486\t|486.0|4486|786|699|700|099|486x|486 x|SP|PS|\uff14\uff18\uff16|sip:486|SIP 486|SIP486|SIP\t486|SIP \t486|\
SIP\t 486|SIP : 486|SIP::486|SIP/2.0 486 Busy Here|SIP/2x0 486|SIP/2.0486|SIP/2|SIP/2.0|SIP:|sip|\u017fip:486|\
s\u0131p:486|S\u0130P 486|{|{}|{"c":486}|{"c":486} x|{"c":486},{"c":1}|17|17.| 17 |1 7|\
\u00b2|\u00b2.|-|| |busy here|Busy Here|\
everywhere|busy everywhere|busy_here|Stra\u00dfe zu|STRASSE-ZU|busy%20here|busy%2|busy%zz|%62usy%20her%65|busy+here|\
%E2%82%AC|%E2%82|%ff|100%|stra%c3%9fe%20zu|(503/TM)|Busy Here (503/TM)|Busy Here(503/T_M) |Busy Here (50/TM)|\
Busy Here (503/)|Busy Here 503/TM)|(503/TM) x|true|TRUE |false|yes| No|ye\u017f|1|0|2|00:00:00|0000-00-00 00:00:00|\
2026-02-01T10:00:09Z|:-|T0Z|them|us|us |999|LONG|LONGER|WIDE|WIDER|end|ENDE\u1e9e|INVITE|a q b 3 c q d|a b 3 c d|\
a b c d|x3|xx33xx|3 b 1|3 1 b 2|3b1|z|a z|buzz|FAR z|FARTHEST"""
_LONG = {
    "SP": "486" + " " * 1021,
    "PS": "486" + " " * 1022,
    "LONG": "\U00010400" * 40,
    "LONGER": "\U00010428" * 65,
    "WIDE": "them" + " " * 60,
    "WIDER": "them" + " " * 61,
    "FAR z": " " * 16_000 + "z",
    "FARTHEST": "x" * 16_384,
}
_NUMBERS = "486 486.0 486.5 99.5 100 699 700 1e300 4611686018427387904 0.5 -0.5 -1 0 1 2 7 17 998 999 1000 1.0 0.0 -0.0"
ODD: list[Any] = [
    *(_LONG.get(text, text) for text in ODD_TEXTS.split("|")),
    *map(json.loads, _NUMBERS.split()),
    *(True, False, None, [], [486], {}, {"a": 486}),
]


def odd_records() -> Iterator[dict[str, Any]]:
    """Give records with each odd value at each place of the test's own profile and of some others."""
    for it in ODD:
        yield {"kind": "end", "a": {"c": it}}
        yield {"kind": "end", "a": {"c": it, "by": "us"}}
        yield {"kind": "end", "a": {"x": it}}
        yield {"kind": "end", "a": {"x": it}, "b": "here"}
        yield {"kind": "end", "a": {"x": "busy"}, "b": it}
        yield {"kind": "end", "a": {"c": 486, "r": it}}
        yield {"kind": "end", "a": {"c": 486}, "by": it}
        yield {"kind": "end", "a": {"c": "486", "by": it}}
        yield {"kind": it, "a": {"c": 486}}
        yield {"p": {"c": it, "by": "us"}}
        yield {"kind": "end", "a": it, "list": {"code": 480}}
        for code in (697, 698):
            yield {"kind": "end", "a": {"c": code, "ok": it}}
            yield {"kind": "end", "a": {"c": code}, "since": it}
            yield {"kind": "end", "a": {"c": code, "sec": it}}
            yield {"kind": "end", "a": {"c": code, "sec": 3}, "since": it}
        for code in (480, 699):
            yield {"kind": "end", "a": {"c": code, "r": it}}
            yield {"sip_code": code, "sip_reason": it, "disconnect_initiator": "System"}
        yield {"sip_code": it, "sip_reason": "Busy Here"}
        yield {"sip_code": 480, "sip_reason": it, "disconnect_reason": "Capacity limit for DID exceeded"}
        yield {"sip_reason": it}
        yield {"sip_reason": "Busy Here", "sip": it}
        yield {"sip_code": 486, "sip": it, "sip_match": it}
        yield {"variables": {"hangup_cause": it}}
        yield {"variables": {"sip_hangup_disposition": "recv%5Fbye", "hangup_cause": it, "direction": it}}
        yield {"extra": it, "eventtype": "HANGUP"}


_PIECES = """\
sip|SIP|\u017f\u0131p|S\u0130P|/2.0|/\uff12.\u0662|:| |\t|\u2003|\x85|\x1c|\n|_|-|486|480|200|\uff14\uff18\uff16|\
4\u0668\u0660|\U0001d7d2\U0001d7d6\U0001d7d8|4|8|0|17|699|700|(503/TM)| (503/|TM_\u00e9)|(\u0665\u0660\u0663/x)|)|(|\
%20|%|%e2%82%ac|%C3|%zz|%41|+|\u212a|\ufb05|\u00df|\u1e9e|\u0130|\u01f0|\u0345|\u00b2|\u00bd|\u2167|\u24b6|\
\U0001f600|\u0301|recv|BYE|true|yes|no|ye\u017f|us|them|\u0130ch|ende\u00df|ENDE\u1e9e|end|invite|x|z|b|c|d"""
TEXTS = [text for _, text in texts_of(load_catalog(guess=True))]
pieces = st.lists(st.sampled_from(_PIECES.split("|")) | st.characters(codec="utf-8"), max_size=6).map("".join)


WORDS_OF_PROFILES = [word for profile in builtin_profiles() for word in (*profile.codes, *profile.initiators)]
spellings = st.sampled_from([str, str.upper, str.title, lambda text: text.replace("s", "\u017f").replace(" ", "_ .")])


@st.composite
def respelled(draw: st.DrawFn) -> str:
    """Draw a known text or word, spelled in another way that may or may not be the same to the reader."""
    text = draw(spellings)(draw(st.sampled_from(TEXTS) | st.sampled_from(WORDS_OF_PROFILES)))
    at = draw(st.integers(0, len(text)))
    middle, end = draw(st.sampled_from(["", "", "-", " ", "x"])), draw(st.sampled_from(["", " ", " (503/TM)"]))
    return text[:at] + middle + text[at:] + end


values = respelled() | respelled() | pieces | st.sampled_from(ODD)


@st.composite
def shaped(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a record with values at some paths of one profile; some of its objects may be written as JSON texts."""
    paths = draw(st.sampled_from(PATHS))
    record: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(paths), min_size=1, max_size=8)):
        place = record
        for key in path[:-1]:
            inner = place.get(key)
            place[key] = inner if isinstance(inner, dict) else {}
            place = place[key]
        place[path[-1]] = draw(values)
    inside = [key for key, value in record.items() if isinstance(value, dict)]
    for key in draw(st.sets(st.sampled_from(inside))) if inside else ():
        record[key] = json.dumps(record[key])
    return record


def letters() -> Iterator[str]:
    """Give all characters beyond ASCII that are white space or numbers or have another case, and some of each kind.

    Newer ones than Unicode 3.2 are left out: the Java of a cluster may not know them.
    """
    seen: Counter[str] = Counter()
    for letter in map(chr, range(128, sys.maxunicode + 1)):
        kind = unicodedata.ucd_3_2_0.category(letter)
        seen[kind] += 1
        special = letter.isspace() or letter.isnumeric() or letter.casefold() != letter
        if kind not in ("Cn", "Cs") and (special or seen[kind] < 10):
            yield letter


def storable(value: Any) -> bool:
    """Return whether the simulation takes the value: it cannot copy integers of more than 64 bits."""
    if isinstance(value, dict):
        return all(map(storable, value.values()))
    if isinstance(value, list):
        return all(map(storable, value))
    return not isinstance(value, int) or -(2**63) <= value < 2**63
