"""What commands print: tables for people, JSON, CSV and Markdown for machines."""

import sys

import pytest

from filters import render

ROWS = [
    {"code": 480, "reason": "Besetzt | 話中", "hint": None},
    {"code": 1, "reason": "a\x1b[31m\n", "hint": ["x", "y"]},
]
COLUMNS = ("code", "reason", "hint")


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("table", "code  reason          hint\n 480  Besetzt | 話中\n   1  a\\x1b[31m\\n     x, y\n"),
        ("csv", 'code,reason,hint\r\n480,Besetzt | 話中,\r\n1,"a\x1b[31m\n","x, y"\r\n'),
        (
            "markdown",
            "| code | reason | hint |\n| --- | --- | --- |\n| 480 | Besetzt \\| 話中 |  |\n| 1 | a\\x1b[31m | x, y |\n",
        ),
    ],
)
def test_table(format: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each format keeps its own rules: wide characters, separators, nothing in place of None."""
    render.table(ROWS, COLUMNS, format)
    assert capsys.readouterr().out == expected


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON keeps types, has each column in each row, and no raw control character."""
    render.table([{"code": 480, "reason": "\x7f\x1b"}], COLUMNS, "json")
    assert capsys.readouterr().out == (
        '[\n  {\n    "code": 480,\n    "reason": "\\u007f\\u001b",\n    "hint": null\n  }\n]\n'
    )


@pytest.mark.parametrize(("format", "expected"), [("table", ""), ("json", "[]\n"), ("csv", "code,reason,hint\r\n")])
def test_no_rows(format: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without rows a table is nothing, and data is empty data."""
    render.table([], COLUMNS, format)
    assert capsys.readouterr().out == expected


def test_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets texts under others where that is asked, markup as it is, and no control characters."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    render.heading("[bold]Rows")
    render.table(ROWS, COLUMNS, "table", under={"hint": "reason"})
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["[bold]Rows", "code  reason / hint"]
    assert lines[3:] == [" 480  Besetzt | 話中", "   1  a\\x1b[31m\\n", "      x, y"]
