"""Settings fail at once and all together, each with what was expected; a file can hold every option."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from spawn import BUSY, enriched, sipsense

from enricher import SettingsError
from enricher.lookup import FIELDS
from filters import config, options

NAMES = ", ".join(FIELDS)


def said(*args: Any, cwd: Path) -> list[str]:
    """Return what the command says of wrong settings; it must not touch its input then."""
    run = sipsense(*args, stdin=BUSY, cwd=cwd)
    assert (run.stdout, run.returncode) == (b"", 2)
    lines = run.stderr.decode().splitlines()
    assert all(line.startswith("sipsense: ") for line in lines)
    return [line.removeprefix("sipsense: ") for line in lines]


WRONG: dict[str, tuple[list[str], str]] = {
    "field": (["--fields", "code,reson"], f"fields: expected some of {NAMES}, got 'reson'; did you mean 'reason'?"),
    "no field": (["--fields", ""], f"fields: expected some of {NAMES}, got ''"),
    "target": (["--target", "a.b"], "target: expected a key without dots, quotes and backslashes, got 'a.b'"),
    "no target": (["--target", ""], "target: expected a key without dots, quotes and backslashes, got ''"),
    "size": (["--max-line", "1 MiBs"], "--max-line: expected a size such as 64KiB or 16MiB, got '1 MiBs'"),
    "no size": (["--max-line", "0"], "--max-line: expected a size such as 64KiB or 16MiB, got '0'"),
    "jobs": (["--jobs", "two"], "--jobs: expected a whole number above 0, got 'two'"),
    "no jobs": (["--jobs", "0"], "--jobs: expected a whole number above 0, got '0'"),
    "path": (["--code", "a..b"], "options: code[0]: expected keys with a dot between them, got 'a..b'"),
    "initiator alone": (
        ["--initiator", "a"],
        "options: expected a path for the code or for the reason, got neither",
    ),
    "catalog": (["--catalog", "no.toml"], "no.toml: cannot be read: No such file or directory"),
    "profile file": (["--profile-file", "no.toml"], "no.toml: No such file or directory"),
    "input": (["no.jsonl"], "no.jsonl: cannot be read: no such file"),
    "folder": (["."], ".: expected a file, got a directory"),
    "output": (["-o", "no/out"], "--output: no/out cannot be written"),
    "dead letter": (["--dead-letter", "no/dead"], "--dead-letter: no/dead cannot be written"),
    "stats": (["--stats-json", "no/stats"], "--stats-json: no/stats cannot be written"),
    "letter and mode": (
        ["--dead-letter", "dead", "--invalid", "drop"],
        "--dead-letter: expected no --invalid beside it, got --invalid drop",
    ),
    "config": (["--config", "no.toml"], "no.toml: cannot be read: No such file or directory"),
}


class TestWrong:
    @pytest.mark.parametrize(("args", "message"), WRONG.values(), ids=WRONG)
    def test_message(self, args: list[str], message: str, tmp_path: Path) -> None:
        """A wrong setting ends the run with exit code 2 and a sentence that says what was expected and what came."""
        assert said(*args, cwd=tmp_path) == [message]

    def test_profile(self, tmp_path: Path) -> None:
        """An unknown profile is refused with the nearest name."""
        (message,) = said("--profile", "kamailo", cwd=tmp_path)
        assert message.startswith("profile: expected one of asterisk, ")
        assert message.endswith(", got 'kamailo'; did you mean 'kamailio'?")

    def test_all_at_once(self, tmp_path: Path) -> None:
        """All wrong settings are told in one run, those of files among them."""
        (tmp_path / "my.toml").write_text("[[row]]\ncode = 700\nreason = 'X'\noutcome = 'odd'\nowner = 'me'\n")
        wrong = [words for name, (words, _) in WRONG.items() if name in ("field", "target", "size", "jobs", "path")]
        wrong += [
            ["--catalog", "my.toml"],
            ["--catalog", "no.toml"],
            ["--profile", "x"],
            ["no.jsonl"],
            ["-o", "no/out"],
        ]
        found = "\n".join(said(*(word for words in wrong for word in words), cwd=tmp_path))
        for part in (
            "'reson'",
            "'a.b'",
            "'1 MiBs'",
            "'two'",
            "'a..b'",
            "row 700 'X': code 700",
            "outcome 'odd'",
            "owner 'me'",
            "no.toml",
            "got 'x'",
            "no.jsonl",
            "no/out",
        ):
            assert found.count(part) == 1, part

    def test_input_is_output(self, tmp_path: Path) -> None:
        """The output must not be the input, which would be lost."""
        (tmp_path / "a").write_bytes(BUSY)
        message = "--output: expected another file than the input, got a"
        assert said("-o", "a", "a", cwd=tmp_path) == [message]
        assert (tmp_path / "a").read_bytes() == BUSY

    def test_nothing_is_written(self, tmp_path: Path) -> None:
        """Files that are to be written are left alone when a setting is wrong."""
        (tmp_path / "out").write_bytes(b"old")
        said("-o", "out", "--dead-letter", "dead", "--stats-json", "stats", "--jobs", "0", cwd=tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out").read_bytes() == b"old"

    @pytest.mark.parametrize("args", [["--invalid", "wrapp"], ["--nope"], ["--jobs"]])
    def test_words(self, args: list[str]) -> None:
        """Words that the command does not know end it with exit code 2 and its usage."""
        run = sipsense(*args, stdin=BUSY)
        assert (run.stdout, run.returncode) == (b"", 2)
        assert run.stderr.startswith(b"usage: sipsense")


def enrich_options() -> dict[str, argparse.Action]:
    """Return all long options of the stream, but those that make no sense in a file."""
    named = {}
    for action in options.command_parser("enrich")._actions:
        names = [name for name in action.option_strings if name.startswith("--")]
        if names and names[0] not in ("--help", "--config"):
            named[names[0]] = action
    return named


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test can write its settings."""
    return tmp_path / "sipsense.toml"


class TestFile:
    @pytest.mark.parametrize(("name", "action"), enrich_options().items(), ids=enrich_options())
    def test_every_option(self, name: str, action: argparse.Action, file: Path) -> None:
        """Every option of the command line can stand in the file, with the same effect."""
        value: Any = "7"
        words = [name, "7"]
        if action.nargs == 0:
            value, words = not action.default, [action.option_strings[-1] if action.default else name]
        elif isinstance(action, argparse._AppendAction):
            value, words = ["a", "b"], [name, "a", name, "b"]
        elif action.choices:
            value = list(action.choices)[-1]
            words = [name, value]
        file.write_text(f"{name.removeprefix('--')} = {json.dumps(value)}\n")
        parser = options.command_parser("enrich")
        config.apply(str(file), parser, parser)
        from_file, from_words = parser.parse_args([]), options.command_parser("enrich").parse_args(words)
        assert getattr(from_file, action.dest) == getattr(from_words, action.dest) != action.default
        assert vars(from_file) == vars(from_words)

    def test_opposite(self, file: Path) -> None:
        """A switch that is off says `false`; its opposite on the command line is no key."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--ack", action=argparse.BooleanOptionalAction, default=True)
        file.write_text("no-ack = true\n")
        with pytest.raises(SettingsError, match="no-ack: is unknown; did you mean 'ack'"):
            config.apply(str(file), parser, parser)
        file.write_text("ack = false\n")
        config.apply(str(file), parser, parser)
        assert parser.parse_args([]).ack is False
        assert parser.parse_args(["--ack"]).ack is True

    def test_process(self, file: Path) -> None:
        """The command does what the file says."""
        file.write_text('target = "meaning"\nfields = "code,match"\nmax-line = 1000\njobs = 2\ninvalid = "drop"\n')
        run = sipsense("--config", "sipsense.toml", stdin=BUSY + b"\nbad\n" + b" " * 2000, cwd=file.parent)
        assert run.stdout == BUSY[:-1] + b',"meaning":{"code":486,"match":"reason"}}\n'
        assert (run.stderr, run.returncode) == (b"", 0)

    def test_own_options(self, file: Path) -> None:
        """A command finds its own options in the file too, beside those of the stream."""
        file.write_text('codec = "json"\nmax-line = "1MiB"\n')
        run = sipsense("fluentd", "--config", "sipsense.toml", stdin=BUSY + b"\n", cwd=file.parent)
        assert (run.stdout.rstrip(), run.returncode) == (enriched(BUSY).rstrip(), 0)

    def test_command_line_has_the_last_word(self, file: Path) -> None:
        """What the command line says takes the place of what the file says, lists included."""
        file.write_text('target = "a"\nprofile = ["generic"]\nfields = "code"\n')
        words = ["--config=sipsense.toml", "--target", "b"]
        assert sipsense(*words, stdin=BUSY, cwd=file.parent).stdout == BUSY[:-1] + b',"b":{"code":486}}\n'
        assert sipsense(*words, "--profile", "yeti", stdin=BUSY, cwd=file.parent).stdout == BUSY + b"\n"

    def test_all_problems(self, file: Path) -> None:
        """All that is wrong in the file is told at once: unknown keys with the nearest name, and wrong types."""
        file.write_text(
            'taget = "x"\nzzz = 1\ninvalid = "no"\njobs = true\nflat = "yes"\ncatalog = [1]\nfields = ["code"]\n'
        )
        assert said("--config", "sipsense.toml", cwd=file.parent) == [
            "sipsense.toml: taget: is unknown; did you mean 'target'?",
            "sipsense.toml: zzz: is unknown",
            "sipsense.toml: invalid: expected one of wrap, pass, drop, fail, got 'no'",
            "sipsense.toml: jobs: expected a text, got True",
            "sipsense.toml: flat: expected true or false, got 'yes'",
            "sipsense.toml: catalog: expected a text or a list of texts, got [1]",
            "sipsense.toml: fields: expected a text, got ['code']",
        ]

    def test_no_toml(self, file: Path) -> None:
        """A file that is no TOML is named with the place of the mistake."""
        file.write_text("target = x\n")
        assert said("--config", "sipsense.toml", cwd=file.parent) == [
            "sipsense.toml: is no TOML: Invalid value (at line 1, column 10)"
        ]

    def test_is_read_on_request_alone(self, file: Path) -> None:
        """A file of that name is not read unless `--config` names it."""
        file.write_text("wrong")
        assert sipsense(stdin=BUSY, cwd=file.parent).stdout == enriched(BUSY)


class TestSizes:
    @pytest.mark.parametrize(
        ("text", "size"),
        [("1", 1), ("64KiB", 65536), ("16MiB", 16 << 20), ("2kB", 2000), ("3m", 3 * 10**6), ("1gib", 1 << 30)],
    )
    def test_size(self, text: str, size: int) -> None:
        """A size is a number with a unit or without one."""
        assert options.size(text, "--max-line") == size

    @pytest.mark.parametrize("text", ["", "x", "-1", "0", "1.5MiB", "MiB", "1TB", "1kk"])
    def test_no_size(self, text: str) -> None:
        """Anything else is none."""
        with pytest.raises(SettingsError, match="--max-line: expected a size such as 64KiB or 16MiB, got "):
            options.size(text, "--max-line")
