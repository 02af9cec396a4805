"""Check the catalog and profile files and write them to enricher/builtin.json, which is what the package reads.

Usage: python scripts/freeze.py [--check]
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent
ENRICHER = ROOT / "enricher"
BUILTIN = ENRICHER / "builtin.json"

sys.path.insert(0, str(ROOT))

from enricher.catalog import Content  # noqa: E402 - found only once the path is set
from enricher.draft import Draft  # noqa: E402
from enricher.errors import SettingsError  # noqa: E402


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` only say whether it is what would be written."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        wanted = frozen(ENRICHER)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    if not arguments:
        BUILTIN.write_bytes(wanted)
    elif not BUILTIN.exists() or BUILTIN.read_bytes() != wanted:
        print("enricher/builtin.json is stale: run scripts/freeze.py", file=sys.stderr)
        return 1
    return 0


def frozen(folder: Path) -> bytes:
    """Return what builtin.json has to hold."""
    profiles = sorted(_read(folder / "profiles").values(), key=lambda profile: (profile["rank"], profile["name"]))
    catalog = msgspec.to_builtins(_catalog(_read(folder / "catalog")), str_keys=True)
    return msgspec.json.format(msgspec.json.encode({"catalog": catalog, "profiles": profiles}), indent=1) + b"\n"


def _catalog(files: dict[str, dict[str, Any]]) -> Content:
    """Return the checked content of the catalog files, which must not say anything twice."""
    base: dict[str, Any] = {}
    for name, tables in files.items():
        for table in tables.keys() - {"row", "cause"}:
            if table in base:
                raise SettingsError([f"{name}: table {table} is in another file too"])
            base[table] = tables[table]
    try:
        draft = Draft(msgspec.convert(base, Content, str_keys=True))
    except msgspec.ValidationError as error:
        raise SettingsError([f"catalog: {error}"]) from None
    for name, tables in files.items():
        draft.add(name, {table: entries for table, entries in tables.items() if table in ("row", "cause")})
    return draft.finish()


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of all TOML files in a folder by file name."""
    tables = {}
    problems = []
    for path in sorted(folder.glob("*.toml")):
        try:
            tables[path.name] = tomllib.loads(path.read_text("utf-8"))
        except ValueError as error:
            problems.append(f"{folder.name}/{path.name}: is not TOML: {error}")
    if problems:
        raise SettingsError(problems)
    return tables


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
