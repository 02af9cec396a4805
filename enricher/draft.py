"""How catalog files become one catalog: laid over each other, and checked as a whole.

Needed only for `scripts/freeze.py` and for a user's file, so it is imported only then.
"""

import os
from collections.abc import Iterator
from typing import Any, TypeVar, cast

import msgspec

from enricher.catalog import Alias, Cause, Content, Decision, Key, Row, text_key
from enricher.errors import SettingsError
from enricher.text import fold

OWNERS = ("caller", "callee", "customer", "provider", "nobody")
LONGEST_HINT = 120

_Entry = Row | Cause | Decision
_T = TypeVar("_T", Row, Cause)


class _Tables(msgspec.Struct, forbid_unknown_fields=True):
    """What a file that a Draft takes may hold; each entry is read by itself, so that each can be named."""

    row: list[dict[str, Any]] = []
    cause: list[dict[str, Any]] = []


class Draft:
    """A catalog in the making: takes one file after the other and keeps the problems for the end."""

    def __init__(self, base: Content) -> None:
        self._base = base
        self._rows: dict[Key, Row] = {}
        # By raw code and text: an alias with the key of its row, or a cause alone.
        self._texts: dict[Key, tuple[Key | None, Alias | Cause]] = {}
        self._fresh: set[tuple[str, Key]] = set()
        self._files: dict[str, str] = {}
        self._problems: list[str] = []
        for row in base.row:
            key = row.code, fold(row.reason)
            self._rows[key] = row
            self._texts.update((text_key(alias), (key, alias)) for alias in row.aliases)
        self._texts.update((text_key(cause), (None, cause)) for cause in base.cause)

    def overlay(self, file: str | os.PathLike[str]) -> None:
        """Lay a user's file over what is there: where both say something, the file is right."""
        import tomllib

        path = os.fspath(file)
        try:
            with open(path, "rb") as opened:
                tables = tomllib.load(opened)
        except OSError as error:
            self._problems.append(f"{path}: cannot be read: {error.strerror}")
        except ValueError as error:
            self._problems.append(f"{path}: is not TOML: {error}")
        else:
            self._fresh.clear()
            self.add(path, tables)

    def add(self, file: str, tables: dict[str, Any]) -> None:
        """Add the rows and causes of a file; nothing may be there twice since the last overlay."""
        try:
            entries = msgspec.convert(tables, _Tables)
        except msgspec.ValidationError as error:
            self._problems.append(f"{file}: {error}")
            return
        for number, entry in enumerate(entries.row, 1):
            self._add_row(file, f"row number {number}", entry)
        for number, entry in enumerate(entries.cause, 1):
            self._add_cause(file, f"cause number {number}", entry)

    def _add_row(self, file: str, label: str, entry: dict[str, Any]) -> None:
        code, reason = entry.get("code"), entry.get("reason")
        key = (code, fold(reason)) if isinstance(code, int) and isinstance(reason, str) else None
        if not key:
            self._read(file, label, entry, Row)
            return
        row = self._read(file, f"row {code} {reason!r}", self._filled(file, key, entry), Row)
        if not row:
            return
        if ("row", key) in self._fresh:
            self._problems.append(f"{file}: {_label(row)}: is there twice")
            return
        self._fresh.add(("row", key))
        self._files[_label(row)] = file
        self._rows[key] = row
        if ("text", key) not in self._fresh:
            self._texts.pop(key, None)
        for alias in row.aliases:
            self._add_text(file, row, key, alias)

    def _filled(self, file: str, key: Key, entry: dict[str, Any]) -> dict[str, Any]:
        """Return the entry of a row with what it need not say: the defaults and the row as it was."""
        preset = {"code": key[0], "certainty": "certain", "source": os.path.basename(file)}
        aliases = entry.get("aliases", [])
        if isinstance(aliases, list):
            aliases = [preset | alias if isinstance(alias, dict) else alias for alias in aliases]
        known = msgspec.to_builtins(self._rows[key]) if key in self._rows else {}
        return {"source": preset["source"]} | known | entry | {"aliases": aliases}

    def _add_cause(self, file: str, label: str, entry: dict[str, Any]) -> None:
        cause = self._read(file, label, {"certainty": "certain", "source": os.path.basename(file)} | entry, Cause)
        if cause:
            self._files[_label(cause)] = file
            self._add_text(file, cause, None, cause)

    def _read(self, file: str, label: str, entry: dict[str, Any], shape: type[_T]) -> _T | None:
        try:
            return msgspec.convert(entry, shape)
        except msgspec.ValidationError as error:
            self._problems.append(f"{file}: {label}: {error}")
            return None

    def _add_text(self, file: str, owner: Row | Cause, row: Key | None, entry: Alias | Cause) -> None:
        key = text_key(entry)
        if ("text", key) in self._fresh:
            problem = f"{_text_label(entry)}already leads to {self._target(key)}"
            self._problems.append(f"{file}: {_label(owner)}: {problem}")
            return
        self._fresh.add(("text", key))
        self._texts[key] = row, entry

    def _target(self, text: Key) -> str:
        row, entry = self._texts[text]
        if isinstance(entry, Cause):
            return _label(entry)
        return _label(self._rows[row]) if row else ""

    def finish(self) -> Content:
        """Return all of it; raise a SettingsError with every problem, if there is one."""
        aliases: dict[Key, list[Alias]] = {key: [] for key in self._rows}
        causes: list[Cause] = []
        for row, entry in self._texts.values():
            if row is None or isinstance(entry, Cause):
                causes.append(cast("Cause", entry))
            else:
                aliases[row].append(entry)
        replace = msgspec.structs.replace
        rows = tuple(replace(row, aliases=tuple(aliases[key])) for key, row in self._rows.items())
        content = replace(self._base, row=rows, cause=tuple(causes))
        problems = self._problems + [
            f"{self._files.get(_label(entry), 'built-in')}: {_label(entry)}: {problem}"
            for entry, problem in _problems(content)
        ]
        if problems:
            raise SettingsError(problems)
        return content


def _label(entry: _Entry) -> str:
    match entry:
        case Row():
            return f"row {entry.code} {entry.reason!r}"
        case Cause():
            return f"cause {entry.code} {entry.text!r}"
        case _:
            return f"decision {entry.code} {entry.initiator!r}"


def _text_label(entry: Alias | Cause) -> str:
    """Return how a message on the text of an entry starts, behind the entry's own label."""
    return f"alias {entry.text!r} of {entry.code} " if isinstance(entry, Alias) else "the text "


def _problems(content: Content) -> Iterator[tuple[_Entry, str]]:
    """Yield each entry that cannot stand with the sentence that says why."""
    vocabulary = {
        "initiator": [initiator.name for initiator in content.initiator],
        "outcome": [outcome.name for outcome in content.outcome],
        "owner": list(OWNERS),
    }
    reasons = {(row.code, fold(row.reason)): row for row in content.row}
    entries: list[_Entry] = [*content.row, *content.cause, *content.decision]
    for entry in entries:
        for kind, word in _words(entry):
            if word not in vocabulary[kind]:
                yield entry, f"{kind} {word!r} is unknown, expected one of {', '.join(vocabulary[kind])}"
        if not _is_code(entry.code):
            yield entry, f"code {entry.code} is out of range, expected 100 to 699"
        if isinstance(entry, Row) and not fold(entry.reason):
            yield entry, "the reason has no words"
        if not isinstance(entry, Decision) and len(entry.hint) > LONGEST_HINT:
            yield entry, f"the hint has {len(entry.hint)} characters, expected at most {LONGEST_HINT}"
    texts: list[tuple[Row | Cause, Alias | Cause]] = [(row, alias) for row in content.row for alias in row.aliases]
    for owner, text in texts + [(cause, cause) for cause in content.cause]:
        for problem in _text_problems(text, reasons):
            yield owner, f"{_text_label(text)}{problem}"


def _text_problems(text: Alias | Cause, reasons: dict[Key, Row]) -> Iterator[str]:
    if not fold(text.text):
        yield "has no words"
    elif text_key(text) in reasons:
        yield f"is the reason of {_label(reasons[text_key(text)])}"
    if isinstance(text, Alias) and not _is_code(text.code):
        yield "has a code out of range, expected 100 to 699"


def _is_code(code: int) -> bool:
    return 100 <= code <= 699


def _words(entry: _Entry) -> Iterator[tuple[str, str]]:
    """Yield the words of an entry that must be known ones, each with its kind."""
    if isinstance(entry, Row):
        for initiator in (*entry.initiators, *filter(None, (*entry.owners, *entry.outcomes))):
            yield "initiator", initiator
        for outcome in (entry.outcome, *entry.outcomes.values()):
            yield "outcome", outcome
        for owner in (entry.owner, *entry.owners.values()):
            yield "owner", owner
        return
    if isinstance(entry, Decision) and entry.initiator:
        yield "initiator", entry.initiator
    if entry.outcome:
        yield "outcome", entry.outcome
    if entry.owner or isinstance(entry, Cause):
        yield "owner", entry.owner
