"""The look-up keeps the decision table and invents nothing; `test_rows.py` has each row in each shape."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enricher import Enricher, Explanation
from enricher.catalog import Row, load_catalog
from enricher.lookup import Call, Lookup

CATALOG = load_catalog()
LOOKUP = Lookup(CATALOG)
ENRICHER = Enricher()

S, D, A, U = "System", "Destination", "Origination", None
ELSEWHERE = "The sentence of another platform."

# The decision table for a missing text: code, initiator, connected, row that applies ("" for none), outcome, owner.
# "" as outcome or owner: the rows do not agree, so that nothing is said.
Cell = tuple[int, str | None, bool | None, str, str, str]
CELLS: list[Cell] = [
    (200, S, None, "", "dropped", ""),
    (200, D, None, "Bye", "answered", "nobody"),
    (200, A, None, "Bye", "answered", "nobody"),
    (200, U, None, "", "", ""),
    (400, S, None, "Bad Request", "misconfigured", "caller"),
    (400, D, None, "Bad Request", "misconfigured", "customer"),
    (400, A, None, "", "", "caller"),
    (400, U, None, "Bad Request", "misconfigured", "customer"),
    (402, S, None, "Customer balance too low", "blocked", "customer"),
    (402, D, None, "Payment Required", "blocked", "customer"),
    (402, A, None, "", "", "caller"),
    (402, U, None, "", "blocked", "customer"),
    (403, S, None, "", "", "customer"),
    (403, D, None, "Forbidden", "blocked", "customer"),
    (403, A, None, "", "", "caller"),
    (403, U, None, "", "", "customer"),
    (408, S, None, "", "", ""),
    (408, S, False, "Request Timeout", "fault", "customer"),
    (408, S, True, "", "dropped", ""),
    (408, D, None, "Request Timeout", "fault", "customer"),
    (408, D, False, "Request Timeout", "fault", "customer"),
    (408, D, True, "Request Timeout", "dropped", "customer"),
    (408, A, None, "", "", "caller"),
    (408, A, True, "", "dropped", "caller"),
    (408, U, None, "", "", ""),
    (408, U, False, "Request Timeout", "fault", "customer"),
    (408, U, True, "", "dropped", ""),
    (480, S, None, "", "capacity", "customer"),
    (480, D, None, "Temporarily Unavailable", "no_answer", "callee"),
    (480, A, None, "", "", "caller"),
    (480, U, None, "", "", ""),
    (487, S, None, "Ringing timeout", "no_answer", "customer"),
    (487, D, None, "Request Terminated", "cancelled", "customer"),
    (487, A, None, "", "cancelled", "caller"),
    (487, U, None, "", "", ""),
    (488, S, None, "No matching codecs", "misconfigured", "customer"),
    (488, D, None, "Not Acceptable Here", "misconfigured", "customer"),
    (488, A, None, "", "misconfigured", "caller"),
    (488, U, None, "", "misconfigured", "customer"),
    (500, S, None, "", "", ""),
    (500, D, None, "Server Internal Error", "fault", "customer"),
    (500, A, None, "", "", "caller"),
    (500, U, None, "", "", ""),
    (603, S, None, "Decline", "blocked", "provider"),
    (603, D, None, "Decline", "rejected", "callee"),
    (603, A, None, "", "", "caller"),
    (603, U, None, "Decline", "rejected", "callee"),
]
LISTED = {code for code, *_ in CELLS}
SINGLE = [row for row in CATALOG.rows if row.source == "table" and row.code not in LISTED]
FILLERS = [
    None,
    "",
    "  ",
    "-",
    "Unspecified",
    "unknown",
    "Default status message",
    "Request Failure",
    "Server Failure",
    "Global Failure",
    "Redirection",
    "Successful",
    "Provisional",
]


def explain(code: int | None, reason: str | None = None, initiator: str | None = None, **more: Any) -> Explanation:
    """Return what the look-up says of such a call."""
    return LOOKUP.explain(Call(code=code, reason=reason, initiator=initiator, **more))


def said(found: Explanation) -> tuple[str, str, str, str]:
    """Return reason and description, outcome and owner."""
    return found.reason, found.description, found.outcome, found.owner


def row_of(code: int, reason: str) -> Row:
    """Return the row."""
    return next(row for row in CATALOG.rows if row.code == code and row.reason == reason)


def added_by(record: dict[str, Any]) -> dict[str, Any]:
    """Return the object that the record gains."""
    enriched = ENRICHER.enrich(record)
    added: dict[str, Any] = enriched.pop("sip")
    assert enriched == record
    return added


def named(cell: Cell) -> str:
    """Return the name of a cell's test."""
    return f"{cell[0]} {cell[1]} {cell[2]}"


class TestDecisionTable:
    @pytest.mark.parametrize("cell", CELLS, ids=named)
    @pytest.mark.parametrize("filler", FILLERS)
    def test_cell(self, cell: Cell, filler: str | None) -> None:
        """Without a text, or with one that says nothing, each cell says what the table says, and no more."""
        code, initiator, connected, reason, outcome, owner = cell
        found = explain(code, filler, initiator, connected=connected)
        name, description = (reason, row_of(code, reason).description) if reason else (CATALOG.names[code], "")
        assert said(found) == (name, description, outcome, owner)
        assert (found.match, found.initiator) == ("code", initiator or "")

    @pytest.mark.parametrize("row", SINGLE, ids=lambda row: str(row.code))
    def test_code_with_one_row(self, row: Row) -> None:
        """A code with one row has its outcome always, but its text only where it may be meant."""
        sides = {S: "provider", A: "caller"}
        for initiator, side in sides.items():
            assert said(explain(row.code, None, initiator)) == (CATALOG.names[row.code], "", row.outcome, side)
        for initiator in (D, U):
            found = explain(row.code, None, initiator)
            assert said(found) == (row.reason, row.description, row.outcome, row.owner)

    def test_table_is_whole(self) -> None:
        """Every code of the table is in the tests above, by each initiator and without one."""
        assert {(code, initiator) for code, initiator, *_ in CELLS} == {(c, i) for c in LISTED for i in (S, D, A, U)}
        assert len(LISTED) + len(SINGLE) == 61

    @pytest.mark.parametrize("cell", [cell for cell in CELLS if cell[1] != S], ids=named)
    def test_unknown_text(self, cell: Cell) -> None:
        """A text that is not known, by anybody but System, says as much as none: phrases are free text."""
        code, initiator, connected, *_ = cell
        with_text = explain(code, "So long, and thanks", initiator, connected=connected)
        assert with_text == explain(code, None, initiator, connected=connected)

    @pytest.mark.parametrize("code", sorted({row.code for row in CATALOG.rows}))
    def test_unknown_text_by_system(self, code: int) -> None:
        """A text that is not known by System is another cause: no row, and no outcome but for 200."""
        found = explain(code, "So long, and thanks", S)
        assert said(found) == (CATALOG.names[code], "", "dropped" if code == 200 else "", "")
        assert (found.rows, found.hint, found.match, found.initiator) == ((), "", "code", S)

    @pytest.mark.parametrize("initiator", [S, A])
    def test_other_initiator(self, initiator: str) -> None:
        """A known text by somebody whom the row does not list is believed; the owner is the initiator's."""
        found = explain(486, "busy here", initiator)
        assert said(found)[:3] == ("Busy Here", row_of(486, "Busy Here").description, "busy")
        assert (found.owner, found.initiator) == ({S: "provider", A: "caller"}[initiator], initiator)
        assert (found.match, found.initiator_inferred) == ("reason", False)

    def test_caller_cancels(self) -> None:
        """A 487 by Origination is the caller's cancel, whatever the text."""
        for text in (None, "Request Terminated", "Gone"):
            found = explain(487, text, A)
            assert (found.outcome, found.owner, found.initiator) == ("cancelled", "caller", A)

    def test_limits_under_an_old_name(self) -> None:
        """A 480 "Temporarily Unavailable" by System is one of its limits, and never an absent callee."""
        found = explain(480, "Temporarily Unavailable", S)
        assert said(found) == ("Temporarily Unavailable", "", "capacity", "customer")
        assert (found.match, found.hint) == ("code", "")

    def test_forbidden_by_system(self) -> None:
        """A 403 "Forbidden" by System is blocked, and the customer's to look at: the number may have expired."""
        found = explain(403, "Forbidden", S)
        assert (found.outcome, found.owner, found.initiator) == ("blocked", "customer", S)

    @pytest.mark.parametrize("text", ["OK", "ok.", None, "Something"])
    def test_system_ends_a_connected_call(self, text: str | None) -> None:
        """A 200 by System is a call that was cut, even under the standard name."""
        assert explain(200, text, S).outcome == "dropped"
        assert explain(200, text, S).description == ""

    @pytest.mark.parametrize(
        ("code", "reason", "initiator", "unknown", "connected", "not_connected"),
        [
            (408, "NoAck", S, "dropped", "dropped", "fault"),
            (408, "Request Timeout", D, "fault", "dropped", "fault"),
            (481, None, S, "fault", "dropped", "fault"),
            (481, "Call/Transaction Does Not Exist", D, "fault", "dropped", "fault"),
            (500, "Reinvite error", S, "dropped", "dropped", "fault"),
            (500, "Transfer Failed: EarlyBye", S, "dropped", "dropped", "fault"),
            (200, "NoPrack", S, "dropped", "dropped", "fault"),
            (486, "Busy Here", D, "busy", "busy", "busy"),
            (200, "Bye", D, "answered", "answered", "answered"),
        ],
    )
    def test_connect_evidence(
        self, code: int, reason: str | None, initiator: str, unknown: str, connected: str, not_connected: str
    ) -> None:
        """Connect evidence wins where it matters, and is not asked for elsewhere."""
        outcomes = [explain(code, reason, initiator, connected=it).outcome for it in (None, True, False)]
        assert outcomes == [unknown, connected, not_connected]
        assert explain(code, reason, initiator).evidence == (len({unknown, connected, not_connected}) > 1)

    @pytest.mark.parametrize(
        ("code", "reason", "owners"),
        [
            (400, "Bad Request", {S: "caller", D: "customer"}),
            (403, "Forbidden", {S: "customer", D: "customer"}),
            (408, "Request Timeout", {S: "customer", D: "customer", U: "customer"}),
            (500, "Server Internal Error", {S: "provider", D: "customer"}),
            (603, "Decline", {S: "provider", D: "callee"}),
            (487, "Request Terminated", {D: "customer", A: "caller", U: "caller"}),
        ],
    )
    def test_owner_by_initiator(self, code: int, reason: str, owners: dict[str | None, str]) -> None:
        """The owner follows the initiator where two sides can be the cause."""
        assert {initiator: explain(code, reason, initiator).owner for initiator in owners} == owners


class TestDegrees:
    @pytest.mark.parametrize(
        ("code", "category"),
        [
            (198, "Provisional"),
            (298, "Successful"),
            (399, "Redirection"),
            (499, "Client Error"),
            (599, "Server Error"),
            (699, "Global Failure"),
        ],
    )
    def test_class(self, code: int, category: str) -> None:
        """A code that no table knows has the category of its first digit and nothing more."""
        assert explain(code, "Anything", D) == Explanation(
            code=code,
            category=category,
            category_description=CATALOG.categories[code // 100].description,
            initiator=D,
            initiator_description=CATALOG.initiators[D].description,
            match="class",
        )

    @pytest.mark.parametrize("code", [None, 0, 99, 700, 486.5, "hello", "", True, [486], {"a": 486}, "48600", 1e300])
    def test_none(self, code: Any) -> None:
        """A code field without a SIP code gives the degree alone."""
        assert added_by({"sip_code": code}) == {"match": "none"}

    def test_no_code_but_a_reason(self) -> None:
        """A code field without a SIP code beside a known reason leads to the row."""
        assert added_by({"sip_code": None, "sip_reason": "Ringing timeout"})["code"] == 487

    def test_inferred_row_never_looks_read(self) -> None:
        """Only what stands in the text has the degree `reason` or `alias`."""
        for code, initiator, connected, *_ in CELLS:
            assert explain(code, None, initiator, connected=connected).match == "code"
            assert explain(code, "Anything", initiator, connected=connected).match == "code"

    def test_not_final(self) -> None:
        """A record that is no call's end has code, category and standard name, and no outcome."""
        found = explain(486, "Busy Here", D, final=False)
        assert said(found) == ("Busy Here", "", "", "")
        assert (found.match, found.category) == ("code", "Client Error")


_CODES = st.sampled_from([None, *CATALOG.names, 499, 299])
_TEXTS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from([*CATALOG.rows_by_text, *CATALOG.alias_texts, *CATALOG.fillers]),
    st.sampled_from([pattern.regex for patterns in CATALOG.patterns.values() for pattern in patterns]).flatmap(
        lambda regex: st.from_regex(regex, fullmatch=True)
    ),
)


class TestAlike:
    @given(_CODES, _TEXTS, st.sampled_from([S, D, A, U]), st.sampled_from(["", ELSEWHERE]), st.booleans())
    def test_explanation(
        self, code: int | None, reason: str | None, initiator: str | None, system: str, final: bool
    ) -> None:
        """A call that stands for others has their explanation."""
        call = Call(code=code, reason=reason, initiator=initiator, system=system, final=final)
        assert LOOKUP.explain(LOOKUP.alike(call)) == LOOKUP.explain(call)

    def test_texts_that_are_not_known(self) -> None:
        """All texts that are not known are one call, so that a stream of them costs little."""
        alike = {LOOKUP.alike(Call(code=486, reason=text, initiator=D)) for text in ("Foo", "bar 1", "baz")}
        assert len(alike) == 1


class TestOtherPlatform:
    @pytest.mark.parametrize("row", [row for row in CATALOG.rows if row.initiators == (S,)], ids=lambda row: row.reason)
    def test_systems_rows(self, row: Row) -> None:
        """What the table says of its own System is never said of another for the code alone."""
        found = explain(row.code, None, S, system=ELSEWHERE)
        assert (found.description, found.initiator, found.initiator_description) == ("", S, ELSEWHERE)
        assert row not in found.rows

    def test_outcome(self) -> None:
        """Without a text, System elsewhere gets no outcome that rests on the table's own platform."""
        assert {code: explain(code, None, S, system=ELSEWHERE).outcome for code in (480, 487, 200, 488)} == {
            480: "",
            487: "",
            200: "",
            488: "misconfigured",
        }

    def test_unknown_text(self) -> None:
        """Other platforms' texts are free text: one that is not known by System says as much as none there."""
        for code in (486, 488, 480):
            with_text = explain(code, "So long, and thanks", S, system=ELSEWHERE)
            assert with_text == explain(code, None, S, system=ELSEWHERE)
        assert explain(486, "So long, and thanks", S, system=ELSEWHERE).outcome == "busy"

    def test_sentence(self) -> None:
        """The sentence for System is the platform's own, for the sides of the call it is the table's."""
        assert explain(486, "Busy Here", S, system=ELSEWHERE).initiator_description == ELSEWHERE
        assert explain(486, "Busy Here", D, system=ELSEWHERE).initiator_description == (
            CATALOG.initiators[D].description
        )
