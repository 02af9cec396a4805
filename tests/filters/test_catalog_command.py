"""`sipsense catalog`: the table, searched and in each format."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from enricher import load_catalog
from filters.cli import main


def shown(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict[str, object]]:
    """Return the rows that `catalog --format json` prints."""
    assert main(["catalog", *args, "--format", "json"]) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


def reasons(capsys: pytest.CaptureFixture[str], *args: str) -> list[object]:
    """Return the reasons that a search finds."""
    return [row["reason"] for row in shown(capsys, *args)]


def test_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a search all rows are there, and all known texts without a row that are in use."""
    rows = shown(capsys)
    catalog = load_catalog()
    assert [row["code"] for row in rows] == sorted(row["code"] for row in rows)  # type: ignore[type-var]
    assert sum(row["kind"] == "row" for row in rows) == len(catalog.rows)
    assert sum(row["kind"] == "text" for row in rows) == sum(cause.certainty != "guess" for cause in catalog.causes)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["480", "capacity", "did"], "Capacity limit for DID exceeded"),
        (["BUSY here"], "Busy Here"),
        (["besetzt"], "Busy Here"),
        (["did number overloaded"], "Capacity limit for DID exceeded"),
        (["6xx", "decline"], "Decline"),
        (["no_answer", "system"], "Ringing timeout"),
        (["client error", "NoAck"], "NoAck"),
        (["pai header"], "PAI header required"),
    ],
)
def test_search(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A row is found by code, class, reason, description, alias, outcome, initiator or category, in any case."""
    assert reason in reasons(capsys, *words)


def test_search_all_words(capsys: pytest.CaptureFixture[str]) -> None:
    """A row must have every word."""
    assert reasons(capsys, "486", "no_answer") == []


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    """That no row is found is said on stderr and is no error."""
    assert main(["catalog", "busy", "martian"]) == 0
    assert capsys.readouterr() == ("", "sipsense: no row has 'busy' and 'martian'\n")


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe the table is one line a row."""
    assert main(["catalog", "486"]) == 0
    assert capsys.readouterr().out == (
        "code  reason     initiators   outcome  owner   hint\n"
        " 486  Busy Here  Destination  busy     callee  "
        "Callee is busy or pressed reject (many phones send 486 for both): check call waiting and queue overflow.\n"
    )


def test_table_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A known text without a row stands in quotes."""
    assert main(["catalog", "PAI header"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith(' 403  "PAI header required"')


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    """CSV has everything, with aliases in one field and the line ends of RFC 4180."""
    assert main(["catalog", "403", "system", "--format", "csv"]) == 0
    out, _ = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert out.count("\r\n") == len(rows) + 1
    forbidden = next(row for row in rows if row["reason"] == "Forbidden")
    assert forbidden["initiators"] == "Destination, System"
    assert "; 403 Call Barred; " in forbidden["aliases"]
    assert '"Destination, System"' in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has everything, with aliases as objects."""
    (row,) = shown(capsys, "486", "busy")
    assert list(row) == [
        "code",
        "kind",
        "category",
        "reason",
        "description",
        "initiators",
        "outcome",
        "owner",
        "hint",
        "aliases",
        "source",
    ]
    assert row["initiators"] == ["Destination"]
    assert {"text": "Busy", "code": 486, "certainty": "certain", "source": "asterisk"} in row["aliases"]  # type: ignore[operator]


def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    """Markdown escapes what would be markup."""
    assert main(["catalog", "403", "Forbidden", "--format", "markdown"]) == 0
    head, rule, row = capsys.readouterr().out.splitlines()
    assert head.startswith("| code | kind | category | reason |")
    assert rule == "|" + " --- |" * 11
    assert "403 Forbidden \\*" in row


def test_guess(capsys: pytest.CaptureFixture[str]) -> None:
    """Aliases that are only plausible are shown on request."""
    assert reasons(capsys, "Termination gw cps limit") == []
    assert reasons(capsys, "Termination gw cps limit", "--guess") == ["Capacity limit for trunk exceeded"]


def test_catalog_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's file is shown with the rest, and a wrong one is refused."""
    file = tmp_path / "my.toml"
    file.write_text(
        '[[row]]\ncode = 480\nreason = "Temporarily Unavailable"\naliases = [{ text = "Gone | fishing" }]\n'
    )
    assert reasons(capsys, "fishing", "--catalog", str(file)) == ["Temporarily Unavailable"]
    assert main(["catalog", "fishing", "--catalog", str(file), "--format", "markdown"]) == 0
    assert "480 Gone \\| fishing" in capsys.readouterr().out
    file.write_text("[[row]]\ncode = 480\n")
    assert main(["catalog", "--catalog", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"sipsense: {file}: row number 1: ")


def test_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the hint stands under the reason, and no line is wider than the terminal."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["catalog", "403"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("code  reason / hint ")
    assert lines[2].startswith(" 403  Customer blocked")
    assert lines[3].startswith("      Inbound calls are not")
    assert max(map(len, lines)) <= 80
