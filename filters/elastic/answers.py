"""All that the catalog can say, worked out beforehand: tables in which a cluster only looks up."""

import re
from collections.abc import Collection, Hashable, Sequence
from typing import Any

import msgspec

from enricher.catalog import UNKNOWN_TEXT, Catalog, Pattern
from enricher.lookup import SOME_TEXT, Call, Explanation, Lookup
from enricher.profiles import INITIATORS
from enricher.text import fold

# A side's place in an answer; behind them come the same sides in logs of another platform.
SIDES = ("", *INITIATORS)
# What a fact holds for a key where it is no place in `values`.
ABSENT, PROFILES_SYSTEM, RECORDS_CODE = -1, -2, -3
# Stands for the sentence of a profile.
_SENTENCE = "\0"
# How a pattern's regular expression spells its wildcards, and how `enrich.painless` calls them.
_WILDCARDS = {"[0-9]+": "digits", "(?: .*)?": "space any", "(?:.* )?": "any space", ".*": "any"}
_PARTS = re.compile("(" + "|".join(map(re.escape, _WILDCARDS)) + ")")


class Answers:
    """Tables of answers.

    An answer has a place for each side. It holds a fact, or three of them where connect evidence decides: for unknown,
    connected and not connected. A fact holds, for each key, where its value lies in `values`.

    Args:
        catalog: what is known.
        keys: which keys of an explanation are wanted.
    """

    def __init__(self, catalog: Catalog, keys: Sequence[str]) -> None:
        self._catalog = catalog
        self._keys = keys
        self._lookup = Lookup(catalog)
        self._values = _Places()
        self._facts = _Places()
        self._answers = _Places()

    def tables(self) -> dict[str, Any]:
        """Return all tables, as parameters of the script."""
        texts = self._texts_by_code()
        tables = {
            "codes": {str(code): self._of_code(code, texts[code]) for code in sorted(texts)},
            "classes": [self._of_class(digit, texts) for digit in range(7)],
            "texts": self._without_code(_SENTENCE),
            "ownTexts": self._without_code(""),
            "nothing": self._answer(self._lookup),
            "fillers": sorted(self._catalog.fillers),
        }
        found = {"answers": self._answers, "facts": self._facts, "values": self._values}
        return tables | {name: list(places) for name, places in found.items()} | {"keys": list(self._keys)}

    def _texts_by_code(self) -> dict[int, set[str]]:
        """Return every code of which the catalog says something, with the texts that it knows there."""
        catalog = self._catalog
        codes = (*catalog.rows_by_code, *catalog.names, *catalog.patterns)
        texts: dict[int, set[str]] = {code: set() for code in codes}
        keys = [*catalog.row_by_reason, *catalog.aliases, *((code, text) for code, _, text in catalog.cells)]
        for code, text in keys:
            texts.setdefault(code, set()).add(text)
        return {code: known - catalog.fillers - {"", UNKNOWN_TEXT} for code, known in texts.items()}

    def _of_code(self, code: int, texts: Collection[str]) -> dict[str, Any]:
        return {
            "missing": self._answer(self._lookup, code=code),
            "unknown": self._answer(self._lookup, code=code, reason=SOME_TEXT),
            "step": self._answer(self._lookup, code=code, final=False),
            "texts": {text: self._answer(self._lookup, code=code, reason=text) for text in sorted(texts)},
            "patterns": [self._of_pattern(code, pattern) for pattern in self._catalog.patterns.get(code, ())],
        }

    def _of_pattern(self, code: int, pattern: Pattern) -> dict[str, Any]:
        # As an alias the pattern leads to the same.
        aliases = {(code, fold(SOME_TEXT)): (pattern.target, pattern.entry)}
        lookup = Lookup(msgspec.structs.replace(self._catalog, aliases=aliases, patterns={}))
        parts = [part for part in _PARTS.split(pattern.regex) if part]
        return {
            "parts": [[_WILDCARDS.get(part, "text"), part] for part in parts],
            "platform": pattern.platform,
            "answer": self._answer(lookup, code=code, reason=SOME_TEXT),
        }

    def _of_class(self, digit: int, known: Collection[int]) -> int:
        """Return the answer for codes of which nothing but the first digit is known; ABSENT where there are none."""
        code = next((code for code in range(digit * 100, digit * 100 + 100) if digit and code not in known), None)
        return ABSENT if code is None else self._answer(self._lookup, code=code)

    def _without_code(self, system: str) -> dict[str, int]:
        """Return the answers for texts that lead to a row by themselves, in logs of the platform or of another."""
        catalog = self._catalog
        texts = {*catalog.rows_by_text, *catalog.alias_texts, *catalog.platform_texts}
        return {
            text: self._answer(self._lookup, reason=text)
            for text in sorted(texts)
            if self._lookup.explain(Call(reason=text, system=system)).match != "none"
        }

    def _answer(self, lookup: Lookup, **said: Any) -> int:
        """Return the place of the answer to a call for which this is said."""
        calls = [Call(**said, initiator=side or None, system=system) for system in ("", _SENTENCE) for side in SIDES]
        return self._answers[tuple(self._found(lookup, call) for call in calls)]

    def _found(self, lookup: Lookup, call: Call) -> int | tuple[int, ...]:
        explanation = lookup.explain(call)
        if not explanation.evidence:
            return self._fact(call, explanation)
        verdicts = [msgspec.structs.replace(call, connected=verdict) for verdict in (None, True, False)]
        return tuple(self._fact(call, lookup.explain(call)) for call in verdicts)

    def _fact(self, call: Call, explanation: Explanation) -> int:
        return self._facts[tuple(self._value(call, key, getattr(explanation, key)) for key in self._keys)]

    def _value(self, call: Call, key: str, value: Any) -> int:
        if not value:
            return ABSENT
        if value == _SENTENCE:
            return PROFILES_SYSTEM
        return RECORDS_CODE if key == "code" and call.code else self._values[value]


class _Places(dict[Hashable, int]):
    """Gives each value a place; equal values get the same one."""

    def __missing__(self, value: Hashable) -> int:
        place = self[value] = len(self)
        return place
