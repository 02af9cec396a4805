"""The command line: one description, from which help, man page, completion and the keys of `sipsense.toml` follow."""

import argparse
import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from enricher.errors import SettingsError
from enricher.lookup import FIELDS
from filters import __version__, messages

if TYPE_CHECKING:
    from filters.monitor import Monitor

_T = TypeVar("_T")

# argparse looks for translations of its own words, of which it ships none; that costs a tenth of each start.
argparse._ = str  # type: ignore[attr-defined]

COMMANDS = (
    "enrich",
    "explain",
    "catalog",
    "profiles",
    "check",
    "unwrap",
    "export",
    "setup",
    "recipes",
    "fluentd",
    "completion",
)

DESCRIPTION = """\
Gives call-log records the meaning of their SIP code: category, canonical reason,
who ended the call and what that means. Reads JSON lines, adds an object `sip` to
each call log and leaves every other byte as it is.
"""
EPILOG = """\
`sipsense FILE...` is the same as `sipsense enrich FILE...`.

exit status:
  0  done
  1  the output could not be written, or records were not delivered
  2  a setting is wrong, or an input cannot be read to its end
  3  --invalid fail met a line that is no record
  128+N  ended by signal N
"""


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help with the defaults in it, 32 columns for the options."""

    def __init__(self, prog: str) -> None:
        # Without a width, argparse imports shutil with all its compressions, even where no help is printed.
        super().__init__(prog, max_help_position=32, width=_columns() - 2)


def _columns() -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command, for help, man page and completion."""
    top = argparse.ArgumentParser(prog="sipsense", description=DESCRIPTION, epilog=EPILOG, formatter_class=_Help)
    top.add_argument("--version", action="version", version=f"sipsense {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in COMMANDS:
        module = import_module(f"filters.commands.{name}")
        command = commands.add_parser(
            name, help=module.HELP, description=module.HELP, epilog=module.EPILOG, formatter_class=_Help
        )
        module.add_arguments(command)
    return top


def command_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of one command, which is all that a run needs: the others cost start-up time."""
    module = import_module(f"filters.commands.{name}")
    command = argparse.ArgumentParser(
        prog=f"sipsense {name}", description=module.HELP, epilog=module.EPILOG, formatter_class=_Help
    )
    module.add_arguments(command)
    command.set_defaults(run=module.run)
    return command


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what records mean and what they gain."""
    meaning = parser.add_argument_group("meaning")
    meaning.add_argument(
        "--catalog",
        metavar="FILE",
        action="append",
        help="TOML file with rows and aliases that add to the table or override it",
    )
    meaning.add_argument("--guess", action="store_true", help="also trust aliases that are only plausible")
    meaning.add_argument(
        "--profile",
        metavar="NAME",
        action="append",
        help="where records keep the fields, see `sipsense profiles` (default: auto, found out for each record)",
    )
    meaning.add_argument("--profile-file", metavar="FILE", action="append", help="TOML file with a profile of your own")
    meaning.add_argument(
        "--code", metavar="PATH", action="append", help="path of the SIP code, such as `call.sip.code`"
    )
    meaning.add_argument("--reason", metavar="PATH", action="append", help="path of the reason text")
    meaning.add_argument("--initiator", metavar="PATH", action="append", help="path of the disconnect initiator")
    gain = parser.add_argument_group("what is added")
    gain.add_argument("--target", metavar="KEY", default="sip", help="key of the object that is added (default: sip)")
    gain.add_argument(
        "--fields", metavar="A,B,...", help=f"which of its keys are added (default: all: {','.join(FIELDS)})"
    )
    gain.add_argument("--flat", action="store_true", help="add sip_code, sip_category, ... at the top level instead")
    gain.add_argument(
        "--ecs",
        action="store_true",
        help="add fields of the Elastic Common Schema too: event.outcome, event.reason, event.duration, ...",
    )
    parser.add_argument(
        "--config", metavar="FILE", help='TOML file with options: `max-line = "1MiB"`, `catalog = ["my.toml"]`, ...'
    )


def add_messages(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where messages go."""
    group = parser.add_argument_group("messages")
    group.add_argument("--log-file", metavar="FILE", help="append messages to this file too")
    group.add_argument(
        "--log-to",
        metavar="URL",
        help="send messages and statistics to Fluentd too, as records: forward://127.0.0.1:24224/sipsense.log",
    )


def open_messages(args: argparse.Namespace) -> None:
    """Open where messages go.

    Raises:
        SettingsError: one of them cannot be opened.
    """
    if args.log_file:
        messages.add_file(args.log_file)
    if args.log_to:
        messages.add_forward(args.log_to)


def open_monitor(address: str | None) -> "Monitor | None":
    """Return what listens for questions after metrics, None where nobody is to ask.

    Raises:
        SettingsError: it cannot listen there.
    """
    if address is None:
        return None
    from filters.monitor import Monitor

    return Monitor(address)


def enricher_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of an Enricher.

    Raises:
        SettingsError: the paths for code, reason and initiator are no profile; with what else is wrong.
    """
    settings: dict[str, Any] = {
        "catalog": args.catalog or (),
        "profiles": None if args.profile in (None, ["auto"]) else args.profile,
        "profile_files": args.profile_file or (),
        "guess": args.guess,
        "target": args.target,
        "flat": args.flat,
        "ecs": args.ecs,
    }
    if args.fields is not None:
        settings["fields"] = [field.strip() for field in args.fields.split(",")]
    if args.code or args.reason or args.initiator:
        from enricher.enrich import Enricher
        from enricher.profiles import custom_profile

        with Problems() as problems:
            paths = (args.code or (), args.reason or (), args.initiator or ())
            settings["custom"] = problems.check(lambda: custom_profile(*paths), None)
            if problems.found:
                problems.check(lambda: Enricher(**settings), None)
    return settings


class Problems:
    """Collects what is wrong with settings, so that all of it is told at once when it is left."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def __enter__(self) -> "Problems":
        return self

    def check(self, make: Callable[[], _T], otherwise: _T) -> _T:
        """Return what is made, or keep what is wrong with it."""
        try:
            return make()
        except SettingsError as error:
            self.found += error.problems
            return otherwise

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self.found:
            raise SettingsError(self.found)


_UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1000,
    "kib": 1024,
    "m": 10**6,
    "mb": 10**6,
    "mib": 2**20,
    "gb": 10**9,
    "gib": 2**30,
}


def size(text: str, option: str) -> int:
    """Return a number of bytes.

    Args:
        text: such as `4096`, `64KiB` or `16MiB`.

    Raises:
        SettingsError: it is no size above 0.
    """
    number = text.strip().rstrip("BbIiKkMmGg")
    unit = text.strip()[len(number) :].lower()
    if number.isdecimal() and unit in _UNITS and int(number) > 0:
        return int(number) * _UNITS[unit]
    raise SettingsError([f"{option}: expected a size such as 64KiB or 16MiB, got {text!r}"])


def count(text: str, option: str) -> int:
    """Return a whole number above 0.

    Raises:
        SettingsError: it is none.
    """
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise SettingsError([f"{option}: expected a whole number above 0, got {text!r}"])


def seconds(text: str, option: str) -> float:
    """Return a time.

    Raises:
        SettingsError: it is none.
    """
    if re.fullmatch(r"\d{1,7}(\.\d{1,6})?", text, re.ASCII):
        return float(text)
    raise SettingsError([f"{option}: expected a number of seconds, got {text!r}"])
