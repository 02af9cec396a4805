"""The command `sipsense`."""

import io
import os
import sys
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
    name, words = (first, argv[1:]) if first in options.COMMANDS else ("enrich", argv)
    parser = options.command_parser(name)
    path = config.find(words)
    if path is not None:
        config.apply(path, parser, parser if name == "enrich" else options.command_parser("enrich"))
    args = parser.parse_intermixed_args(words)
    code: int = args.run(args)
    sys.stdout.flush()
    return code


def _forget_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
