"""`sipsense unwrap`: dead letters become lines again."""

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from enricher.errors import InvalidRecord
from filters.cli import main
from filters.commands import unwrap
from filters.commands.unwrap import REPORTED
from filters.invalid import Invalid


def letter(original: str, kind: str = "not_json") -> str:
    """Return a dead letter as a line."""
    return json.dumps({"event": {"kind": "pipeline_error", "original": original}, "error": {"type": kind}}) + "\n"


@pytest.mark.parametrize("original", ["", "no json", '{"a":', '\\u00e9 é "\t" \u2028', "x" * 100_000])
def test_original(original: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The original comes out as it was, on a line."""
    file = tmp_path / "dead.jsonl"
    file.write_text(letter(original))
    assert main(["unwrap", str(file)]) == 0
    assert capsysbinary.readouterr() == (original.encode() + b"\n", b"")


def test_of_wrap(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """What the stream wraps comes out again."""
    file = tmp_path / "dead.jsonl"
    file.write_bytes(Invalid("wrap")(b'{"a": \xc3\xa9', 3, InvalidRecord("not_json", "expected JSON")))
    assert main(["unwrap", str(file)]) == 0
    assert capsysbinary.readouterr().out == b'{"a": \xc3\xa9\n'


def test_too_long_of_wrap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that the stream cut is not printed, since half a line is no line."""
    file = tmp_path / "dead.jsonl"
    file.write_bytes(Invalid("wrap").too_long(b'{"a":', 100, 50) + letter("whole").encode())
    assert main(["unwrap", str(file)]) == 3
    assert capsys.readouterr() == (
        "whole\n",
        (
            f"sipsense: {file}:1: the line was too long: the letter holds its first part alone\n"
            "sipsense: lines without a whole original: 1\n"
        ),
    )


def test_strangers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that are no dead letters are reported with their numbers, the others printed; blank lines do not count."""
    text = letter("one") + '\n{"event":{"original":"x"}}\nrubbish\n[]\n' + letter("two").rstrip()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["unwrap"]) == 3
    no_letter = "expected a dead letter, got a JSON value without event.kind pipeline_error and event.original"
    assert capsys.readouterr() == (
        "one\ntwo\n",
        (
            f"sipsense: stdin:3: {no_letter}\n"
            "sipsense: stdin:4: expected a dead letter, got something that is no JSON\n"
            f"sipsense: stdin:5: {no_letter}\n"
            "sipsense: lines without a whole original: 3\n"
        ),
    )


def test_not_utf8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that was not UTF-8 is printed as it is kept, and that is said."""
    file = tmp_path / "dead.jsonl"
    file.write_text(letter("a\ufffd", "not_utf8"))
    assert main(["unwrap", str(file)]) == 0
    assert capsys.readouterr() == ("a\ufffd\n", f"sipsense: {file}:1: bytes that are not UTF-8 are U+FFFD now\n")


def test_many_strangers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of many bad lines the first ones are reported, the others counted."""
    file = tmp_path / "dead.jsonl"
    file.write_text("x\n" * 1000)
    assert main(["unwrap", str(file)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("got something that is no JSON") == REPORTED
    assert err.splitlines()[-2:] == [
        f"sipsense: {1000 - REPORTED} more of such lines",
        "sipsense: lines without a whole original: 1000",
    ]


def test_giant(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that no dead letter can be as long as is reported, and the next one is read."""
    monkeypatch.setattr(unwrap, "LONGEST_LETTER", 100)
    file = tmp_path / "dead.jsonl"
    file.write_text("x" * 300 + "\n" + letter("two"))
    assert main(["unwrap", str(file)]) == 3
    out, err = capsys.readouterr()
    assert out == "two\n"
    assert f"{file}:1: expected a dead letter, got a line of more than 100 bytes\n" in err


def test_several_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several files are read in order, compressed or not."""
    first, second = tmp_path / "one", tmp_path / "two.gz"
    first.write_text(letter("one"))
    second.write_bytes(gzip.compress(letter("two").encode()))
    assert main(["unwrap", str(first), str(second)]) == 0
    assert capsys.readouterr() == ("one\ntwo\n", "")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        (gzip.compress(letter("one" * 1000).encode())[:-12], "Compressed file ended before the end-of-stream marker"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff\xff", "Error -3 while decompressing data"),
    ],
)
def test_unreadable(content: bytes | None, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read is a wrong setting."""
    file = tmp_path / "dead.gz"
    if content is not None:
        file.write_bytes(content)
    assert main(["unwrap", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"sipsense: {file}: cannot be read: {problem}")
