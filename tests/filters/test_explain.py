"""`sipsense explain`: codes, texts and records in words and as JSON."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from enricher import Enricher, InvalidRecord
from enricher.lookup import FIELDS
from filters.cli import main

CASES = Path(__file__).parents[1] / "cases"

Give = Callable[[str], None]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    """Return a function that makes a text the standard input."""

    def to_stdin(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return to_stdin


def explained(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, object]:
    """Return what `explain --json` prints."""
    assert main(["explain", *args, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: dict[str, object] = json.loads(out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Return the message of a refusal."""
    assert main(["explain", *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    """A known text is explained in whole sentences, with how sure that is."""
    assert main(["explain", "480", "DID number overloaded", "--initiator", "1"]) == 0
    out, err = capsys.readouterr()
    head, _, rest = out.partition("\n\n")
    assert head == (
        "480 Capacity limit for DID exceeded\n"
        "Category     Client Error: The request could not be processed due to an issue on the caller or endpoint side "
        "(e.g., 400, 403, 404).\n"
        "Reason       Capacity limit for DID exceeded\n"
        "Description  The call was rejected because the DID exceeded its assigned capacity limits.\n"
        "Ended by     System: The DIDWW platform terminated the call due to configuration limits, timeout, or "
        "insufficient balance, or internal logic.\n"
        "Outcome      capacity: A limit on simultaneous calls or call rate was reached.\n"
        "Who can act  customer: whoever runs the account, the trunk or the endpoint\n"
        "Hint         The DID was at its capacity limit: check its calls at peak time and raise the DID's limit if "
        "they are real.\n"
        "How sure     likely: 'DID number overloaded' is a known text for this row (source: didww-streaming)"
    )
    assert rest.splitlines()[:3] == [
        "Other rows of 480",
        "code  reason                                   initiators   outcome    owner",
        " 480  Capacity limit for trunk exceeded        System       capacity   customer",
    ]
    assert err == ""


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For machines there are the keys that are known, the owner, the hint and the rows."""
    found = explained(capsys, "486", "busy  here")
    assert list(found) == [
        "code",
        "category",
        "category_description",
        "reason",
        "description",
        "initiator",
        "initiator_description",
        "initiator_inferred",
        "outcome",
        "match",
        "owner",
        "hint",
        "rows",
        "others",
    ]
    assert found["match"] == "reason"
    assert found["initiator_inferred"] is True
    assert [row["reason"] for row in found["rows"]] == ["Busy Here"]  # type: ignore[attr-defined]
    assert found["others"] == []


@pytest.mark.parametrize(
    "words", [["Busy Here"], ["Busy", "Here"], ["SIP 486 Busy Here"], ["486"], ["486", "Busy", "Here"]]
)
def test_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Code and text may come together or alone, and need no quotes."""
    assert explained(capsys, *words)["reason"] == "Busy Here"


@pytest.mark.parametrize(
    ("args", "sure"),
    [
        (["486", "Busy Here"], "sure: code and reason text are in the table"),
        (["Busy Here"], "sure: one row of the table has this reason text"),
        (["486", "Busy"], "sure: 'Busy' is a known text for this row (source: asterisk)"),
        (["402", "Not enough customer balance"], "by the code alone: this reason text is in no row"),
        (
            ["403", "Not enough customer balance"],
            "likely: 'Not enough customer balance' with code 403 is a known text for",
        ),
        (["403", "PAI header required"], "sure: 'PAI header required' is a known text that has no row of its own"),
        (["486"], "by the code alone: there is no reason text"),
        (["486", "Unspecified"], "by the code alone: the reason text says nothing"),
        (["480", "Number is full"], "by the code alone: this reason text is in no row; 7 rows fit, and only what they"),
        (
            ["480", "Number is full", "--initiator", "1"],
            "by the code alone: System names its causes, and this one is not",
        ),
        (
            ["480", "Temporarily Unavailable", "--initiator", "1"],
            "by the code alone: System writes this text for other",
        ),
        (["699"], "by the first digit alone: this code is in no table"),
        (["Number is full"], "not known: no code, and no row has this text"),
        (["Unauthorised"], "not known: no code, and no row has this text"),
    ],
)
def test_how_sure(args: list[str], sure: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The degree of certainty is a sentence that says why."""
    assert main(["explain", *args]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("How sure"))
    assert line.removeprefix("How sure").strip().startswith(sure)


def test_alias(capsys: pytest.CaptureFixture[str]) -> None:
    """For machines there is the known text that led to the row, also where it is a pattern or stands alone."""
    assert explained(capsys, "486", "User Busy (17)")["alias"] == {
        "text": "User Busy (#)",
        "code": 486,
        "certainty": "likely",
        "source": "q850",
    }
    assert explained(capsys, "Besetzt")["alias"]["text"] == "Besetzt"  # type: ignore[index]


def test_near_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A text with a slip in it shows the rows that may be meant, and explains none."""
    found = explained(capsys, "Forbiden")
    assert found["match"] == "none"
    assert [row["reason"] for row in found["others"]] == ["Forbidden"]  # type: ignore[attr-defined]


def test_connected(capsys: pytest.CaptureFixture[str]) -> None:
    """Connect evidence can be given and decides where it matters."""
    assert explained(capsys, "408", "NoAck", "--connected", "yes")["outcome"] == "dropped"
    assert explained(capsys, "408", "NoAck", "--connected", "no")["outcome"] == "fault"


@pytest.mark.parametrize(("word", "name"), [("1", "System"), ("callee", "Destination"), ("origination", "Origination")])
def test_initiator(word: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The initiator may be a word or a number."""
    assert explained(capsys, "487", "--initiator", word)["initiator"] == name


def test_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """A named profile brings its words, its codes and its sentence for System."""
    found = explained(capsys, "USER_BUSY", "--profile", "freeswitch")
    assert (found["code"], found["outcome"]) == (486, "busy")
    found = explained(capsys, "408", "--initiator", "proxy", "--profile", "kamailio")
    assert str(found["initiator_description"]).startswith("The Kamailio proxy")


def test_settings_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong code, initiator or profile is refused with what was expected."""
    assert refused(capsys, "999") == "sipsense: CODE: expected 100 to 699, got '999'\n"
    assert refused(capsys, "480", "--initiator", "Systm") == (
        "sipsense: --initiator: expected System, Origination, Destination or a word of profile generic, got 'Systm'; "
        "did you mean 'system'?\n"
    )
    assert "did you mean 'yeti'?" in refused(capsys, "480", "--profile", "yety")
    assert refused(capsys, "--connected", "yes").startswith("sipsense: --connected: expected a CODE with it")


def test_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, with nothing given, it says what it expects instead of waiting."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert refused(capsys) == (
        "sipsense: explain: expected a CODE, a REASON, or a record on stdin; see sipsense explain --help\n"
    )


def test_record(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """A record is explained with its profile and each field's path and value, also over several lines."""
    give('{\n"method": "INVITE", "sip_code": "408",\n"sip_reason": "NoAck", "duration": 5, "hangup_by": "martian"}\n')
    assert main(["explain"]) == 0
    out, _ = capsys.readouterr()
    assert out.split("\n\n")[0] == (
        "Read as a record of kamailio: Kamailio acc_json, transactions and calls\n"
        'Code         408 from sip_code = "408"\n'
        'Reason text  "NoAck" from sip_reason\n'
        'Initiator    none: hangup_by = "martian" is none of the profile\'s words\n'
        "Connected    yes from duration = 5"
    )
    assert "\nOutcome      dropped: " in out


def test_record_json(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """For machines `read` holds the profile, and path, value and meaning of each field."""
    give('{"internal_disconnect_code":"486","disconnect_initiator_id":2,"duration":0}')
    assert explained(capsys)["read"] == {
        "profile": "yeti",
        "code": {"path": "internal_disconnect_code", "value": "486", "meaning": 486},
        "reason": None,
        "initiator": {"path": "disconnect_initiator_id", "value": 2, "meaning": "Destination"},
        "connected": {"path": "duration", "value": 0, "verdict": False, "counts": False},
        "call": True,
    }


def test_record_no_outcome(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a record that is no call it is said why it has no outcome."""
    give('{"method":"REGISTER","sip_code":"401","sip_reason":"Unauthorized"}')
    assert main(["explain"]) == 0
    out, _ = capsys.readouterr()
    assert 'No outcome   method is "REGISTER", so the record does not tell how a call ended\n' in out
    assert "How sure  by the code alone: the record is about one request" in out


def test_stranger(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """A record that no profile claims is said to be one, with the values that could be a code."""
    give('{"bytes":200,"status":486,"a.b":{"code":"404"}}')
    assert main(["explain", "--profile", "zeek"]) == 0
    assert capsys.readouterr().out == (
        "No profile finds a SIP code or a known reason text in this record: it passes through unchanged.\n\n"
        "These values could be SIP codes; an option says which one is:\n"
        "  --code status       486\n"
        "  --code 'a\\.b.code'  \"404\"\n"
        "  --code bytes        200\n\n"
        "Where a code would be found without that: status_code.\n"
    )


def test_stranger_without_code(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """A stranger without anything like a code lists the names that are known."""
    give('{"message":"hello"}')
    assert main(["explain"]) == 0
    out, _ = capsys.readouterr()
    assert (
        "\nNothing in it looks like a SIP code; --code PATH --reason PATH --initiator PATH say where they are.\n" in out
    )
    assert "sip_code, " in out.splitlines()[-1]
    give('{"message":"hello"}')
    found = explained(capsys)
    assert (found["read"], found["like_a_code"]) == (None, {})


def test_stranger_paths_work(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """The path that is proposed for a stranger makes it a call log."""
    record = '{"a.b":{"c+d":"486"}}'
    give(record)
    path = next(iter(explained(capsys)["like_a_code"])).strip("'")  # type: ignore[call-overload]
    give(record)
    assert explained(capsys, "--code", path)["outcome"] == "busy"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "stdin: expected a record, got nothing"),
        ("{", "stdin: expected a JSON object: Input data was truncated"),
        ("[1]", "stdin: expected a JSON object: Expected `object`, got `array`"),
    ],
)
def test_no_record(text: str, message: str, give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no record is refused, with what was expected."""
    give(text)
    assert refused(capsys) == f"sipsense: {message}\n"


def test_several_records(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several records the first is explained, and that is said."""
    give('\ufeff{"sip_code":486}\n{"sip_code":404}\nrest')
    assert main(["explain"]) == 0
    out, err = capsys.readouterr()
    assert "\n486 Busy Here\n" in out
    assert err == "sipsense: stdin holds more than one record: this is about the first\n"


def test_colour(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colour, unless NO_COLOR is set, and lines that fit it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["explain", "486"]) == 0
    assert "\x1b[33mbusy\x1b[0m: " in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert main(["explain", "486"]) == 0
    out, _ = capsys.readouterr()
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_no_cursor_movement(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """What a record says cannot move the cursor of a terminal."""
    give(json.dumps({"sip_code": 480, "sip_reason": "\x1b[2JGone\x9b1m", "hangup_by": "\x1b]0;x\x07"}))
    assert main(["explain"]) == 0
    assert "\x1b" not in (out := capsys.readouterr().out)
    assert "\x9b" not in out


RECORDS = [file for file in sorted(CASES.glob("*/*.jsonl")) if not file.name.endswith(".expected.jsonl")]


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_same_as_enrich(file: Path, give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """A record is explained with just what it gains when it is enriched."""
    enricher = Enricher(target="gain")
    lines = file.read_bytes().splitlines()
    for line in lines[:: 1 + len(lines) // 100]:
        try:
            gained = json.loads(enricher.enrich_json(line)).get("gain")
        except InvalidRecord:
            continue
        give(line.decode())
        found = explained(capsys)
        assert ({key: found[key] for key in found if key in FIELDS} or None) == gained


def test_no_readable_number(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """A record with a number that cannot be read, or that is nested deeply, is a stranger like others."""
    give('{"status":486,"big":1e400}')
    assert explained(capsys)["read"] is None
    give('{"a":' * 30 + '{"status":486}' + "}" * 30)
    assert explained(capsys)["like_a_code"] == {}


def test_config_paths(tmp_path: object, give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """Paths of `sipsense.toml` are for records: they do not say who ended the call of a CODE."""
    file = f"{tmp_path}/sipsense.toml"
    with open(file, "w") as opened:
        opened.write('code = "c"\ninitiator = "who"\n')
    assert "initiator" not in explained(capsys, "487", "--config", file)
    give('{"c":487,"who":"caller"}')
    assert explained(capsys, "--config", file)["initiator"] == "Origination"


def test_options_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Options may stand anywhere among the words."""
    assert main(["explain", "480", "--initiator", "1", "DID number overloaded"]) == 0
    assert "Capacity limit for DID exceeded" in capsys.readouterr().out
