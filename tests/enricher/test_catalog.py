"""The catalog says what the table says, leads every known text to its row, and refuses what cannot stand."""

import re
import subprocess
import sys
from collections import Counter
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest
from catalog_files import Load

from enricher.catalog import UNKNOWN_TEXT, Alias, Catalog, Cause, Decision, Row, load_catalog
from enricher.text import fold

ROOT = Path(__file__).resolve().parents[2]
CATALOG = load_catalog()
ALL = load_catalog(guess=True)
TABLE = [row for row in CATALOG.rows if row.source == "table"]
TEXTS: list[tuple[Row | Cause, Alias | Cause]] = [(row, alias) for row in ALL.rows for alias in row.aliases]
TEXTS += [(cause, cause) for cause in ALL.causes]


def seed(heading: str) -> list[str]:
    """Return the cells of the table below a heading: a bar ends each of them, and a merged one is empty."""
    lines = (ROOT / "tests/data/seed.txt").read_text("utf-8").splitlines()
    below = dropwhile(lambda line: not line.startswith("|---"), lines[lines.index(heading) :])
    table = takewhile(lambda line: line.endswith("|"), list(below)[1:])
    return [cell for line in table if (cell := line.removesuffix("|").strip())]


def seed_rows() -> list[tuple[int, str, str, tuple[str, ...]]]:
    """Return code, reason, description and initiators of the seed's rows; one without a code has the code above."""
    rows = []
    code = 0
    cells = iter(seed("SIP Response Codes"))
    for initiators in cells:
        reason = next(cells)
        if reason.isdigit():
            code, reason = int(reason), next(cells)
        rows.append((code, reason, next(cells), tuple(initiators.split(" / "))))
    return rows


def leads_to(catalog: Catalog, code: int, text: str) -> Row | Cause | None:
    """Return what the text leads to: exact texts come before patterns."""
    folded = fold(text)
    if found := catalog.aliases.get((code, folded)):
        return found[0]
    return next((pattern.target for pattern in catalog.patterns.get(code, ()) if pattern.matches(folded)), None)


class TestTable:
    def test_rows_are_the_seed(self) -> None:
        """Code, reason, description and initiators of all rows are those of the seed, word for word and in order."""
        assert [(row.code, row.reason, row.description, row.initiators) for row in TABLE] == seed_rows()

    def test_counts(self) -> None:
        """The table has 85 rows, 61 codes, and as many cells of each initiator as the page."""
        assert len(TABLE) == 85
        assert len({row.code for row in TABLE}) == 61
        assert Counter(row.initiators for row in TABLE) == {
            ("Destination",): 55,
            ("System",): 24,
            ("System", "Destination"): 3,
            ("Destination", "System"): 2,
            ("Destination", "Origination"): 1,
        }

    def test_categories_are_the_seed(self) -> None:
        """The five categories are those of the seed, word for word; Provisional is the only other."""
        provisional, *others = CATALOG.categories.values()
        assert (provisional.digit, provisional.name) == (1, "Provisional")
        cells = [cell for it in others for cell in (f"{it.digit}xx", it.name, it.description)]
        assert cells == seed("SIP Response Code Categories")

    def test_initiators_are_the_seed(self) -> None:
        """The three initiators are those of the seed, word for word."""
        cells = [cell for it in CATALOG.initiators.values() for cell in (it.name, it.description)]
        assert cells == seed("Disconnect Initiator")


class TestBuiltIn:
    def test_other_codes(self) -> None:
        """Fifteen IANA codes and two others have a row beyond the table, without a description or initiators."""
        others = [row for row in CATALOG.rows if row not in TABLE]
        iana = {100, 180, 181, 182, 183, 199, 202, 204, 425, 430, 439, 440, 469, 470, 555}
        assert {row.code for row in others} == iana | {411, 478}
        assert not [row for row in others if row.description or row.initiators]

    def test_standard_names(self) -> None:
        """Every code with a row has a standard name, which is the reason of one of its rows, but for 200 OK."""
        assert CATALOG.names.keys() == CATALOG.rows_by_code.keys()
        nameless = [code for code, name in CATALOG.names.items() if (code, fold(name)) not in CATALOG.row_by_reason]
        assert nameless == [200]
        assert CATALOG.names[200] == "OK"

    def test_sources(self) -> None:
        """Everything has a source of its own, and none is the name of one of our files."""
        entries = [*CATALOG.rows, *CATALOG.causes, *CATALOG.decisions, *(entry for _, entry in TEXTS)]
        assert not [entry for entry in entries if not entry.source or entry.source.endswith(".toml")]

    def test_hints(self) -> None:
        """Every row has a hint."""
        assert not [row for row in CATALOG.rows if not row.hint]

    def test_evidence(self) -> None:
        """Connect evidence is asked for only where the notes of the table or of its relatives say that it matters."""
        assert [(row.code, row.reason) for row in CATALOG.rows if row.evidence] == [
            (408, "NoAck"),
            (408, "Request Timeout"),
            (481, "Call/Transaction Does Not Exist"),
            (500, "Reinvite error"),
            (500, "Transfer Failed: EarlyBye"),
        ]

    def test_outcomes(self) -> None:
        """There are fourteen outcomes, and all are in use."""
        used = {row.outcome for row in CATALOG.rows} | {cause.outcome for cause in CATALOG.causes}
        assert used == set(CATALOG.outcomes)
        assert len(used) == 14

    @pytest.mark.parametrize(
        ("target", "entry"), [pytest.param(*text, id=f"{text[1].code} {text[1].text}") for text in TEXTS]
    )
    def test_text_leads_to_its_row(self, target: Row | Cause, entry: Alias | Cause) -> None:
        """Every alias and cause leads to its own row or itself, whatever its wildcards stand for."""
        for digits, words in (("7", "some words"), ("4711", "x")) if entry.pattern else (("#", "*"),):
            text = entry.text.replace("#", digits).replace("*", words)
            assert leads_to(ALL, entry.code, text) == target

    @pytest.mark.parametrize("row", CATALOG.rows, ids=lambda row: f"{row.code} {row.reason}")
    def test_reason_is_found(self, row: Row) -> None:
        """Every row is found by its code, by code and reason, and by its reason alone."""
        assert row in CATALOG.rows_by_code[row.code]
        assert CATALOG.row_by_reason[row.code, fold(row.reason)] is row
        assert row in CATALOG.rows_by_text[fold(row.reason)]

    def test_platform_texts(self) -> None:
        """Only the time-outs of the platform itself are of no use elsewhere, so that "Rtp timeout" is no leg there."""
        assert CATALOG.platform_texts.keys() == {"rtp timeout", "rtp timeout legb"}
        assert not CATALOG.platform_texts.keys() & CATALOG.alias_texts.keys()

    def test_ambiguous_texts(self) -> None:
        """A text of two rows is kept with both, so that it decides nothing without a code."""
        assert [row.code for row in CATALOG.rows_by_text["not acceptable"]] == [406, 606]
        assert [row.code for row in CATALOG.alias_texts["busy"]] == [486, 600]

    @pytest.mark.parametrize(
        "decision",
        [it for it in CATALOG.decisions if not it.reason and not it.unknown_text],
        ids=lambda it: f"{it.code} {it.initiator}",
    )
    def test_decisions_are_needed(self, decision: Decision) -> None:
        """No decision on a missing text says what the general rule says anyway."""
        rows = CATALOG.rows_by_code[decision.code]
        fitting = [row for row in rows if decision.initiator in row.initiators]
        outcomes = {row.outcome for row in fitting or rows}
        assert decision.outcome != (outcomes.pop() if len(outcomes) == 1 else "")

    def test_decisions_are_found(self) -> None:
        """Each decision has a cell of its own, and its text is one that would lead to a row."""
        assert list(CATALOG.cells.values()) == list(CATALOG.decisions)
        assert [key for key, it in CATALOG.cells.items() if it.unknown_text] == [(200, "System", UNKNOWN_TEXT)]
        texts = [(it.code, fold(it.reason)) for it in CATALOG.decisions if it.reason]
        assert not [text for text in texts if text not in CATALOG.row_by_reason and text not in CATALOG.aliases]

    def test_guesses_are_left_out(self) -> None:
        """What is only plausible is used on request alone."""
        assert leads_to(CATALOG, 404, "No routes") is None
        found = leads_to(ALL, 404, "No routes")
        assert isinstance(found, Row)
        assert found.reason == "No trunk assigned"

    def test_more_literal_text_comes_first(self) -> None:
        """Of two patterns that fit, the one with more literal text is tried first."""
        found = leads_to(ALL, 480, "Vendor gateway 17 overloaded")
        assert isinstance(found, Row)
        cause = leads_to(CATALOG, 480, "Vendor gateway 17 overloaded")
        assert isinstance(cause, Cause)
        assert cause.owner == "provider"

    def test_is_frozen(self) -> None:
        """Nothing in a loaded catalog can be set anew."""
        with pytest.raises(AttributeError):
            CATALOG.version = "x"  # type: ignore[misc]
        with pytest.raises(AttributeError):
            CATALOG.rows[0].reason = "x"  # type: ignore[misc]

    def test_loads_without_tomllib(self) -> None:
        """The built-in catalog needs no TOML reader, which would cost more time than all the rest."""
        code = "import sys; from enricher.catalog import load_catalog as load; load(); print('tomllib' in sys.modules)"
        run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert run.stdout == "False\n"


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "text", "fits"),
        [
            ("Gate # is full", "GATE 12 is-full", True),
            ("Gate # is full", "Gate twelve is full", False),
            ("Gate # is full", "Gate is full", False),
            ("Gate # is full", "The gate 12 is full", False),
            ("Gate#", "gate12", True),
            ("Gate#", "gate", False),
            ("* is full", "The gate is full", True),
            ("* is full", "is full", True),
            ("* is full", "this full", False),
            ("is full *", "is full again, sir", True),
            ("is full *", "is full", True),
            ("is full *", "is fuller", False),
            ("is full*", "is fuller", True),
            ("The * full", "the gate is full", True),
            ("The * full", "the full", True),
            ("The * full", "thefull", False),
            ("Full: #/*", "full: 486/Busy Here", True),
            ("a.b *", "axb", False),
        ],
    )
    def test_language(self, load: Load, pattern: str, text: str, fits: bool) -> None:
        """A # is a run of digits, a * any words or none, and the rest is compared as folded text, whole."""
        catalog = load(f"""
            [[row]]
            code = 486
            reason = "Busy Here"
            aliases = [{{ text = "{pattern}", pattern = true }}]
        """)
        found = leads_to(catalog, 486, text)
        assert (found is not None and found.code == 486) == fits


class TestUserFile:
    def test_alias(self, load: Load) -> None:
        """An entry with no more than code, reason and an alias adds it to the row, and leaves the rest as it was."""
        catalog = load("""
            [[row]]
            code = 480
            reason = "capacity limit for did exceeded"
            aliases = [{ text = "Number is full" }]
        """)
        old = CATALOG.row_by_reason[480, "capacity limit for did exceeded"]
        new = catalog.row_by_reason[480, "capacity limit for did exceeded"]
        added = Alias(text="Number is full", code=480, certainty="certain", source="a.toml")
        assert new.aliases == (*old.aliases, added)
        assert (new.description, new.hint, new.source) == (old.description, old.hint, old.source)
        assert catalog.aliases[480, "number is full"] == (new, added)
        assert len(catalog.rows) == len(CATALOG.rows)

    def test_override(self, load: Load) -> None:
        """A field that an entry gives replaces that of the row."""
        catalog = load("[[row]]\ncode = 486\nreason = 'Busy Here'\nowner = 'customer'\nhint = 'Ours.'")
        row = catalog.row_by_reason[486, "busy here"]
        assert (row.owner, row.hint, row.outcome) == ("customer", "Ours.", "busy")

    def test_new_row(self, load: Load) -> None:
        """A row of a new code is found like any other; its source is the file."""
        catalog = load("[[row]]\ncode = 499\nreason = 'Client closed'\noutcome = 'cancelled'\nowner = 'caller'")
        assert catalog.rows_by_code[499] == (catalog.rows_by_text["client closed"][0],)
        assert catalog.rows[-1].source == "a.toml"

    def test_cause(self, load: Load) -> None:
        """A cause of a user's file is found by its text."""
        catalog = load("[[cause]]\ncode = 499\ntext = 'Gone *'\npattern = true\noutcome = 'busy'\nowner = 'caller'")
        found = leads_to(catalog, 499, "gone away")
        assert isinstance(found, Cause)
        assert (found.certainty, found.source) == ("certain", "a.toml")

    def test_alias_is_taken_over(self, load: Load) -> None:
        """A text that the built-in catalog gives to one row can be given to another, which then has it alone."""
        catalog = load("[[row]]\ncode = 403\nreason = 'DID Blocked'\naliases = [{ text = 'Call barred' }]")
        found = leads_to(catalog, 403, "Call Barred")
        assert isinstance(found, Row)
        assert found.reason == "DID Blocked"
        assert [row.reason for row in catalog.alias_texts["call barred"]] == ["DID Blocked"]

    def test_text_of_two_codes(self, load: Load) -> None:
        """A text that leads to one row with two codes leads to it without a code as well."""
        aliases = "aliases = [{ text = 'X' }, { text = 'X', code = 603 }]"
        catalog = load(f"[[row]]\ncode = 486\nreason = 'Busy Here'\n{aliases}")
        assert [row.reason for row in catalog.alias_texts["x"]] == ["Busy Here"]

    def test_alias_becomes_a_row(self, load: Load) -> None:
        """A text that is a built-in alias can be the reason of a row of one's own."""
        catalog = load("[[row]]\ncode = 480\nreason = 'No answer'\noutcome = 'no_answer'\nowner = 'callee'")
        assert catalog.row_by_reason[480, "no answer"].source == "a.toml"
        assert (480, "no answer") not in catalog.aliases

    def test_later_file_wins(self, load: Load) -> None:
        """Of two files that give the same field, the later one is right."""
        entry = "[[row]]\ncode = 486\nreason = 'Busy Here'\nhint = "
        assert load(entry + "'one'", entry + "'two'").row_by_reason[486, "busy here"].hint == "two"

    def test_guess(self, load: Load) -> None:
        """A guess in a user's file is used on request alone, too."""
        text = "[[row]]\ncode = 486\nreason = 'Busy Here'\naliases = [{ text = 'Hm', certainty = 'guess' }]"
        assert leads_to(load(text), 486, "hm") is None
        assert leads_to(load(text, guess=True), 486, "hm") is not None

    def test_version(self, load: Load) -> None:
        """The version depends on the content and on nothing else."""
        empty, hint = "# nothing", "[[row]]\ncode = 486\nreason = 'Busy Here'\nhint = 'Ours.'"
        assert load(empty).version == CATALOG.version == load_catalog().version
        assert len({CATALOG.version, ALL.version, load(hint).version}) == 3
        assert re.fullmatch("[0-9a-f]{8}", CATALOG.version)
