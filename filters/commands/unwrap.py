"""`sipsense unwrap`: the lines that went into a dead-letter file, as they were."""

import argparse
import sys

from filters.messages import warn

HELP = "print the original lines of a dead-letter file"
EPILOG = """\
exit status: 3 if a line had no whole original to print, else 0

example:
  sipsense unwrap dead.jsonl | sipsense > enriched.jsonl
"""

INCOMPLETE = 3
# A line of 16 MiB, each byte of it written as an escape of six.
LONGEST_LETTER = 128 << 20
REPORTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="dead letters, plain, gzip or Zstandard; `-` or none: standard input"
    )


def run(args: argparse.Namespace) -> int:
    """Print each original on a line; say on stderr which ones are lost or changed."""
    from filters.commands._inputs import label, lines

    lost = remarks = 0
    sys.stdout.flush()
    for file in args.files or ("-",):
        for number, line in enumerate(lines(file, LONGEST_LETTER), 1):
            if line is not None and not line.strip():
                continue
            original, remark = _original(line)
            if original is None:
                lost += 1
            else:
                sys.stdout.buffer.write(original.encode() + b"\n")
            if remark:
                remarks += 1
                if remarks <= REPORTED:
                    warn(f"{label(file)}:{number}: {remark}")
    sys.stdout.buffer.flush()
    if remarks > REPORTED:
        warn(f"{remarks - REPORTED} more of such lines")
    if lost:
        warn(f"lines without a whole original: {lost}")
    return INCOMPLETE if lost else 0


def _original(line: bytes | None) -> tuple[str | None, str]:
    """Return the line that a dead letter holds, None if it is not whole, and what is to be said of it."""
    import msgspec

    if line is None:
        return None, f"expected a dead letter, got a line of more than {LONGEST_LETTER} bytes"
    try:
        letter = msgspec.json.decode(line)
    except (ValueError, RecursionError):  # a msgspec.DecodeError is a ValueError
        return None, "expected a dead letter, got something that is no JSON"
    event, error = (letter.get("event"), letter.get("error")) if isinstance(letter, dict) else (None, None)
    original = event.get("original") if isinstance(event, dict) and event.get("kind") == "pipeline_error" else None
    if not isinstance(original, str):
        return None, "expected a dead letter, got a JSON value without event.kind pipeline_error and event.original"
    kind = error.get("type") if isinstance(error, dict) else None
    if kind == "line_too_long":
        return None, "the line was too long: the letter holds its first part alone"
    if kind == "not_utf8":
        return original, "bytes that are not UTF-8 are U+FFFD now"
    return original, ""
