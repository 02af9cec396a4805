"""`sipsense profiles`: all record shapes, or one in full."""

import csv
import io
import json
import re
import sys
from pathlib import Path

import pytest

from enricher.profiles import builtin_profiles
from filters.cli import main

PROFILE = """\
name = "mine"
title = "My switch"
source = "me"
rank = 1
platform = true
code = ["end.code"]
example = ['{"end":{"code":486,"zone":"\\u001b"},"other":1}']
"""


@pytest.fixture
def profile(tmp_path: Path) -> str:
    """Return the path of a profile's file."""
    file = tmp_path / "mine.toml"
    file.write_text(PROFILE)
    return str(file)


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has a line a profile, with the first code path and what is read from the first example."""
    assert main(["profiles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(builtin_profiles()) + 1
    assert lines[0].split() == ["name", "title", "code", "example"]
    line = next(line for line in lines if line.startswith("kamailio "))
    assert re.split(" {2,}", line)[2:] == ["sip_code", '{"sip_code":"486","sip_reason":"Busy Here"}']


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the paths and the first example as an object."""
    assert main(["profiles", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [profile.name for profile in builtin_profiles()]
    for row, profile in zip(rows, builtin_profiles(), strict=True):
        assert row["code"] == list(profile.code)
        assert row["example"] == json.loads(profile.example[0])


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    """CSV has the same, with the example as its JSON text."""
    assert main(["profiles", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [row["example"] for row in rows] == [profile.example[0] for profile in builtin_profiles()]


def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    """Markdown has a row a profile."""
    assert main(["profiles", "--format", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(builtin_profiles()) + 2
    assert lines[0] == "| name | title | source | code | reason | initiator | requires | connected | example |"


def test_one(profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One profile is shown in full, with its example before and what it gains."""
    assert main(["profiles", "mine", "--profile-file", profile]) == 0
    assert capsys.readouterr().out == (
        "mine: My switch\n"
        "Source  me\n"
        "Code    end.code\n"
        "\n"
        "before\n"
        '{"end":{"code":486,"zone":"\\u001b"},"other":1}\n'
        "after: the same, and\n"
        "{\n"
        '  "sip": {\n'
        '    "code": 486,\n'
        '    "category": "Client Error",\n'
        '    "category_description": "The request could not be processed due to an issue on the caller or endpoint '
        'side (e.g., 400, 403, 404).",\n'
        '    "reason": "Busy Here",\n'
        '    "description": "Standard SIP response from the destination indicating that the callee was reached but is '
        'currently not willing or able to accept the call.",\n'
        '    "initiator": "Destination",\n'
        '    "initiator_description": "The customer\u2019s SIP endpoint terminated the call.",\n'
        '    "initiator_inferred": true,\n'
        '    "outcome": "busy",\n'
        '    "match": "code"\n'
        "  }\n"
        "}\n"
    )


@pytest.mark.parametrize("name", [profile.name for profile in builtin_profiles()])
def test_each_gains(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every example of every profile gains something."""
    assert main(["profiles", name]) == 0
    assert capsys.readouterr().out.startswith(f"{name}: ")
    assert main(["profiles", name, "--format", "json"]) == 0
    for example in json.loads(capsys.readouterr().out)["example"]:
        before, after = example["before"], example["after"]
        assert {**after, "sip": None} == {**before, "sip": None}
        assert after["sip"]["match"]


def test_own(profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's profile stands in the list, first."""
    assert main(["profiles", "--profile-file", profile]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "mine"


def test_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown name is refused with the nearest right one."""
    assert main(["profiles", "kamaillio"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("got 'kamaillio'; did you mean 'kamailio'?\n")


def test_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal no line is wider than it."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["profiles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "title", "/", "code", "/", "example"]
    assert max(map(len, lines)) <= 80
