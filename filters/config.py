"""`sipsense.toml`: every option of the command line as a key."""

import argparse
from collections.abc import Sequence
from typing import Any

from enricher.enrich import nearest
from enricher.errors import SettingsError


def apply(path: str, parser: argparse.ArgumentParser, known: argparse.ArgumentParser) -> None:
    """Make what the file says the default of the parser's options, so that the command line has the last word.

    Args:
        parser: of the command that runs.
        known: of the command that has most options; a key for it alone is no mistake, so that one file serves all.

    Raises:
        SettingsError: with everything that is wrong in the file.
    """
    tables = _read(path)
    options = _options(known) | _options(parser)
    problems = []
    for key, value in tables.items():
        action = options.get(key)
        problem = _problem(action, value) if action else f"is unknown{nearest([key], options)}"
        if problem:
            problems.append(f"{path}: {key}: {problem}")
        elif action and key in _options(parser):
            parser.set_defaults(**{action.dest: _default(action, value)})
    if problems:
        raise SettingsError(problems)


def _read(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise SettingsError([f"{path}: is no TOML: {error}"]) from None


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the parser's options by their first long name; those that make no sense in a file are left out."""
    options = {}
    for action in parser._actions:  # argparse has no public way to ask
        name = next((name for name in action.option_strings if name.startswith("--")), "")
        if name and name not in ("--help", "--config", "--version"):
            options[name.removeprefix("--")] = action
    return options


def _problem(action: argparse.Action, value: Any) -> str:
    if action.nargs == 0:
        return "" if isinstance(value, bool) else f"expected true or false, got {value!r}"
    several = isinstance(action, argparse._AppendAction)
    if several and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ""
    if isinstance(value, bool | list | dict):
        return f"expected a text{' or a list of texts' if several else ''}, got {value!r}"
    if action.choices and value not in action.choices:
        return f"expected one of {', '.join(action.choices)}, got {value!r}"
    return ""


def _default(action: argparse.Action, value: Any) -> Any:
    if action.nargs == 0:
        return value
    if isinstance(action, argparse._AppendAction):
        return Given(value if isinstance(value, list) else [str(value)])
    return str(value)


class Given(list[str]):
    """A list from the file; what the command line gives takes its place instead of being added to it."""

    def __copy__(self) -> list[str]:
        return []


def find(argv: Sequence[str]) -> str | None:
    """Return the path that `--config` gives, before anything else is parsed."""
    for place, word in enumerate(argv):
        if word == "--":
            return None
        if word == "--config" and place + 1 < len(argv):
            return argv[place + 1]
        if word.startswith("--config="):
            return word.removeprefix("--config=")
    return None
