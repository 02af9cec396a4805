"""Make all that follows from catalog, profiles and the command line; run it after a change to one of them.

Usage: python scripts/generate.py [--check]
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import ecs_page
import freeze
import recipes_page
import shtab
from argparse_manpage.manpage import Manpage

from enricher.catalog import load_catalog
from enricher.lookup import FIELDS
from enricher.meanings import meaning
from enricher.profiles import builtin_profiles
from filters import __version__, options
from filters.commands.completion import SHELLS
from filters.dashboards import description
from filters.dashboards.saved_objects import PRODUCTS, saved_objects

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
ECS = ROOT / "docs" / "ecs.md"
RECIPES = ROOT / "docs" / "recipes.md"
DASHBOARDS = ROOT / "docs" / "dashboards.md"


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
    tables = {"fields": fields(), "profiles": profiles(), "options": settings()}
    files = {README: filled(README, tables), ROOT / "docs" / "sipsense.1": manual()}
    files[DASHBOARDS] = filled(DASHBOARDS, {"panels": panels(), "sets": call_sets()})
    files[RECIPES] = filled(
        RECIPES, {"contents": recipes_page.contents(), "recipes": recipes_page.recipes(load_catalog())}
    )
    files[ECS] = filled(ECS, ecs_page.tables(load_catalog(), builtin_profiles()))
    for shell in SHELLS:
        files[ROOT / "filters" / "completions" / f"sipsense.{shell}"] = shtab.complete(options.parser(), shell)
    for product in PRODUCTS:
        path = ROOT / "examples" / product / "calls.ndjson"
        files[path] = saved_objects(product, load_catalog()).decode()
    return files


def filled(path: Path, tables: Mapping[str, Iterable[str]]) -> str:
    """Return a page with its tables made anew: what stands between `<!-- name -->` and `<!-- /name -->`."""
    text = path.read_text("utf-8")
    for name, rows in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        body = "\n".join(rows) + "\n"
        text, count = pattern.subn(lambda found, body=body: found[1] + body + found[2], text)
        if count != 1:
            raise SystemExit(f"{path.name}: expected one place for {name}, got {count}")
    return text


def fields() -> Iterable[str]:
    """Give the table of the fields."""
    catalog = load_catalog()
    yield "| key | type | meaning |"
    yield "| --- | --- | --- |"
    for key in FIELDS:
        kind, text = meaning(key, catalog)
        yield f"| `{key}` | {kind} | {text} |"


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


def panels() -> Iterable[str]:
    """Give the table of the dashboard's panels."""
    yield "| panel | what it tells |"
    yield "| --- | --- |"
    for panel in description.load(load_catalog()).panels:
        yield f"| {panel.title} | {panel.text} |"


def call_sets() -> Iterable[str]:
    """Give the table of the sets that the panels count."""
    yield "| set | calls | outcomes |"
    yield "| --- | --- | --- |"
    for name, one in description.load(load_catalog()).sets.items():
        yield f"| {name} | {one.text} | {'; '.join(map(_clause, one.any))} |"


def _clause(clause: description.Clause) -> str:
    outcomes = ", ".join(f"`{name}`" for name in clause.outcome)
    by = f" by {', '.join(clause.initiator)}" if clause.initiator else ""
    return outcomes + by + (f" not by {', '.join(clause.not_initiator)}" if clause.not_initiator else "")


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
