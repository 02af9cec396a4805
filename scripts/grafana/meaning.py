"""What is watched: sets of calls of the description of the dashboards, rows of a topic, texts of the catalog."""

import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from language import Calls, Is

from enricher.catalog import Catalog, Row, load_catalog
from filters.dashboards.description import Clause, Dashboard, load

CATALOG: Catalog = load_catalog()
WATCH: dict[str, Any] = tomllib.loads(Path(__file__).with_name("watch.toml").read_text())
DESCRIPTION: Dashboard = load(CATALOG)
NO_HINT = "Several causes share this line: read the reason text in the record."


def calls(name: str) -> Calls:
    """Return a set of calls of the description, such as `seizures`."""
    return tuple(_way(clause) for clause in DESCRIPTION.sets[name].any)


def _way(clause: Clause) -> tuple[Is, ...]:
    way = [Is("outcome", clause.outcome)]
    if clause.initiator:
        way.append(Is("initiator", clause.initiator))
    if clause.not_initiator:
        way.append(Is("initiator", clause.not_initiator, negated=True))
    return tuple(way)


def topic(name: str) -> list[Row]:
    """Return the rows of a topic, by code.

    Raises:
        SystemExit: the catalog has no such row, or its reason alone does not find it.
    """
    entry = WATCH["topic"][name]
    if "outcomes" in entry:
        return sorted((row for row in CATALOG.rows if row.outcome in entry["outcomes"]), key=lambda row: row.code)
    found = {(row.code, row.reason): row for row in CATALOG.rows}
    for code, reason in entry["rows"]:
        if (code, reason) not in found or sum(row.reason == reason for row in CATALOG.rows) > 1:
            raise SystemExit(f"watch.toml: topic {name}: expected a row that is alone with its reason: {code} {reason}")
    return [found[code, reason] for code, reason in entry["rows"]]


def reasons(name: str) -> tuple[str, ...]:
    """Return the reasons of a topic."""
    return tuple(row.reason for row in topic(name))


def all_reasons() -> list[str]:
    """Return every reason that a record can have: those of the rows, and the standard names of the other codes."""
    return sorted({*(row.reason for row in CATALOG.rows), *CATALOG.names.values()})


def good_reasons() -> tuple[str, ...]:
    """Return the reasons of calls that ended as calls end, and of what says nothing final."""
    rows = {row.reason for row in CATALOG.rows if row.outcome in ("answered", "provisional")}
    coded = {row.code for row in CATALOG.rows}
    names = {name for code, name in CATALOG.names.items() if code < 300 and code not in coded}
    return tuple(sorted({*rows, *names, CATALOG.names[200]}))


def advice() -> dict[str, dict[str, str]]:
    """Return for each reason who can act and what to do, as `owner` and `hint`."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in CATALOG.rows:
        rows[row.reason].append(row)
    return {reason: _advice(rows[reason]) for reason in all_reasons()}


def _advice(rows: list[Row]) -> dict[str, str]:
    hints = [rows[0].hint] if len(rows) == 1 else [f"{row.code}: {row.hint}" for row in rows]
    owners = dict.fromkeys(owner for row in rows for owner in _owners(row))
    return {"owner": " or ".join(owners), "hint": " ".join(hints) or NO_HINT}


def _owners(row: Row) -> Iterator[str]:
    """Give who can act on calls with this reason: it may depend on who ended the call."""
    yield row.owner
    yield from row.owners.values()
    for cell in CATALOG.cells.values():
        if cell.code == row.code and cell.owner and cell.reason in ("", row.reason) and _named(row):
            yield cell.owner


def _named(row: Row) -> bool:
    """Return whether a call without a text gets this reason as the standard name of its code."""
    return CATALOG.names.get(row.code) == row.reason


def runbook(text: str, name: str = "") -> str:
    """Return the text of a runbook, with a line for each row of a topic."""
    return "\n".join([text, *_lines(name)]) if name else text


def _lines(name: str) -> Iterator[str]:
    for row in topic(name):
        yield f"- {row.code} {row.reason} ({row.owner}): {row.hint}"
