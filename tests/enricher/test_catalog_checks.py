"""What cannot stand in a catalog file is refused, with its file and its entry."""

from pathlib import Path

import msgspec
import pytest
from catalog_files import OUTCOMES, Load, cause, problems, row

from enricher.catalog import Decision, _builtin, load_catalog
from enricher.draft import Draft
from enricher.errors import SettingsError

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
        assert load(row(), cause(text="'Bar'")).version != load_catalog().version

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
