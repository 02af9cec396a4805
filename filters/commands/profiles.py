"""`sipsense profiles`: where the records of each system keep the fields."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from filters import render

if TYPE_CHECKING:
    from enricher.profiles import Profile

HELP = "show which shapes of records are known, or one of them in full"
EPILOG = """\
examples:
  sipsense profiles
  sipsense profiles yeti
  sipsense profiles --format json
"""

SHORT = ("name", "title", "code", "example")
FULL = ("name", "title", "source", "code", "reason", "initiator", "requires", "connected", "example")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="the profile to show in full")
    parser.add_argument("--format", choices=render.FORMATS, default="table", help="how to print it (default: table)")
    parser.add_argument("--profile-file", metavar="FILE", action="append", help="TOML file with a profile of your own")
    parser.add_argument("--config", metavar="FILE", help="TOML file with options")


def run(args: argparse.Namespace) -> int:
    """Print all profiles, or one with its examples before and after."""
    from enricher.profiles import load_profiles

    files = args.profile_file or ()
    profiles = [reader.profile for reader in load_profiles([args.name] if args.name else None, files=files).readers]
    if args.name and args.format in ("table", "json"):
        _show(profiles[0], files, as_json=args.format == "json")
    elif args.format == "table":
        render.table(
            [_short(profile) for profile in profiles], SHORT, "table", under={"code": "title", "example": "title"}
        )
    else:
        render.table([_full(profile, as_json=args.format == "json") for profile in profiles], FULL, args.format)
    return 0


def _short(profile: "Profile") -> dict[str, Any]:
    more = len(profile.code) - 1
    code = profile.code[0] + (f" (+{more})" if more else "")
    return {"name": profile.name, "title": profile.title, "code": code, "example": _essence(profile)}


def _essence(profile: "Profile") -> str:
    """Return the first example with nothing but what is read from it, as JSON."""
    import msgspec

    from enricher.profile_files import getter
    from enricher.profiles import MISSING, Reader, parse_parts

    get = getter(msgspec.json.decode(profile.example[0]))
    found = Reader(profile).read(get)
    essence: dict[str, Any] = {}
    for text in (found.code_path, found.reason_path, found.initiator_path):
        for path in parse_parts(text, "+") if text else ():
            node, value = essence, get(path)
            for key in path[:-1]:
                node = node.setdefault(key, {})
            if value is not MISSING:
                node[path[-1]] = value
    return msgspec.json.encode(essence).decode()


def _full(profile: "Profile", *, as_json: bool) -> dict[str, Any]:
    import msgspec

    row = {key: getattr(profile, key) for key in FULL}
    example = profile.example[0]
    return row | {
        "connected": [f"{evidence.path} ({evidence.kind})" for evidence in profile.connected],
        "example": msgspec.Raw(example.encode()) if as_json else example,
    }


def _show(profile: "Profile", files: Sequence[str], *, as_json: bool) -> None:
    """Print one profile with its examples before and after enrichment."""
    import msgspec

    from enricher import Enricher

    enricher = Enricher(profiles=[profile.name], profile_files=files)
    examples = [(text.encode(), enricher.enrich_json(text.encode())) for text in profile.example]
    if as_json:
        pairs = [{"before": msgspec.Raw(before), "after": msgspec.Raw(after)} for before, after in examples]
        render.json(msgspec.to_builtins(profile) | {"example": pairs})
        return
    render.heading(f"{profile.name}: {profile.title}")
    render.block([(label, text) for label, text in _described(profile) if text])
    for before, after in examples:
        print()
        render.heading("before")
        print(render.visible(before.decode()))
        render.heading("after: the same, and")
        render.json({key: value for key, value in msgspec.json.decode(after).items() if key == enricher.target})


def _described(profile: "Profile") -> list[tuple[str, str]]:
    words: dict[str, list[str]] = {}
    for word, side in profile.initiators.items():
        words.setdefault(side, []).append(word)
    calls = f"{profile.calls.path} is {' or '.join(profile.calls.values)}" if profile.calls else ""
    return [
        ("Source", profile.source),
        ("Code", ", ".join(profile.code)),
        ("Reason text", ", ".join(profile.reason)),
        ("Initiator", ", ".join(profile.initiator)),
        *((f"  {side}", ", ".join(said)) for side, said in words.items()),
        ("System is", profile.system),
        ("Connected", ", ".join(f"{evidence.path} ({evidence.kind})" for evidence in profile.connected)),
        ("Needs", ", ".join(text.replace("|", " or ") for text in profile.requires)),
        ("Only calls", calls),
        ("Time", ", ".join(profile.time)),
        ("  without zone", profile.zone),
        ("Start and end", ", ".join((*profile.start, *profile.end))),
        ("Duration", ", ".join(f"{length.path} ({length.unit})" for length in profile.duration)),
        ("Id", ", ".join(profile.id)),
        ("Call", ", ".join(profile.call)),
        ("Attempt", ", ".join(profile.attempt)),
        ("Codes for words", ", ".join(f"{text}: {code}" for text, code in profile.codes.items())),
    ]
