"""From code, reason text and initiator to an explanation: which row of the catalog applies, and how sure that is."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from enricher.catalog import UNKNOWN_TEXT, Catalog, Cause, Decision, Row
from enricher.text import fold

Match = Literal["reason", "alias", "code", "class", "none"]

SYSTEM = "System"
CONNECTED_OUTCOMES = ("answered", "dropped")
# Stands for every text that is not known: letters that no switch writes, so that no pattern finds a word in it.
SOME_TEXT = "\u13a0\u13ef"


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a call's end; None and "" where it is not known. The first ten are what a record gains.

    Args:
        match: how sure: by `reason`, `alias`, `code` or `class` of the code; `none` where no code can be read.
        rows: the rows that apply, or that cannot be told apart.
        evidence: whether connect evidence could change the outcome.
        final: whether the record tells how a call ended, and not just how one request went.
    """

    code: int | None = None
    category: str = ""
    category_description: str = ""
    reason: str = ""
    description: str = ""
    initiator: str = ""
    initiator_description: str = ""
    initiator_inferred: bool = False
    outcome: str = ""
    match: Match
    owner: str = ""
    hint: str = ""
    rows: tuple[Row, ...] = ()
    evidence: bool = False
    final: bool = True


FIELDS = Explanation.__struct_fields__[:10]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a record says of a call's end.

    Args:
        connected: whether the call was connected, None when that is not known.
        system: the sentence for System in logs of another platform than the table's; "" for the table's own.
        final: whether the record tells how a call ended, and not just how one request went.
    """

    code: int | None = None
    reason: str | None = None
    initiator: str | None = None
    connected: bool | None = None
    system: str = ""
    final: bool = True

    @property
    def platform(self) -> bool:
        """Return whether System is the platform that the table speaks of."""
        return not self.system


class Lookup:
    """Finds what the catalog says of a call."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def explain(self, call: Call) -> Explanation:
        """Return the explanation of a call; nothing in it is guessed."""
        folded = self._folded(call.reason)
        if call.code is None:
            row, match = self._row_by_text(folded, call.platform)
            return self._from_row(call, row, match) if row else Explanation(match="none")
        if not call.final:
            return msgspec.structs.replace(self._fill(call, self._match_of_code(call.code)), final=False)
        known = self._known_text(call, folded)
        if known:
            target, match = known
            return self._from_row(call, target, match) if isinstance(target, Row) else self._from_cause(call, target)
        return self._from_code(call, folded)

    def alike(self, call: Call) -> Call:
        """Return a call with the same explanation, and the same one for all texts that are not known."""
        if not call.reason or call.code is None:
            return call
        folded = self._folded(call.reason)
        known = (call.code, call.initiator or "", folded) in self.catalog.cells or self._known_text(call, folded)
        if known and call.final:
            return call
        return msgspec.structs.replace(call, reason=SOME_TEXT if folded and call.final else None)

    def knows_text(self, text: str, platform: bool) -> bool:
        """Return whether the text alone leads to a row."""
        return self._row_by_text(self._folded(text), platform)[0] is not None

    def _folded(self, text: str | None) -> str:
        """Return the folded text, "" for one that says nothing."""
        folded = fold(text) if text else ""
        return "" if folded in self.catalog.fillers else folded

    def _row_by_text(self, folded: str, platform: bool) -> tuple[Row | None, Match]:
        catalog = self.catalog
        aliased = catalog.alias_texts.get(folded, ()) + (catalog.platform_texts.get(folded, ()) if platform else ())
        if rows := catalog.rows_by_text.get(folded):
            return (rows[0] if len(rows) == 1 else None), "reason"
        return (aliased[0] if len(aliased) == 1 else None), "alias"

    def _known_text(self, call: Call, folded: str) -> tuple[Row | Cause, Match] | None:
        """Return what the record's code and text lead to together."""
        catalog, code = self.catalog, call.code
        if code is None or not folded or (code, call.initiator, folded) in catalog.cells:
            return None  # a cell with a text says that the text is not to be trusted there
        if row := catalog.row_by_reason.get((code, folded)):
            return row, "reason"
        if found := catalog.aliases.get((code, folded)):
            target, entry = found
            if call.platform or not getattr(entry, "platform", False):
                return target, "alias"
        for pattern in catalog.patterns.get(code, ()):
            if (call.platform or not pattern.platform) and pattern.matches(folded):
                return pattern.target, "alias"
        return None

    def _match_of_code(self, code: int) -> Match:
        return "code" if code in self.catalog.rows_by_code or code in self.catalog.names else "class"

    def _from_row(self, call: Call, row: Row, match: Match) -> Explanation:
        return self._fill(call, match, [row])

    def _from_cause(self, call: Call, cause: Cause) -> Explanation:
        outcome = weigh(cause.outcome, call.connected) if cause.evidence else cause.outcome
        filled = self._fill(call, "alias")
        return msgspec.structs.replace(
            filled, outcome=outcome, owner=cause.owner, hint=cause.hint, evidence=cause.evidence
        )

    def _from_code(self, call: Call, folded: str) -> Explanation:
        """Explain by the code, where the text says nothing or nothing that is known."""
        catalog, code = self.catalog, call.code or 0
        rows = catalog.rows_by_code.get(code, ())
        decision = self._decision(call, folded)
        fitting = [row for row in rows if self._fits(call, row)]
        if folded and call.platform and call.initiator == SYSTEM and not (decision and decision.reason):
            # A platform names its causes: a text that is not known is another cause than those in the table.
            fitting, rows = [], ()
        explanation = self._fill(call, self._match_of_code(code), fitting, others=rows)
        if decision and (decision.outcome or not decision.reason):
            owner = decision.owner or explanation.owner
            explanation = msgspec.structs.replace(explanation, outcome=decision.outcome, owner=owner)
        return explanation

    def _decision(self, call: Call, folded: str) -> Decision | None:
        cells, code, initiator = self.catalog.cells, call.code or 0, call.initiator or ""
        if not call.platform and initiator == SYSTEM:
            return None
        # By all but System, who names its causes, a text that is not known says as much as none.
        otherwise = UNKNOWN_TEXT if folded and initiator == SYSTEM else ""
        return cells.get((code, initiator, folded)) or cells.get((code, initiator, otherwise))

    def _fits(self, call: Call, row: Row) -> bool:
        """Return whether the row can be meant by a record with this initiator and no text."""
        if not row.initiators or not call.initiator:
            return True
        # What the table says of System is about its own platform alone.
        return call.initiator in row.initiators and (call.platform or call.initiator != SYSTEM)

    def _fill(self, call: Call, match: Match, rows: Sequence[Row] = (), *, others: Sequence[Row] = ()) -> Explanation:
        """Fill in each field where all rows agree on it.

        Args:
            rows: those that fit.
            others: all rows of the code, asked for the outcome alone when none fits.
        """
        asked = rows or others
        evidence = any(row.evidence for row in asked)
        if evidence and call.connected is False:
            rows = [row for row in rows if row.outcome not in CONNECTED_OUTCOMES] or rows
            asked = rows or others
        outcomes = [row.outcomes.get(call.initiator or "", row.outcome) for row in asked]
        if evidence:
            outcomes = [weigh(outcome, call.connected) for outcome in outcomes]
        code = rows[0].code if rows else call.code
        category = self.catalog.categories.get((code or 0) // 100)
        initiator, inferred = self._initiator(call, rows)
        name = self.catalog.names.get(call.code or 0, "")
        return Explanation(
            code=call.code if call.code is not None else code,
            category=category.name if category else "",
            category_description=category.description if category else "",
            reason=rows[0].reason if len(rows) == 1 else name,
            description=agreed([row.description for row in rows]) or "",
            initiator=initiator,
            initiator_description=self._sentence(call, initiator),
            initiator_inferred=inferred,
            outcome=agreed(outcomes) or "",
            match=match,
            owner=agreed([self._owner(call, row) for row in asked]) or "",
            hint=agreed([row.hint for row in rows]) or "",
            rows=tuple(rows),
            evidence=evidence,
        )

    def _initiator(self, call: Call, rows: Sequence[Row]) -> tuple[str, bool]:
        """Return the record's initiator, or the only one that the rows allow, and whether it is inferred."""
        if call.initiator:
            return call.initiator, False
        if rows and all(row.initiators for row in rows):
            possible = {initiator for row in rows for initiator in row.initiators}
            if len(possible) == 1 and (call.platform or SYSTEM not in possible):
                return possible.pop(), True
        return "", False

    def _sentence(self, call: Call, initiator: str) -> str:
        if initiator == SYSTEM and not call.platform:
            return call.system
        return self.catalog.initiators[initiator].description if initiator else ""

    def _owner(self, call: Call, row: Row) -> str:
        initiator = call.initiator or ""
        if initiator in row.owners:
            return row.owners[initiator]
        if initiator and row.initiators and initiator not in row.initiators:
            return self.catalog.initiators[initiator].owner
        return row.owner


def weigh(outcome: str, connected: bool | None) -> str:
    """Return the outcome after connect evidence, which wins over the code."""
    if connected is None or (outcome in CONNECTED_OUTCOMES) == connected:
        return outcome
    return "dropped" if connected else "fault"


def agreed(values: Sequence[Any]) -> Any:
    """Return the value that all hold, else None."""
    return values[0] if values and all(value == values[0] for value in values) else None
