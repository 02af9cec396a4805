"""The answer to "what does this mean?", in sentences and as JSON."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from enricher.catalog import Alias, Catalog, Cause, Row
from enricher.lookup import FIELDS, SYSTEM, Call, Explanation, Lookup
from enricher.text import fold

OWNERS = {
    "caller": "the calling party or its network",
    "callee": "the person or device that was called",
    "customer": "whoever runs the account, the trunk or the endpoint",
    "provider": "the platform or the networks behind it",
    "nobody": "there is nothing to fix",
}
CERTAINTIES = {"certain": "sure", "likely": "likely", "guess": "a guess"}
ROW_COLUMNS = ("code", "reason", "initiators", "outcome", "owner")


class Answer(NamedTuple):
    """What is said of a call.

    Args:
        entry: the alias or known text that led there.
        others: rows that are near but do not apply: those of the code, or those with the text.
    """

    call: Call
    explanation: Explanation
    entry: Alias | Cause | None
    others: tuple[Row, ...]


def answer(catalog: Catalog, call: Call) -> Answer:
    """Return what the catalog says of a call."""
    explanation = Lookup(catalog).explain(call)
    entry = _entry(catalog, call, explanation) if explanation.match == "alias" else None
    return Answer(call, explanation, entry, _others(catalog, call, explanation))


def _entry(catalog: Catalog, call: Call, explanation: Explanation) -> Alias | Cause | None:
    """Return the alias or cause that the text was found by."""
    folded = fold(call.reason or "")
    if call.code is None:
        return next((alias for alias in explanation.rows[0].aliases if fold(alias.text) == folded), None)
    exact = catalog.aliases.get((call.code, folded))
    if exact and (call.platform or not getattr(exact[1], "platform", False)):
        return exact[1]
    patterns = catalog.patterns.get(call.code, ())
    return next((it.entry for it in patterns if (call.platform or not it.platform) and it.matches(folded)), None)


def _others(catalog: Catalog, call: Call, explanation: Explanation) -> tuple[Row, ...]:
    codes = dict.fromkeys(code for code in (*(row.code for row in explanation.rows), call.code) if code)
    near = [row for code in codes for row in catalog.rows_by_code.get(code, ())]
    if not codes and call.reason:
        near = _rows_near(catalog, fold(call.reason))
    return tuple(row for row in near if row not in explanation.rows)


def _rows_near(catalog: Catalog, folded: str) -> list[Row]:
    """Return the rows with a text, or with one that is nearly the same."""
    from difflib import get_close_matches

    texts = {
        text: (*catalog.rows_by_text.get(text, ()), *catalog.alias_texts.get(text, ()))
        for text in (*catalog.rows_by_text, *catalog.alias_texts)
    }
    found = [folded] if folded in texts else get_close_matches(folded, texts, 5, 0.7)
    return list({(row.code, row.reason): row for text in found for row in texts[text]}.values())


def sentences(catalog: Catalog, it: Answer) -> list[tuple[str, str]]:
    """Return each thing that is known, with its label."""
    explanation = it.explanation
    outcome = catalog.outcomes.get(explanation.outcome)
    pairs = [
        ("Category", _joined(explanation.category, explanation.category_description)),
        ("Reason", explanation.reason),
        ("Description", explanation.description),
        ("Ended by", _ended_by(explanation)),
        ("Outcome", _joined(outcome.name, outcome.description) if outcome else ""),
        ("Who can act", _joined(explanation.owner, OWNERS.get(explanation.owner, ""))),
        ("Hint", explanation.hint),
        ("How sure", how_sure(catalog, it)),
    ]
    return [(label, text) for label, text in pairs if text]


def _joined(word: str, description: str) -> str:
    return f"{word}: {description}" if word and description else word


def _ended_by(explanation: Explanation) -> str:
    if explanation.initiator:
        inferred = " (inferred: no other side fits)" if explanation.initiator_inferred else ""
        return _joined(explanation.initiator + inferred, explanation.initiator_description)
    possible = dict.fromkeys(initiator for row in explanation.rows for initiator in row.initiators)
    rows = "the row lists" if len(explanation.rows) == 1 else "the rows list"
    return f"not known; {rows} {' and '.join(possible)}" if possible else ""


def how_sure(catalog: Catalog, it: Answer) -> str:
    """Return the degree of certainty as a sentence."""
    call, explanation = it.call, it.explanation
    match explanation.match:
        case "reason" if call.code is None:
            return "sure: one row of the table has this reason text"
        case "reason":
            return "sure: code and reason text are in the table"
        case "alias" if it.entry:
            return _how_sure_of_alias(it.entry, explanation.rows)
        case "class":
            return "by the first digit alone: this code is in no table"
        case "none":
            return "not known: " + (
                "no code, and the text is in several rows"
                if it.others and _exact(catalog, it)
                else "no code, and no row has this text"
            )
    return f"by the code alone: {_why_code_alone(catalog, call)}{_what_agrees(explanation)}"


def _exact(catalog: Catalog, it: Answer) -> bool:
    folded = fold(it.call.reason or "")
    return folded in catalog.rows_by_text or folded in catalog.alias_texts


def _how_sure_of_alias(entry: Alias | Cause, rows: Sequence[Row]) -> str:
    code = f" with code {entry.code}" if rows and entry.code != rows[0].code else ""
    target = "for this row" if rows else "that has no row of its own"
    return f"{CERTAINTIES[entry.certainty]}: {entry.text!r}{code} is a known text {target} (source: {entry.source})"


def _why_code_alone(catalog: Catalog, call: Call) -> str:
    folded = fold(call.reason or "")
    if not call.final:
        return "the record is about one request, and not about how a call ended"
    if not folded:
        return "there is no reason text"
    if folded in catalog.fillers:
        return "the reason text says nothing"
    if (call.code, folded) in catalog.row_by_reason:
        return f"{call.initiator} writes this text for other causes too"
    if call.initiator == SYSTEM and call.platform:
        return "System names its causes, and this one is not in the table"
    return "this reason text is in no row"


def _what_agrees(explanation: Explanation) -> str:
    count = len(explanation.rows)
    return f"; {count} rows fit, and only what they agree on is said" if count > 1 else ""


def as_json(it: Answer) -> dict[str, Any]:
    """Return the answer for machines; a key is there when its value is known."""
    explanation, entry = it.explanation, it.entry
    known: dict[str, Any] = {key: value for key in (*FIELDS, "owner", "hint") if (value := getattr(explanation, key))}
    if entry:
        known["alias"] = {"text": entry.text, "code": entry.code, "certainty": entry.certainty, "source": entry.source}
    return known | {"rows": rows(explanation.rows), "others": rows(it.others)}


def rows(them: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what is shown of rows beside the one that applies."""
    keys = (*ROW_COLUMNS, "description", "hint", "source")
    return [{key: getattr(row, key) for key in keys} for row in them]
