"""The tables of docs/ecs.md."""

from collections.abc import Iterable

import msgspec

from enricher import Enricher
from enricher.catalog import Catalog
from enricher.ecs import FIELDS
from enricher.profiles import Profile

EXAMPLE = (
    b'{"call_id":"c3@192.0.2.1","sip_code":480,"sip_reason":"Capacity limit for DID exceeded",'
    b'"disconnect_initiator":"System","start_time":"2026-02-01T10:00:00Z","end_time":"2026-02-01T10:00:00.250Z"}'
)


def tables(catalog: Catalog, profiles: Iterable[Profile]) -> dict[str, Iterable[str]]:
    """Return the tables by the names of their places."""
    return {"example": _example(), "fields": _fields(), "outcomes": _outcomes(catalog), "times": _times(profiles)}


def _example() -> Iterable[str]:
    enriched = msgspec.json.decode(Enricher(ecs=True, fields=["code", "outcome", "match"]).enrich_json(EXAMPLE))
    yield "```json"
    yield msgspec.json.format(msgspec.json.encode(enriched), indent=2).decode()
    yield "```"


def _fields() -> Iterable[str]:
    yield "| field | value |"
    yield "| --- | --- |"
    for name, meaning in FIELDS.items():
        yield f"| `{name}` | {meaning} |"


def _outcomes(catalog: Catalog) -> Iterable[str]:
    yield "| `event.outcome` | `sip.outcome` |"
    yield "| --- | --- |"
    for word in ("success", "failure", ""):
        names = ", ".join(f"`{outcome.name}`" for outcome in catalog.outcomes.values() if outcome.ecs == word)
        yield f"| {f'`{word}`' if word else 'left out'} | {names} |"


def _times(profiles: Iterable[Profile]) -> Iterable[str]:
    yield "| profile | start | end | duration | times without a zone |"
    yield "| --- | --- | --- | --- | --- |"
    for profile in profiles:
        lengths = [f"`{length.path}` ({length.unit})" for length in profile.duration]
        cells = [_paths(profile.start), _paths(profile.end), ", ".join(lengths)]
        zone = f"are {profile.zone}" if profile.zone else "are not read"
        if any(cells):
            yield f"| `{profile.name}` | {' | '.join(cells)} | {zone} |"


def _paths(paths: Iterable[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths)
