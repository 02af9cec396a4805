"""Every row and every known text is found in every shape that a record may have it in."""

from typing import Any

import pytest

from enricher import Enricher, Explanation
from enricher.catalog import Alias, Cause, Row, load_catalog
from enricher.lookup import Call, Lookup

CATALOG = load_catalog()
LOOKUP = Lookup(CATALOG)
GUESSING = Lookup(load_catalog(guess=True))
ENRICHER = Enricher()

S, D, A = "System", "Destination", "Origination"
ELSEWHERE = "The sentence of another platform."

# As a record may have it: code, reason text and initiator.
CODES = ["{}", "sip:{}", "SIP:{}", " {} ", "SIP {}", "SIP/2.0 {}"]
PHRASES = ["SIP {} {}", "SIP/2.0 {} {}", "{} {}", "sip:{} {}"]
REASONS = [
    str,
    str.upper,
    str.swapcase,
    lambda text: f"  {text}. ",
    lambda text: text.replace(" ", "_"),
    lambda text: text.replace(" ", " - ").replace("/", " "),
    lambda text: f"{text} (486/SL)",
]
WORDS: dict[str, list[Any]] = {
    S: ["System", "SYSTEM", " system ", "platform", 0, 1, "0", "1", 1.0],
    D: ["Destination", "destination", "callee", "called-party", 2, "2"],
    A: ["Origination", "ORIGINATION", "caller", "a_leg", 3, "3", 3.0],
}
ALL_ROWS = pytest.mark.parametrize("row", CATALOG.rows, ids=lambda row: f"{row.code} {row.reason}")


def explain(code: int | None, reason: str | None = None, initiator: str | None = None, **more: Any) -> Explanation:
    """Return what the look-up says of such a call."""
    return LOOKUP.explain(Call(code=code, reason=reason, initiator=initiator, **more))


def added_by(record: dict[str, Any]) -> dict[str, Any]:
    """Return the object that the record gains."""
    enriched = ENRICHER.enrich(record)
    added: dict[str, Any] = enriched.pop("sip")
    assert enriched == record
    return added


def expected(row: Row, initiator: str | None, match: str = "reason") -> dict[str, Any]:
    """Return what a record of this row gains."""
    category = CATALOG.categories[row.code // 100]
    sentence = CATALOG.initiators[initiator].description if initiator else ""
    who = {"initiator": initiator, "initiator_description": sentence} if initiator else {}
    return {
        "code": row.code,
        "category": category.name,
        "category_description": category.description,
        "reason": row.reason,
        **({"description": row.description} if row.description else {}),
        **who,
        "outcome": row.outcomes.get(initiator or "", row.outcome),
        "match": match,
    }


class TestEveryRow:
    @ALL_ROWS
    def test_shapes(self, row: Row) -> None:
        """Every row is found by its code and reason, however they are written, by each of its initiators."""
        for initiator in row.initiators or (S, D, A):
            for shape in REASONS:
                reason = shape(row.reason)
                for code in (row.code, float(row.code), *(form.format(row.code) for form in CODES)):
                    record = {"sip_code": code, "sip_reason": reason, "disconnect_initiator": initiator}
                    assert added_by(record) == expected(row, initiator), record
            for word in WORDS[initiator]:
                record = {"sip_code": row.code, "sip_reason": row.reason, "disconnect_initiator": word}
                assert added_by(record) == expected(row, initiator), record

    @ALL_ROWS
    def test_phrase_behind_the_code(self, row: Row) -> None:
        """The phrase of a status line is the reason where there is no other."""
        initiator = (row.initiators or (D,))[0]
        for form in PHRASES:
            record = {"sip_code": form.format(row.code, row.reason), "disconnect_initiator": initiator}
            assert added_by(record) == expected(row, initiator), record

    @ALL_ROWS
    def test_inference(self, row: Row) -> None:
        """Without an initiator the only one that the row allows is inferred, and marked."""
        added = added_by({"sip_code": row.code, "sip_reason": row.reason})
        sure = row.initiators[0] if len(row.initiators) == 1 else None
        assert added.pop("initiator_inferred", False) == (sure is not None)
        assert added == expected(row, sure)

    @ALL_ROWS
    def test_inference_elsewhere(self, row: Row) -> None:
        """In logs of another platform System is never inferred; the two sides of the call are."""
        found = explain(row.code, row.reason, system=ELSEWHERE)
        sure = row.initiators[0] if len(row.initiators) == 1 and row.initiators != (S,) else ""
        assert (found.initiator, found.initiator_inferred) == (sure, bool(sure))

    @ALL_ROWS
    def test_reason_alone(self, row: Row) -> None:
        """A reason without a code leads to its row, unless another row has the same."""
        found = explain(None, row.reason.upper())
        if row.reason == "Not Acceptable":
            assert found == Explanation(match="none")
        else:
            assert (found.code, found.reason, found.match) == (row.code, row.reason, "reason")
            assert found.outcome == row.outcome


TEXTS = [(row, alias) for row in GUESSING.catalog.rows for alias in row.aliases]
TEXT_CASES = [pytest.param(row, alias, id=f"{alias.code} {alias.text}") for row, alias in TEXTS]


class TestAliases:
    @pytest.mark.parametrize(("row", "alias"), TEXT_CASES)
    def test_alias(self, row: Row, alias: Alias) -> None:
        """Each known raw text gives what its row says, under the record's own code."""
        text = alias.text.replace("#", "17").replace("*", "some words").upper()
        initiator = row.initiators[0] if row.initiators else D
        found = GUESSING.explain(Call(code=alias.code, reason=text, initiator=initiator))
        whole = {field: getattr(found, field) for field in ("reason", "description", "hint", "match", "rows")}
        assert whole == {
            "reason": row.reason,
            "description": row.description,
            "hint": row.hint,
            "match": "alias",
            "rows": (row,),
        }
        assert found.code == alias.code
        assert found.category == CATALOG.categories[row.code // 100].name

    @pytest.mark.parametrize(("row", "alias"), [case for case in TEXT_CASES if case.values[1].certainty == "guess"])
    def test_guesses_are_off(self, row: Row, alias: Alias) -> None:
        """A text that is only plausible leads nowhere unless guesses are asked for."""
        text = alias.text.replace("#", "17").replace("*", "some words")
        assert explain(alias.code, text, S).rows == ()
        assert not LOOKUP.knows_text(text, platform=True)

    @pytest.mark.parametrize("cause", CATALOG.causes, ids=lambda cause: f"{cause.code} {cause.text}")
    def test_cause(self, cause: Cause) -> None:
        """A known text without a row gives outcome, owner and hint, the standard name if any, and no description."""
        text = cause.text.replace("#", "17").replace("*", "some words")
        found = explain(cause.code, text, S)
        assert (found.reason, found.description) == (CATALOG.names.get(cause.code, ""), "")
        assert (found.outcome, found.owner) == (cause.outcome, cause.owner)
        assert (found.hint, found.match, found.rows) == (cause.hint, "alias", ())

    def test_text_of_the_own_platform(self) -> None:
        """The side that "Rtp timeout" names is trusted in logs of the table's platform alone."""
        assert explain(200, "Rtp timeout", S).reason == "RTP Timeout (Origination)"
        elsewhere = explain(200, "Rtp timeout", S, system=ELSEWHERE)
        assert (elsewhere.reason, elsewhere.description) == ("OK", "")
        assert not LOOKUP.knows_text("Rtp timeout", platform=False)
        assert LOOKUP.knows_text("Rtp timeout", platform=True)

    @pytest.mark.parametrize("text", ["Busy", "Not Acceptable", "What?", "", "Unspecified"])
    def test_text_that_decides_nothing(self, text: str) -> None:
        """A text of two rows, of none, or one that says nothing, gives nothing without a code."""
        assert explain(None, text, D) == Explanation(match="none")
        assert not LOOKUP.knows_text(text, platform=True)

    def test_alias_without_a_code(self) -> None:
        """A known raw text without a code gives the row with the row's code."""
        found = explain(None, "Normal Clearing", D)
        assert (found.code, found.reason, found.match) == (200, "Bye", "alias")
