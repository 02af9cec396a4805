"""The catalog says what the table says, leads every known text to its row, and refuses what cannot stand."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import dropwhile, takewhile
from pathlib import Path

import msgspec
import pytest

from enricher.catalog import UNKNOWN_TEXT, Alias, Catalog, Cause, Decision, Row, _builtin, load_catalog
from enricher.draft import Draft
from enricher.errors import SettingsError
from enricher.text import fold

ROOT = Path(__file__).resolve().parents[2]
CATALOG = load_catalog()
ALL = load_catalog(guess=True)
TABLE = [row for row in CATALOG.rows if row.source == "table"]
TEXTS: list[tuple[Row | Cause, Alias | Cause]] = [(row, alias) for row in ALL.rows for alias in row.aliases]
TEXTS += [(cause, cause) for cause in ALL.causes]

Load = Callable[..., Catalog]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the catalog with user files of these texts: a.toml, b.toml."""
    monkeypatch.chdir(tmp_path)

    def load(*texts: str, guess: bool = False) -> Catalog:
        files = [Path(f"{letter}.toml") for letter, _ in zip("ab", texts, strict=False)]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, "utf-8")
        return load_catalog(files, guess=guess)

    return load


def problems(load: Load, *texts: str) -> tuple[str, ...]:
    """Return what is wrong with user files of these texts."""
    with pytest.raises(SettingsError) as raised:
        load(*texts)
    return raised.value.problems


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


def row(**fields: str) -> str:
    """Return the TOML of a sound new row with these fields set otherwise."""
    sound = {"code": "480", "reason": "'Foo'", "outcome": "'busy'", "owner": "'callee'"}
    return "[[row]]\n" + "\n".join(f"{name} = {value}" for name, value in (sound | fields).items()) + "\n"


def cause(**fields: str) -> str:
    """Return the TOML of a sound cause with these fields set otherwise."""
    sound = {"code": "480", "text": "'Foo'", "outcome": "'busy'", "owner": "'callee'"}
    return "[[cause]]\n" + "\n".join(f"{name} = {value}" for name, value in (sound | fields).items()) + "\n"


OUTCOMES = ", ".join(CATALOG.outcomes)
CHECKS = {
    "initiator": (
        row(initiators="['Systm']"),
        "row 480 'Foo': initiator 'Systm' is unknown, expected one of System, Origination, Destination",
    ),
    "initiator of an owner": (
        row(owners="{ Systm = 'caller' }"),
        "row 480 'Foo': initiator 'Systm' is unknown, expected one of System, Origination, Destination",
    ),
    "initiator of an outcome": (
        row(outcomes="{ Systm = 'busy' }"),
        "row 480 'Foo': initiator 'Systm' is unknown, expected one of System, Origination, Destination",
    ),
    "outcome": (row(outcome="'bussy'"), f"row 480 'Foo': outcome 'bussy' is unknown, expected one of {OUTCOMES}"),
    "outcome by initiator": (
        row(outcomes="{ System = 'bussy' }"),
        f"row 480 'Foo': outcome 'bussy' is unknown, expected one of {OUTCOMES}",
    ),
    "outcome of a cause": (
        cause(outcome="'bussy'"),
        f"cause 480 'Foo': outcome 'bussy' is unknown, expected one of {OUTCOMES}",
    ),
    "owner": (
        row(owner="'me'"),
        "row 480 'Foo': owner 'me' is unknown, expected one of caller, callee, customer, provider, nobody",
    ),
    "owner by initiator": (
        row(owners="{ System = 'me' }"),
        "row 480 'Foo': owner 'me' is unknown, expected one of caller, callee, customer, provider, nobody",
    ),
    "owner of a cause": (
        cause(owner="'me'"),
        "cause 480 'Foo': owner 'me' is unknown, expected one of caller, callee, customer, provider, nobody",
    ),
    "code too high": (row(code="700"), "row 700 'Foo': code 700 is out of range, expected 100 to 699"),
    "code too low": (cause(code="99"), "cause 99 'Foo': code 99 is out of range, expected 100 to 699"),
    "code of an alias": (
        row(aliases="[{ text = 'Bar', code = 4800 }]"),
        "row 480 'Foo': alias 'Bar' of 4800 has a code out of range, expected 100 to 699",
    ),
    "row twice": (row() + row(reason="'FOO!'"), "row 480 'FOO!': is there twice"),
    "alias of two rows": (
        row(aliases="[{ text = 'Bar' }]") + row(reason="'Baz'", aliases="[{ text = 'BAR' }]"),
        "row 480 'Baz': alias 'BAR' of 480 already leads to row 480 'Foo'",
    ),
    "alias twice": (
        row(aliases="[{ text = 'Bar' }, { text = 'bar.' }]"),
        "row 480 'Foo': alias 'bar.' of 480 already leads to row 480 'Foo'",
    ),
    "pattern of two rows": (
        row(aliases="[{ text = 'Bar *', pattern = true }]")
        + row(reason="'Baz'", aliases="[{ text = 'bar, *', pattern = true }]"),
        "row 480 'Baz': alias 'bar, *' of 480 already leads to row 480 'Foo'",
    ),
    "alias and cause": (
        row(aliases="[{ text = 'Bar' }]") + cause(text="'bar'"),
        "cause 480 'bar': the text already leads to row 480 'Foo'",
    ),
    "cause twice": (cause() + cause(text="'foo'"), "cause 480 'foo': the text already leads to cause 480 'Foo'"),
    "alias that is the row's reason": (
        row(aliases="[{ text = 'foo' }]"),
        "row 480 'Foo': alias 'foo' of 480 is the reason of row 480 'Foo'",
    ),
    "alias that is another row's reason": (
        row(aliases="[{ text = 'busy here', code = 486 }]"),
        "row 480 'Foo': alias 'busy here' of 486 is the reason of row 486 'Busy Here'",
    ),
    "cause that is a row's reason": (
        cause(code="486", text="'busy here'"),
        "cause 486 'busy here': the text is the reason of row 486 'Busy Here'",
    ),
    "hint": (
        row(hint=f"'{'x' * 121}'"),
        "row 480 'Foo': the hint has 121 characters, expected at most 120",
    ),
    "hint of a cause": (
        cause(hint=f"'{'x' * 121}'"),
        "cause 480 'Foo': the hint has 121 characters, expected at most 120",
    ),
    "empty reason": (row(reason="' - '"), "row 480 ' - ': the reason has no words"),
    "empty alias": (row(aliases="[{ text = '()' }]"), "row 480 'Foo': alias '()' of 480 has no words"),
    "pattern of wildcards alone": (cause(text="'* #'", pattern="true"), "cause 480 '* #': the text has no words"),
    "unknown key": (row(hints="'x'"), "row 480 'Foo': Object contains unknown field `hints`"),
    "unknown key of an alias": (
        row(aliases="[{ text = 'x', sure = true }]"),
        "row 480 'Foo': Object contains unknown field `sure` - at `$.aliases[0]`",
    ),
    "unknown table": ("[[rows]]\ncode = 480", "Object contains unknown field `rows`"),
    "wrong type": (row(hint="7"), "row 480 'Foo': Expected `str`, got `int` - at `$.hint`"),
    "wrong type of a code": (row(code="'480'"), "row number 1: Expected `int`, got `str` - at `$.code`"),
    "wrong type of the aliases": (row(aliases="1"), "row 480 'Foo': Expected `array`, got `int` - at `$.aliases`"),
    "wrong type of an alias": (row(aliases="[1]"), "row 480 'Foo': Expected `object`, got `int` - at `$.aliases[0]`"),
    "wrong type of a row": ("row = [1]", "Expected `object`, got `int` - at `$.row[0]`"),
    "wrong certainty": (
        row(aliases="[{ text = 'x', certainty = 'sure' }]"),
        "row 480 'Foo': Invalid enum value 'sure' - at `$.aliases[0].certainty`",
    ),
    "no outcome": ("[[row]]\ncode = 480\nreason = 'Foo'", "row 480 'Foo': Object missing required field `outcome`"),
    "no reason": ("[[row]]\ncode = 480", "row number 1: Object missing required field `reason`"),
    "no text": ("[[cause]]\ncode = 480", "cause number 1: Object missing required field `text`"),
    "syntax": ("[[row]]\ncode 480", "is not TOML: Expected '=' after a key in a key/value pair (at line 2, column 6)"),
}


class TestChecks:
    def test_sound_entries(self, load: Load) -> None:
        """The row and the cause that the checks below break are sound themselves."""
        assert load(row(), cause(text="'Bar'")).version != CATALOG.version

    @pytest.mark.parametrize(("text", "problem"), CHECKS.values(), ids=CHECKS)
    def test_is_refused(self, load: Load, text: str, problem: str) -> None:
        """A file with one mistake is refused with one sentence on where it is, what came and what was expected."""
        expected = f"a.toml: {problem}"
        assert problems(load, text) == (expected,)

    def test_missing_file(self) -> None:
        """A file that cannot be read is named with the reason."""
        with pytest.raises(SettingsError) as raised:
            load_catalog(["/nowhere/my.toml"])
        assert raised.value.problems == ("/nowhere/my.toml: cannot be read: No such file or directory",)

    def test_not_utf8(self, tmp_path: Path) -> None:
        """A file that is not UTF-8 is no TOML."""
        file = tmp_path / "my.toml"
        file.write_bytes(b"a = '\xff'")
        with pytest.raises(SettingsError, match=r"my\.toml: is not TOML: 'utf-8' codec can't decode byte 0xff"):
            load_catalog([file])

    def test_all_at_once(self, load: Load) -> None:
        """One error has the problems of all files, and of all entries of a file."""
        found = problems(load, row(hint="7") + row(reason="'Bar'", owner="'me'"), row(reason="''") + "[x]")
        assert [problem.split(": ")[:2] for problem in found] == [
            ["a.toml", "row 480 'Foo'"],
            ["b.toml", "Object contains unknown field `x`"],
            ["a.toml", "row 480 'Bar'"],
        ]


class TestDraft:
    def test_wrong_decision(self) -> None:
        """A decision is named by its code and initiator."""
        wrong = Decision(code=480, initiator="Systm", source="test")
        content = msgspec.structs.replace(_builtin(), decision=(wrong,))
        with pytest.raises(SettingsError, match="decision 480 'Systm': initiator 'Systm' is unknown"):
            Draft(content).finish()

    def test_reason_that_is_an_alias_of_the_same_file(self, load: Load) -> None:
        """A row cannot be added under a text that the same file gives to another row."""
        with pytest.raises(SettingsError, match="Foo"):
            load(row(reason="'Bar'", aliases="[{ text = 'Foo' }]") + row())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what freeze.py reads and writes."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "enricher", tmp_path / "enricher", ignore=ignored)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=ignored)
    return tmp_path


def freeze(project: Path, *arguments: str) -> tuple[int, str]:
    """Run freeze.py and return its exit code and what it says."""
    command = [sys.executable, "scripts/freeze.py", *arguments]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert run.stdout == ""
    return run.returncode, run.stderr


class TestFreeze:
    def test_is_not_stale(self) -> None:
        """What the package reads is what its TOML files say."""
        assert freeze(ROOT, "--check") == (0, "")

    def test_stale(self, project: Path) -> None:
        """A changed file makes builtin.json stale until it is written again."""
        words = project / "enricher/catalog/words.toml"
        words.write_text(words.read_text("utf-8").replace("nobody took the call", "no one took the call"), "utf-8")
        stale = (1, "enricher/builtin.json is stale: run scripts/freeze.py\n")
        assert freeze(project, "--check") == stale
        assert freeze(project) == (0, "")
        assert freeze(project, "--check") == (0, "")
        (project / "enricher/builtin.json").unlink()
        assert freeze(project, "--check") == stale

    def test_nothing_twice(self, project: Path) -> None:
        """Our own files must not lay one over another."""
        (project / "enricher/catalog/zz.toml").write_text(
            row(code="486", reason="'Busy Here'")
            + row(reason="'New'", aliases="[{ text = 'No Answer' }]")
            + cause(text="'Gateway not registered'"),
            "utf-8",
        )
        code, message = freeze(project)
        assert code == 1
        assert message.splitlines() == [
            "zz.toml: row 486 'Busy Here': is there twice",
            "zz.toml: row 480 'New': alias 'No Answer' of 480 already leads to row 480 'Temporarily Unavailable'",
            "zz.toml: cause 480 'Gateway not registered': the text already leads to cause 480 'Gateway not registered'",
        ]

    def test_table_twice(self, project: Path) -> None:
        """A vocabulary has one file."""
        (project / "enricher/catalog/zz.toml").write_text("fillers = []", "utf-8")
        assert freeze(project) == (1, "zz.toml: table fillers is in another file too\n")

    def test_decision(self, project: Path) -> None:
        """Decisions are checked like rows."""
        file = project / "enricher/catalog/decisions.toml"
        file.write_text(file.read_text("utf-8").replace('outcome = "cancelled"', 'outcome = "canceled"'), "utf-8")
        assert freeze(project) == (
            1,
            f"built-in: decision 487 'Origination': outcome 'canceled' is unknown, expected one of {OUTCOMES}\n",
        )

    def test_shape(self, project: Path) -> None:
        """A vocabulary with a missing field is refused."""
        file = project / "enricher/catalog/words.toml"
        file.write_text(file.read_text("utf-8").replace("digit = 1\n", ""), "utf-8")
        assert freeze(project) == (1, "catalog: Object missing required field `digit` - at `$.category[0]`\n")

    def test_syntax(self, project: Path) -> None:
        """A file that is not TOML is named."""
        (project / "enricher/catalog/zz.toml").write_text("x", "utf-8")
        assert freeze(project) == (
            1,
            "catalog/zz.toml: is not TOML: Expected '=' after a key in a key/value pair (at end of document)\n",
        )

    def test_usage(self) -> None:
        """Any other argument gets the usage."""
        code, message = freeze(ROOT, "--chek")
        assert code == 2
        assert "Usage: python scripts/freeze.py [--check]" in message
