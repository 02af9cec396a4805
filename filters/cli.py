"""The command `sipsense`."""

import io
import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from enricher.errors import SettingsError
from filters import config, options
from filters.errors import OutputClosed, Stop
from filters.messages import warn


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(argv)
    except SettingsError as error:
        for problem in error.problems:
            warn(problem)
        return 2
    except (OutputClosed, BrokenPipeError):
        _forget_stdout()
        return 1
    except OSError as error:
        warn(f"standard output: cannot be written: {error.strerror}")
        _forget_stdout()
        return 1
    except Stop as stop:
        if str(stop):
            warn(str(stop))
        return stop.exit_code
    except KeyboardInterrupt:
        return 130


def _run(argv: list[str]) -> int:
    if not argv and sys.stdin.isatty():
        options.parser().print_help()
        return 0
    first = argv[0] if argv else ""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # the table's sentences are not ASCII, whatever the locale is
    if first in ("-h", "--help", "--version"):
        options.parser().parse_args(argv)
    if first not in options.COMMANDS:
        argv = ["enrich", *argv]
    parser = options.parser([argv[0]])
    path = config.find(argv)
    if path is not None:
        everything = parser if argv[0] == "enrich" else options.parser(["enrich"])
        config.apply(path, _command(parser, argv[0]), _command(everything, "enrich"))
    args = parser.parse_args(argv)
    code: int = args.run(args)
    sys.stdout.flush()
    return code


def _command(parser: ArgumentParser, name: str) -> ArgumentParser:
    for action in parser._subparsers._group_actions if parser._subparsers else ():
        if isinstance(action.choices, dict):
            found: ArgumentParser = action.choices[name]
            return found
    raise AssertionError(f"no command {name}")


def _forget_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
