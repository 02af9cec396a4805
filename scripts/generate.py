"""Make all that follows from catalog, profiles and the command line; run it after a change to one of them.

Usage: python scripts/generate.py [--check]
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import freeze
import shtab
from argparse_manpage.manpage import Manpage

from enricher.catalog import load_catalog
from enricher.lookup import FIELDS
from enricher.profiles import builtin_profiles
from filters import __version__, options
from filters.commands.completion import SHELLS

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"

# What a field means, in the words of the README. A field without a line here ends the run.
MEANINGS = {
    "code": ("integer", "the SIP code, as the record gives it"),
    "category": ("string", "what the first digit says: {categories}"),
    "category_description": ("string", "the table's sentence for the category"),
    "reason": ("string", "canonical reason: that of the row, or the standard name of the code"),
    "description": ("string", "the row's description, word for word"),
    "initiator": ("string", "who ended the call: {initiators}"),
    "initiator_description": ("string", "a sentence on that side"),
    "initiator_inferred": ("true", "there when the record named nobody and the rows that fit allow just one"),
    "outcome": ("string", "how the attempt ended, for dashboards: {outcomes}"),
    "match": ("string", "how sure: `reason`, `alias`, `code`, `class` or `none`"),
}


def main(arguments: list[str]) -> int:
    """Write everything, or with `--check` say what is stale."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    code = freeze.main(arguments)
    for path, wanted in generated().items():
        if path.exists() and path.read_text("utf-8") == wanted:
            continue
        if arguments:
            print(f"{path.relative_to(ROOT)} is stale: run scripts/generate.py", file=sys.stderr)
            code = 1
        else:
            path.write_text(wanted, "utf-8")
    return code


def generated() -> dict[Path, str]:
    """Return what each generated file has to hold, builtin.json aside."""
    files = {README: readme(README.read_text("utf-8")), ROOT / "docs" / "sipsense.1": manual()}
    for shell in SHELLS:
        files[ROOT / "filters" / "completions" / f"sipsense.{shell}"] = shtab.complete(options.parser(), shell)
    return files


def readme(text: str) -> str:
    """Return the README with its tables made anew: what stands between `<!-- name -->` and `<!-- /name -->`."""
    for name, rows in {"fields": fields(), "profiles": profiles(), "options": settings()}.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        body = "\n".join(rows) + "\n"
        text, count = pattern.subn(lambda found, body=body: found[1] + body + found[2], text)
        if count != 1:
            raise SystemExit(f"README.md: expected one place for {name}, got {count}")
    return text


def fields() -> Iterable[str]:
    """Give the table of the fields."""
    catalog = load_catalog()
    words = {
        "categories": ", ".join(category.name for category in catalog.categories.values()),
        "initiators": ", ".join(catalog.initiators),
        "outcomes": ", ".join(f"`{name}`" for name in catalog.outcomes),
    }
    yield "| key | type | meaning |"
    yield "| --- | --- | --- |"
    for key in FIELDS:
        kind, meaning = MEANINGS[key]
        yield f"| `{key}` | {kind} | {meaning.format(**words)} |"


def profiles() -> Iterable[str]:
    """Give the table of the profiles."""
    yield "| profile | records | where the code is |"
    yield "| --- | --- | --- |"
    for profile in builtin_profiles():
        more = f" and {len(profile.code) - 1} more" if len(profile.code) > 1 else ""
        yield f"| `{profile.name}` | {profile.title} | `{profile.code[0]}`{more} |"


def settings() -> Iterable[str]:
    """Give the table of the options of `enrich`."""
    parser = argparse.ArgumentParser(add_help=False)
    options.import_module("filters.commands.enrich").add_arguments(parser)
    yield "| option | meaning |"
    yield "| --- | --- |"
    for action in parser._actions:
        if action.option_strings:
            name = ", ".join(action.option_strings)
            value = f" {action.metavar or '|'.join(action.choices or ())}" if action.nargs != 0 else ""
            yield f"| `{(name + value).replace('|', chr(92) + '|')}` | {action.help} |"


def manual() -> str:
    """Return the man page."""
    data = {
        "project_name": "sipsense",
        "version": __version__,
        "manual_title": "User Commands",
        "date": "",
        "description": "give call-log records the meaning of their SIP code",
    }
    page = Manpage(options.parser(), data)
    page.date = ""
    return str(page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
