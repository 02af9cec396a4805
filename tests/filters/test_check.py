"""`sipsense check`: settings, and what they find in a sample."""

import gzip
import io
import json
import sys
import tomllib
from pathlib import Path

import pytest
import zstandard
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from enricher import Enricher
from enricher.text import fold
from filters.cli import main
from filters.commands._sample import LONGEST_LINE, LONGEST_TEXT, Texts

SAMPLE = [
    {"sip_code": 480, "sip_reason": "Gateway 1 is full"},
    {"sip_code": 480, "sip_reason": "Gateway 23 is full"},
    {"internal_disconnect_code": 486, "internal_disconnect_reason": "Busy Here", "disconnect_initiator_id": 2},
    {"sip_code": "486", "sip_reason": "Busy"},
    {"sip_code": 480, "sip_reason": "Unspecified"},
    {"sip_code": 699, "sip_reason": "Other failure"},
    {"sip_code": "weird"},
    {"method": "REGISTER", "sip_code": "401", "sip_reason": "Who are you"},
    {"code": 404},
]


NO_JSON = "expected a JSON object: JSON is malformed: invalid character (byte 0)"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Return a file of records, with a blank line and a bad one behind them."""
    file = tmp_path / "sample.jsonl"
    file.write_text("\n".join(map(json.dumps, SAMPLE)) + '\n\n{"half":\n')
    return file


def checked(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, dict[str, object]]:
    """Return what `check --format json` prints."""
    assert main(["check", *args, "--format", "json"]) == 0
    found: dict[str, dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """Sound settings are counted, with the version of the catalog."""
    counts = checked(capsys)["settings"]
    catalog = Enricher().catalog
    assert (counts["rows"], counts["catalog"]) == (len(catalog.rows), catalog.version)
    assert main(["check"]) == 0
    assert capsys.readouterr().out == (
        f"ok: {counts['rows']} rows, {counts['aliases']} aliases, {counts['texts']} other texts, "
        f"{counts['profiles']} profiles, catalog {catalog.version}\n"
    )


def test_guess(capsys: pytest.CaptureFixture[str]) -> None:
    """Aliases that are only plausible count when they are used."""
    less, more = checked(capsys)["settings"], checked(capsys, "--guess")["settings"]
    assert less["aliases"] < more["aliases"]  # type: ignore[operator]
    assert less["catalog"] != more["catalog"]


def test_wrong_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that is wrong is said at once, each on a line."""
    file = tmp_path / "my.toml"
    file.write_text('[[row]]\ncode = 480\nreason = "Temporarily Unavailable"\noutcome = "odd"\n')
    assert main(["check", "--catalog", str(file), "--profile-file", "/no/such.toml", "--target", "a.b"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 3
    assert f"sipsense: {file}: row 480 'Temporarily Unavailable': outcome 'odd' is unknown, expected one of " in err


def test_sample(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sample is counted by profile and degree, and its unknown texts have aliases ready."""
    found = checked(capsys, str(sample))["sample"]
    assert found == {
        "file": str(sample),
        "records": 8,
        "strangers": 1,
        "invalid": 1,
        "blank": 1,
        "first_stranger": 9,
        "first_invalid": 11,
        "profiles": [
            {"profile": "generic", "records": 6, "reason": 0, "alias": 1, "code": 3, "class": 1, "none": 1},
            {"profile": "yeti", "records": 1, "reason": 1, "alias": 0, "code": 0, "class": 0, "none": 0},
            {"profile": "kamailio", "records": 1, "reason": 0, "alias": 0, "code": 1, "class": 0, "none": 0},
        ],
        "texts": [
            {
                "count": 2,
                "code": 480,
                "profile": "generic",
                "text": "Gateway # is full",
                "alias": '{ text = "Gateway # is full", code = 480, pattern = true },',
            },
            {
                "count": 1,
                "code": 699,
                "profile": "generic",
                "text": "Other failure",
                "alias": '{ text = "Other failure", code = 699 },',
            },
        ],
        "texts_exact": True,
    }


def test_sample_table(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for people, with an example of what to write."""
    assert main(["check", str(sample)]) == 0
    assert capsys.readouterr().out.partition("\n\n")[2] == (
        f"Sample         {sample}\n"
        "Call logs      8\n"
        "Strangers      1, first in line 9; sipsense explain says why\n"
        "Invalid lines  1, first in line 11: expected a JSON object: Input data was truncated\n"
        "Blank lines    1\n"
        "\n"
        "profile   records  reason  alias  code  class  none\n"
        "generic         6       0      1     3      1     1\n"
        "yeti            1       1      0     0      0     0\n"
        "kamailio        1       0      0     1      0     0\n"
        "\n"
        "Most frequent texts that found no row\n"
        "count  code  profile  alias\n"
        '    2   480  generic  { text = "Gateway # is full", code = 480, pattern = true },\n'
        '    1   699  generic  { text = "Other failure", code = 699 },\n'
        "\n"
        "To give one a meaning, put its alias into the row that it stands for, in a file for --catalog:\n"
        "\n"
        "  [[row]]\n"
        "  code = 480\n"
        '  reason = "REASON"  # of a row: sipsense catalog 480\n'
        "  aliases = [\n"
        '    { text = "Gateway # is full", code = 480, pattern = true },\n'
        "  ]\n"
    )


def test_advice_works(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The entry that it proposes, with a reason filled in, makes the texts known."""
    assert main(["check", str(sample)]) == 0
    advice = capsys.readouterr().out.partition("for --catalog:\n")[2]
    file = tmp_path / "my.toml"
    file.write_text(advice.replace("REASON", "Temporarily Unavailable"))
    assert [text["code"] for text in checked(capsys, str(sample), "--catalog", str(file))["sample"]["texts"]] == [699]  # type: ignore[attr-defined]


def test_compressed_and_stdin(
    sample: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample may be compressed, or stdin."""
    expected = checked(capsys, str(sample))["sample"]
    packed = sample.with_suffix(".gz")
    packed.write_bytes(gzip.compress(sample.read_bytes()))
    assert checked(capsys, str(packed))["sample"] == expected | {"file": str(packed)}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sample.read_bytes())))
    assert checked(capsys, "-")["sample"] == expected | {"file": "stdin"}


def test_zstandard(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged Zstandard file cannot be read, a sound one can."""
    packed = sample.with_suffix(".zst")
    data = zstandard.ZstdCompressor().compress(sample.read_bytes())
    packed.write_bytes(data)
    assert checked(capsys, str(packed))["sample"]["records"] == 8
    packed.write_bytes(data[:8] + b"\xff" * 40)
    assert main(["check", str(packed)]) == 2
    assert capsys.readouterr().err.startswith(f"sipsense: {packed}: cannot be read: ")


def test_long_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is too long is one invalid line, and the next one is read."""
    file = tmp_path / "long.jsonl"
    file.write_text('\ufeff{"sip_code":486}\r\n' + "x" * (2 * LONGEST_LINE + 10) + '\n{"sip_code":486}')
    found = checked(capsys, str(file))["sample"]
    assert (found["records"], found["invalid"], found["first_invalid"]) == (2, 1, 2)


def test_named_profile(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a path given, records that have it are counted for it, and all others are strangers."""
    found = checked(capsys, str(sample), "--code", "code")["sample"]
    assert (found["records"], found["strangers"]) == (1, 8)


def test_nothing_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sample without unknown texts, or without call logs, needs no advice."""
    file = tmp_path / "sample.jsonl"
    file.write_text('{"sip_code":486}\n')
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out.endswith("\ngeneric        1       0      0     1      0     0\n")
    file.write_text("a\nb\n")
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out.endswith("\nInvalid lines  2, first in line 1: " + NO_JSON + "\n")


def letters(number: int) -> str:
    """Return a different word for each number."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def test_bounded() -> None:
    """However many different texts come, few are kept, and the frequent ones stay."""
    texts = Texts(100)
    for number in range(5000):
        texts.add("generic", 480, f"text {letters(number)}")
        if number % 10 == 0:
            texts.add("generic", 480, "often")
    assert len(texts._counts) <= 100
    assert len(texts._spelled) <= 100
    assert not texts.exact
    assert [(text["text"], text["count"]) for text in texts.most_common(1)] == [("often", 500)]


def test_many_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That counts are lower bounds is said."""
    file = tmp_path / "many.jsonl"
    file.write_text("".join(f'{{"sip_code":480,"sip_reason":"x {letters(number)}"}}\n' for number in range(10_001)))
    assert main(["check", str(file)]) == 0
    assert "\nThere are so many different texts that the counts may be too low.\n" in capsys.readouterr().out


def known(alias: str, text: str, tmp_path: Path) -> bool:
    """Return whether the alias makes the text known."""
    file = tmp_path / "my.toml"
    file.write_text(f'[[row]]\ncode = 486\nreason = "Busy Here"\naliases = [\n{alias}\n]\n')
    return Enricher(catalog=[file]).lookup(480, text).match == "alias"


@given(st.text(max_size=2 * LONGEST_TEXT))
@settings(max_examples=50)
def test_alias_is_toml(text: str) -> None:
    """Whatever the text, its alias is TOML."""
    texts = Texts()
    texts.add("generic", 480, text)
    (found,) = texts.most_common(1)
    (alias,) = tomllib.loads(f"aliases = [\n{found['alias']}\n]")["aliases"]
    assert alias["code"] == 480
    if "pattern" not in alias:
        assert alias["text"] == " ".join(text.split())


@given(st.text("ab(#*.-/1 é", min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_pattern_fits(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Texts that differ in their numbers alone get one pattern, which fits them all."""
    variants = [text.replace("1", "7"), text.replace("1", "42")]
    assume(variants[0] != variants[1] and fold(text.replace("1", "")))
    texts = Texts()
    for variant in variants:
        texts.add("generic", 480, variant)
    (found,) = texts.most_common(2)
    assert found["count"] == 2
    assert all(known(found["alias"], variant, tmp_path_factory.mktemp("toml")) for variant in variants)


@pytest.mark.parametrize("unit", ["word #5* ", "1", "x"])
def test_long_text(unit: str, tmp_path: Path) -> None:
    """A long text is known by its beginning."""
    text = unit * 100
    texts = Texts()
    texts.add("generic", 480, text)
    (found,) = texts.most_common(1)
    assert len(str(found["text"])) <= LONGEST_TEXT + 1
    assert known(str(found["alias"]), text, tmp_path)


def test_numbers_alone() -> None:
    """Texts of numbers alone stay apart: a pattern without a word is none."""
    texts = Texts()
    texts.add("generic", 480, "17")
    texts.add("generic", 480, "18")
    assert [text["alias"] for text in texts.most_common(2)] == [
        '{ text = "17", code = 480 },',
        '{ text = "18", code = 480 },',
    ]
