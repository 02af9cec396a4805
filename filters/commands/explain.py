"""`sipsense explain`: what one code, one text or one record means."""

import argparse
import sys
from typing import TYPE_CHECKING

from enricher.errors import InvalidRecord, SettingsError
from filters import render
from filters.config import Given
from filters.messages import warn
from filters.options import add_settings, enricher_settings

if TYPE_CHECKING:
    from enricher import Enricher
    from enricher.json_record import JsonRecord
    from enricher.profiles import Profile
    from filters.commands._answer import Answer

HELP = "say what a code, a reason text, or a record on standard input means"
EPILOG = """\
examples:
  sipsense explain 480 "DID number overloaded" --initiator 1
  sipsense explain Busy Here
  sipsense explain 408 NoAck --connected yes --json
  head -n 1 calls.jsonl | sipsense explain
"""

CONNECTED = {"yes": True, "no": False}
LONGEST_RECORD = 16 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "call_code", metavar="CODE", nargs="?", help="SIP code; without it, a record is read from stdin"
    )
    parser.add_argument("call_reason", metavar="REASON", nargs="*", help="reason text; without CODE it may stand alone")
    parser.add_argument("--connected", choices=CONNECTED, help="whether the call was connected")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_settings(parser)
    # With CODE the option tells who ended the call, with a record where that stands.
    both = parser.add_argument_group("who ended the call", conflict_handler="resolve")
    both.add_argument(
        "--initiator",
        metavar="WORD|PATH",
        action="append",
        help="with CODE: who ended the call, as a word or number; with a record: the path where that stands",
    )


def run(args: argparse.Namespace) -> int:
    """Print what the arguments, or the record on stdin, mean."""
    if args.call_code is not None:
        _explain_words(args)
    elif args.connected:
        raise SettingsError(["--connected: expected a CODE with it; a record tells by itself"])
    elif sys.stdin.isatty():
        raise SettingsError(["explain: expected a CODE, a REASON, or a record on stdin; see sipsense explain --help"])
    else:
        _explain_record(args)
    return 0


def _explain_words(args: argparse.Namespace) -> None:
    from enricher import Enricher
    from enricher.lookup import Call
    from filters.commands._answer import answer

    paths = {"code": None, "reason": None, "initiator": None}
    settings = enricher_settings(argparse.Namespace(**{**vars(args), **paths}))
    enricher = Enricher(**settings)
    profile = _profile(enricher, named=bool(settings.get("profiles")))
    code, reason = _code_and_reason(args.call_code, args.call_reason, profile)
    call = Call(
        code=code,
        reason=reason,
        initiator=_initiator(args.initiator, profile),
        connected=CONNECTED.get(args.connected or ""),
        system=profile.system,
    )
    found = answer(enricher.catalog, call)
    if args.json:
        from filters.commands._answer import as_json

        render.json(as_json(found))
    else:
        _print(enricher, found)


def _profile(enricher: "Enricher", *, named: bool) -> "Profile":
    """Return the profile whose words are understood."""
    from enricher.profiles import builtin_profiles

    if named:
        return enricher.profiles.readers[0].profile
    return next(profile for profile in builtin_profiles() if profile.name == "generic")


def _code_and_reason(first: str, rest: list[str], profile: "Profile") -> tuple[int | None, str | None]:
    """Return the code, if the first word holds one, and the text."""
    from enricher.text import fold, read_code

    text = " ".join(rest) or None
    code, phrase = read_code(first)
    mapped = {fold(word): mapped for word, mapped in profile.codes.items()}.get(fold(first))
    if mapped or code:
        return mapped or code, text or phrase
    if first.strip().lstrip("+-").isdigit():
        raise SettingsError([f"CODE: expected 100 to 699, got {first!r}"])
    return None, " ".join([first, *rest])


def _initiator(given: list[str] | None, profile: "Profile") -> str | None:
    """Return the initiator that the command line names; what `sipsense.toml` gives is a path."""
    from enricher.enrich import nearest
    from enricher.profiles import INITIATORS
    from enricher.text import fold

    if not given or isinstance(given, Given):
        return None
    word = given[-1]
    known = {fold(name): name for name in INITIATORS}
    known |= {fold(said): name for said, name in profile.initiators.items()}
    if fold(word) not in known:
        expected = f"{', '.join(INITIATORS)} or a word of profile {profile.name}"
        raise SettingsError([f"--initiator: expected {expected}, got {word!r}{nearest([fold(word)], known)}"])
    return known[fold(word)]


def _explain_record(args: argparse.Namespace) -> None:
    from enricher import Enricher
    from filters.commands import _reading
    from filters.commands._answer import answer, as_json

    enricher = Enricher(**enricher_settings(args))
    record = _read_record()
    reading = _reading.read(enricher, record)
    if reading is None:
        _explain_stranger(enricher, record, as_json=args.json)
        return
    found = answer(enricher.catalog, reading.call)
    if args.json:
        render.json(as_json(found) | {"read": _reading.as_json(reading)})
        return
    render.heading(f"Read as a record of {reading.profile.name}: {reading.profile.title}")
    render.block(_reading.sentences(reading))
    print()
    _print(enricher, found)


def _read_record() -> "JsonRecord":
    """Return the record on stdin: all of it, or the first line if that is one."""
    from enricher.json_record import JsonRecord

    data = sys.stdin.buffer.read(LONGEST_RECORD + 1).removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise SettingsError(["stdin: expected a record, got nothing"])
    try:
        return JsonRecord(data)
    except InvalidRecord as error:
        problem = SettingsError([f"stdin: {error}"])
    try:
        record = JsonRecord(data.strip().split(b"\n", 1)[0])
    except InvalidRecord:
        raise problem from None
    warn("stdin holds more than one record: this is about the first")
    return record


def _explain_stranger(enricher: "Enricher", record: "JsonRecord", *, as_json: bool) -> None:
    """Say that no profile claims the record, and what would make it a call log."""
    from filters.commands import _reading

    paths, likely = _reading.code_paths(enricher), _reading.code_like(record)
    if as_json:
        render.json({"read": None, "code_paths": paths, "like_a_code": dict(likely)})
        return
    render.sentence("No profile finds a SIP code or a known reason text in this record: it passes through unchanged.")
    print()
    if likely:
        render.sentence("These values could be SIP codes; an option says which one is:")
        render.block([(f"  --code {path}", value) for path, value in likely])
    else:
        render.sentence(
            "Nothing in it looks like a SIP code; --code PATH --reason PATH --initiator PATH say where they are."
        )
    print()
    render.sentence(f"Where a code would be found without that: {', '.join(paths)}.")


def _print(enricher: "Enricher", found: "Answer") -> None:
    from filters.commands._answer import ROW_COLUMNS, rows, sentences

    explanation = found.explanation
    title = " ".join(str(part) for part in (explanation.code, explanation.reason or found.call.reason) if part)
    render.heading(title or "Not known")
    render.block(sentences(enricher.catalog, found))
    if len(explanation.rows) > 1:
        print()
        render.heading("Rows that fit")
        render.table(rows(explanation.rows), ROW_COLUMNS, "table")
    if found.others:
        print()
        codes = ", ".join(map(str, dict.fromkeys(row.code for row in found.others)))
        of_codes = f"{'Other rows' if explanation.rows else 'Rows'} of {codes}"
        render.heading("Rows with this text, or nearly" if explanation.code is None else of_codes)
        render.table(rows(found.others), ROW_COLUMNS, "table")
