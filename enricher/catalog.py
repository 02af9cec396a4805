"""The catalog: what a code, a reason text and an initiator mean.

It is written by hand in `catalog/*.toml`; `scripts/freeze.py` checks it and writes `builtin.json`, which is read here.
A user's own file is laid over it and checked in the same way.
"""

import os
import re
from binascii import crc32
from collections.abc import Hashable, Iterable, Sequence
from functools import cache
from typing import Literal, TypeVar

import msgspec

from enricher.text import fold

# The key of a Decision for a text that is there but unknown; no folded text looks like it.
UNKNOWN_TEXT = "*"

# What `*` stands for may be nothing, and then the space beside it is gone as well.
_WILD = {"#": "[0-9]+", " *": "(?: .*)?", "* ": "(?:.* )?", "*": ".*"}
_WILDCARD = re.compile("([#*])")
_JOINED = re.compile(r"#| \*|^\* |\*")

Certainty = Literal["certain", "likely", "guess"]
Key = tuple[int, str]
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all that a catalog file holds."""


class Alias(_Entry, frozen=True, kw_only=True):
    """A raw text that a switch or device writes for a row.

    Args:
        code: the code in the record; it may differ from the row's.
        pattern: whether `#` in the text is a run of digits and `*` any text.
        platform: whether the text is to be trusted only in logs of the table's own platform.
    """

    text: str
    code: int
    certainty: Certainty
    source: str
    pattern: bool = False
    platform: bool = False


class Row(_Entry, frozen=True, kw_only=True):
    """One meaning of one code.

    Args:
        evidence: whether connect evidence can change the outcome.
        owners: the owner by initiator where it is another one; "" stands for an unknown initiator.
        outcomes: the outcome by initiator where it is another one.
    """

    code: int
    reason: str
    description: str = ""
    initiators: tuple[str, ...] = ()
    outcome: str
    owner: str
    hint: str = ""
    source: str
    aliases: tuple[Alias, ...] = ()
    evidence: bool = False
    owners: dict[str, str] = {}
    outcomes: dict[str, str] = {}


class Cause(_Entry, frozen=True, kw_only=True):
    """A known raw text that fits no row."""

    code: int
    text: str
    pattern: bool = False
    certainty: Certainty
    source: str
    outcome: str = ""
    owner: str
    hint: str = ""
    evidence: bool = False


class Decision(_Entry, frozen=True, kw_only=True):
    """What holds for a code and an initiator where the general rule of lookup would say something else.

    Args:
        initiator: "" stands for an unknown one.
        reason: the known reason that it is about; "" for a missing text.
        unknown_text: whether it is about a text that is there but unknown.
        outcome: "" leaves it out.
        owner: "" leaves it to the initiator.
    """

    code: int
    initiator: str
    reason: str = ""
    unknown_text: bool = False
    outcome: str = ""
    owner: str = ""
    source: str


class Category(_Entry, frozen=True, kw_only=True):
    """What all codes with the same first digit have in common."""

    digit: int
    name: str
    description: str


class Initiator(_Entry, frozen=True, kw_only=True):
    """A side that can end a call, and the owner of what it ends where no row says more."""

    name: str
    description: str
    owner: str


class Outcome(_Entry, frozen=True, kw_only=True):
    """How a call attempt ended, in one word, and where it counts.

    Args:
        asr: whether it counts as answered in the answer-seizure ratio.
        ner: whether it counts as delivered in the network effectiveness ratio.
        seizure: whether it counts as a seizure; None: not if System refused the call, else yes.
        ecs: what it is in ECS's `event.outcome`; "" for neither of the two.
    """

    name: str
    description: str
    asr: bool
    ner: bool
    seizure: bool | None = None
    ecs: Literal["success", "failure", ""]


class Name(_Entry, frozen=True, kw_only=True):
    """The standard name of a code and where it is defined."""

    name: str
    source: str


class Content(_Entry, frozen=True, kw_only=True):
    """All that the catalog files say, merged."""

    category: tuple[Category, ...]
    initiator: tuple[Initiator, ...]
    outcome: tuple[Outcome, ...]
    names: dict[int, Name]
    fillers: tuple[str, ...]
    decision: tuple[Decision, ...] = ()
    row: tuple[Row, ...] = ()
    cause: tuple[Cause, ...] = ()


class Pattern(msgspec.Struct, frozen=True):
    """The pattern of an alias or a cause as a regular expression on folded text."""

    regex: str
    target: Row | Cause
    entry: Alias | Cause
    platform: bool

    def matches(self, folded: str) -> bool:
        """Return whether the whole folded text fits."""
        return _compiled(self.regex).fullmatch(folded) is not None


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """A checked catalog with the indexes that a lookup needs; all texts in keys are folded.

    Args:
        names: the standard name by code.
        fillers: texts that say as much as no text.
        aliases: what a raw code and a text lead to, and by which entry.
        alias_texts: the rows that an alias leads to when there is no code; without platform aliases.
        platform_texts: the same for platform aliases alone.
        patterns: by raw code, the most specific first.
        cells: the decision by code, initiator and reason: "" for a missing text, UNKNOWN_TEXT for an unknown one.
        version: a short hash of the content.
    """

    categories: dict[int, Category]
    initiators: dict[str, Initiator]
    outcomes: dict[str, Outcome]
    names: dict[int, str]
    fillers: frozenset[str]
    rows: tuple[Row, ...]
    causes: tuple[Cause, ...]
    decisions: tuple[Decision, ...]
    version: str

    rows_by_code: dict[int, tuple[Row, ...]]
    row_by_reason: dict[tuple[int, str], Row]
    rows_by_text: dict[str, tuple[Row, ...]]
    aliases: dict[tuple[int, str], tuple[Row | Cause, Alias | Cause]]
    alias_texts: dict[str, tuple[Row, ...]]
    platform_texts: dict[str, tuple[Row, ...]]
    patterns: dict[int, tuple[Pattern, ...]]
    cells: dict[tuple[int, str, str], Decision]


def load_catalog(files: Sequence[str | os.PathLike[str]] = (), *, guess: bool = False) -> Catalog:
    """Return the built-in catalog with each file laid over what came before it.

    Args:
        files: TOML files with `[[row]]` and `[[cause]]` entries.
        guess: whether aliases and causes that are only plausible are used too.

    Raises:
        SettingsError: with all problems of all files.
    """
    content = _builtin()
    if files:
        from enricher.draft import Draft

        draft = Draft(content)
        for file in files:
            draft.overlay(file)
        content = draft.finish()
    return _indexed(content, guess=guess)


def _builtin() -> Content:
    with open(os.path.join(os.path.dirname(__file__), "builtin.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=_Builtin).catalog


class _Builtin(msgspec.Struct):
    catalog: Content


def text_key(entry: Alias | Cause) -> Key:
    """Return the raw code and the folded text, or the regular expression of a pattern."""
    return entry.code, _regex(entry.text) if entry.pattern else fold(entry.text)


def _regex(text: str) -> str:
    """Return a pattern as a regular expression on folded text, which has nothing to escape."""
    # The x keeps the space at the edge of a part, which fold would strip.
    parts = [part if part in "#*" else fold(f"x{part}x")[1:-1] for part in _WILDCARD.split(text) if part]
    return _JOINED.sub(lambda found: _WILD[found[0]], "".join(parts).strip())


@cache
def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex)


def _indexed(content: Content, *, guess: bool) -> Catalog:
    """Return the content with all its indexes."""
    texts: list[tuple[Row | Cause, Alias | Cause]] = [(row, alias) for row in content.row for alias in row.aliases]
    texts += [(cause, cause) for cause in content.cause]
    texts = [(target, entry) for target, entry in texts if guess or entry.certainty != "guess"]
    by_alias = [(target, entry) for target, entry in texts if isinstance(target, Row) and isinstance(entry, Alias)]
    return Catalog(
        categories={category.digit: category for category in content.category},
        initiators={initiator.name: initiator for initiator in content.initiator},
        outcomes={outcome.name: outcome for outcome in content.outcome},
        names={code: name.name for code, name in content.names.items()},
        fillers=frozenset(fold(filler) for filler in content.fillers),
        rows=content.row,
        causes=content.cause,
        decisions=content.decision,
        version=f"{crc32(msgspec.json.encode((content, guess))):08x}",
        rows_by_code=_grouped((row.code, row) for row in content.row),
        row_by_reason={(row.code, fold(row.reason)): row for row in content.row},
        rows_by_text=_grouped((fold(row.reason), row) for row in content.row),
        aliases={text_key(entry): (target, entry) for target, entry in texts if not entry.pattern},
        alias_texts=_grouped((fold(a.text), row) for row, a in by_alias if not a.pattern and not a.platform),
        platform_texts=_grouped((fold(a.text), row) for row, a in by_alias if not a.pattern and a.platform),
        patterns=_grouped(_patterns(texts)),
        cells={
            (it.code, it.initiator, UNKNOWN_TEXT if it.unknown_text else fold(it.reason)): it for it in content.decision
        },
    )


def _patterns(texts: Iterable[tuple[Row | Cause, Alias | Cause]]) -> list[tuple[int, Pattern]]:
    """Return all patterns with their codes, those with the longest literal text first."""
    texts = sorted((text for text in texts if text[1].pattern), key=lambda text: -len(fold(text[1].text)))
    return [
        (entry.code, Pattern(text_key(entry)[1], target, entry, isinstance(entry, Alias) and entry.platform))
        for target, entry in texts
    ]


def _grouped(pairs: Iterable[tuple[_K, _V]]) -> dict[_K, tuple[_V, ...]]:
    """Return the distinct values by key, in order."""
    groups: dict[_K, list[_V]] = {}
    for key, value in pairs:
        group = groups.setdefault(key, [])
        if value not in group:
            group.append(value)
    return {key: tuple(group) for key, group in groups.items()}
