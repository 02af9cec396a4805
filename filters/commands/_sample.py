"""What settings make of a sample of records, counted in bounded memory."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from enricher.catalog import Catalog
from enricher.enrich import Enricher
from enricher.errors import InvalidRecord
from enricher.json_record import JsonRecord
from enricher.lookup import Explanation
from enricher.profiles import Found
from enricher.text import fold
from filters.commands._inputs import label, lines

LONGEST_LINE = 16 << 20
MOST_TEXTS = 10_000
# A longer text is known by its beginning.
LONGEST_TEXT = 120

_NUMBER = re.compile(r"[0-9]+")
# They stand for other texts in a pattern; in the text of a record they count as punctuation.
_WILDCARD = re.compile(r"[#*]")


class _Key(NamedTuple):
    profile: str
    code: int | None
    text: str


class Texts:
    """Counts the texts that found no row; of too many different ones, the rare ones are forgotten.

    Texts that differ in their numbers alone are one, for which a pattern is proposed.

    Args:
        most: how many different ones are kept.
    """

    def __init__(self, most: int = MOST_TEXTS) -> None:
        self.exact = True
        self._most = most
        self._counts: Counter[_Key] = Counter()
        self._spelled: dict[_Key, str | None] = {}  # None where there are several spellings

    def add(self, profile: str, code: int | None, text: str) -> None:
        """Count one."""
        text = " ".join(text.split())
        plain = " ".join(_WILDCARD.sub(" ", text).split())
        if len(plain) > LONGEST_TEXT:
            plain = text = plain[:LONGEST_TEXT] + "*"
        pattern = _NUMBER.sub("#", plain)
        key = _Key(profile, code, pattern if fold(pattern) else plain)
        self._counts[key] += 1
        if self._spelled.setdefault(key, text) != text:
            self._spelled[key] = None
        if len(self._counts) > self._most:
            self._forget()

    def _forget(self) -> None:
        self.exact = False
        self._counts = Counter(dict(self._counts.most_common(self._most // 2)))
        self._spelled = {key: self._spelled[key] for key in self._counts}

    def most_common(self, count: int) -> list[dict[str, Any]]:
        """Return the most frequent ones, each with its alias as TOML."""
        return [
            {
                "count": number,
                "code": key.code,
                "profile": key.profile,
                "text": self._spelled[key] or key.text,
                "alias": _alias(key, self._spelled[key]),
            }
            for key, number in self._counts.most_common(count)
        ]


def _alias(key: _Key, spelled: str | None) -> str:
    """Return the alias of a text for a catalog file; a pattern where the text varies."""
    pattern = spelled is None or key.text.endswith("*")
    text = key.text if spelled is None else spelled
    code = f", code = {key.code}" if key.code else ""
    return f"{{ text = {_quoted(text)}{code}{', pattern = true' if pattern else ''} }},"


def _quoted(text: str) -> str:
    """Return the text as a TOML string, which is a JSON string but for one character."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


class Sample:
    """Counts what becomes of the records of a file.

    Args:
        path: the file; `-` is stdin.
    """

    def __init__(self, enricher: Enricher, path: str) -> None:
        self.name = label(path)
        self.records = self.strangers = self.invalid = self.blank = 0
        self.first_stranger = self.first_invalid = 0
        self.first_problem = ""
        self.unknown = Texts()
        self._path = path
        self._enricher = enricher
        self._degrees: dict[str, Counter[str]] = {}

    def take(self) -> None:
        """Read the file and count."""
        for number, line in enumerate(lines(self._path, LONGEST_LINE), 1):
            if line is None:
                self._count_invalid(number, f"longer than {LONGEST_LINE} bytes")
            elif not line.strip():
                self.blank += 1
            else:
                self._take(number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)

    def by_profile(self, degrees: Sequence[str]) -> list[dict[str, Any]]:
        """Return for each profile how many records it claimed, and how they were explained; the busiest first."""
        ordered = sorted(self._degrees.items(), key=lambda item: -item[1].total())
        return [
            {"profile": name, "records": counts.total(), **{degree: counts[degree] for degree in degrees}}
            for name, counts in ordered
        ]

    def _take(self, number: int, line: bytes) -> None:
        try:
            record = JsonRecord(line)
        except InvalidRecord as error:
            self._count_invalid(number, str(error))
            return
        found, added = self._enricher.explain(record.get, record.keys, record.get)
        if found is None or added.explanation is None:
            self.strangers += 1
            self.first_stranger = self.first_stranger or number
            return
        self.records += 1
        self._degrees.setdefault(found.profile.name, Counter())[added.explanation.match] += 1
        if found.reason and is_unknown(self._enricher.catalog, found, added.explanation):
            self.unknown.add(found.profile.name, found.code, found.reason)

    def _count_invalid(self, number: int, problem: str) -> None:
        self.invalid += 1
        if not self.first_invalid:
            self.first_invalid, self.first_problem = number, problem


def is_unknown(catalog: Catalog, found: Found, explanation: Explanation) -> bool:
    """Tell whether an alias for the record's text would say more of it."""
    folded = fold(found.reason or "")
    if explanation.match in ("reason", "alias") or not found.call or not folded or folded in catalog.fillers:
        return False
    code = found.code or 0
    return (code, folded) not in catalog.row_by_reason and folded != fold(catalog.names.get(code, ""))
