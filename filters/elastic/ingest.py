"""The ingest pipeline: the enricher's work done by the nodes of a cluster.

The tables come from the catalog, what is read from a record from the profiles; the script only reads and looks
up. It uses what Elasticsearch and OpenSearch both have, and no regular expressions: clusters may forbid them.
"""

import sys
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from enricher.catalog import Catalog
from enricher.enrich import Enricher
from enricher.errors import SettingsError
from enricher.profiles import Path, Profile, Reader, parse_parts, parse_path
from enricher.text import fold
from filters import __version__
from filters.elastic.answers import SIDES, Answers

SOURCES = ("values.painless", "enrich.painless")


def pipeline(enricher: Enricher) -> dict[str, Any]:
    """Return the ingest pipeline that adds to a document what the enricher adds to a record.

    A document that the script cannot read is indexed as it came; `_nodes/stats/ingest` counts it as failed.

    Raises:
        SettingsError: the enricher adds fields of ECS.
    """
    if enricher.ecs:
        raise SettingsError(["ecs: expected no fields of ECS, which the ingest pipeline cannot add, got some"])
    catalog = enricher.catalog
    about = f"sipsense {__version__}, catalog {catalog.version}"
    script = {
        "tag": "sipsense",
        "description": about,
        "lang": "painless",
        "source": "\n".join(files(__package__).joinpath(name).read_text("utf-8") for name in SOURCES),
        "params": _params(enricher),
        "ignore_failure": True,
    }
    return {
        "description": f"Gives call-log records the meaning of their SIP code ({about})",
        "processors": [{"script": script}],
    }


def _params(enricher: Enricher) -> dict[str, Any]:
    prefix = f"{enricher.target}_" if enricher.flat else ""
    readers = enricher.profiles.readers
    tables = Answers(enricher.catalog, enricher.fields).tables()
    tables["keys"] = [prefix + key for key in tables["keys"]]
    return tables | {
        "target": enricher.target,
        "flat": enricher.flat,
        "folds": _folds(enricher.catalog, [reader.profile for reader in readers]),
        "profiles": [_profile(reader) for reader in readers],
        "codeStarts": _starts(reader.code_paths for reader in readers),
        "reasonStarts": _starts(reader.reason_paths for reader in readers),
    }


def _starts(paths_by_reader: Iterable[Iterable[Path]]) -> dict[str, list[int]]:
    """Return for each first key of a path the places of the readers that look there."""
    starts: dict[str, list[int]] = {}
    for place, paths in enumerate(paths_by_reader):
        for key in {path[0] for path in paths}:
            starts.setdefault(key, []).append(place)
    return starts


def _profile(reader: Reader) -> dict[str, Any]:
    """Return a profile with its paths split and its words folded."""
    profile = reader.profile
    return {
        "name": profile.name,
        "platform": profile.platform,
        "own": not profile.system,
        "system": profile.system,
        "urlencoded": profile.urlencoded,
        "requires": [parse_parts(text, "|") for text in profile.requires] if reader.auto else [],
        "codePaths": reader.code_paths,
        "code": [parse_parts(text, "+") for text in profile.code],
        "codes": {fold(text): [code, fold(text).isdigit()] for text, code in profile.codes.items()},
        "reason": [parse_path(text) for text in profile.reason],
        "initiator": [parse_parts(text, "+") for text in profile.initiator],
        "initiators": {fold(word): SIDES.index(side) for word, side in profile.initiators.items()},
        "calls": parse_path(profile.calls.path) if profile.calls else None,
        "finals": sorted(fold(value) for value in profile.calls.values) if profile.calls else [],
        "connected": [[parse_path(evidence.path), evidence.kind] for evidence in profile.connected],
    }


def _folds(catalog: Catalog, profiles: Iterable[Profile]) -> dict[str, str]:
    """Return the letters beyond ASCII whose folded form can make a known text or word, or a gap between words.

    For all other letters it does not matter what they are folded to, as long as it is a letter.
    """
    known = set("abcdefghijklmnopqrstuvwxyz")
    known.update(*catalog.fillers, *catalog.rows_by_text, *(text for _, text in catalog.aliases))
    known.update(*(pattern.regex for patterns in catalog.patterns.values() for pattern in patterns))
    known.update(*(text for _, _, text in catalog.cells))
    for profile in profiles:
        words = (*profile.codes, *profile.initiators, *(profile.calls.values if profile.calls else ()))
        known.update(*map(fold, words))
    folds = {}
    for letter in map(chr, range(128, sys.maxunicode + 1)):
        plain = letter.casefold()
        if plain != letter and (known.issuperset(plain) or _parts(letter) != _parts(plain)):
            folds[letter] = plain
    return folds


def _parts(letter: str) -> set[bool]:
    """Return whether it has parts of words, and whether it has gaps between them."""
    return {part.isalnum() for part in letter}
