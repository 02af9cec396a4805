"""The description of the dashboard: what `calls.toml` says, as types, with the catalog's words put in."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from enricher.catalog import Catalog

GRID = 48  # columns of a dashboard, in both products
TIME = "@timestamp"

Kind = Literal["number", "time", "bars", "table", "records", "text"]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all that the description holds."""


class Field(_Entry, frozen=True):
    """A field that panels group by.

    Args:
        derived: whether it is in no record but looked up in the catalog when it is asked for.
        option: whether it belongs to the vendor's record, so that an option of `sipsense export` can name another.
    """

    path: str
    label: str
    derived: bool = False
    option: bool = False


class Clause(_Entry, frozen=True):
    """What a call must have; an empty tuple asks for nothing."""

    outcome: tuple[str, ...]
    initiator: tuple[str, ...] = ()
    not_initiator: tuple[str, ...] = ()


class CallSet(_Entry, frozen=True):
    """Calls that fit one of the clauses."""

    text: str
    any: tuple[Clause, ...]


class Measure(_Entry, frozen=True):
    """The number of calls in a set, or the ratio of two such numbers."""

    label: str
    count: str = ""
    ratio: tuple[str, ...] = ()

    @property
    def sets(self) -> tuple[str, ...]:
        """Return the names of the sets that have to be counted."""
        return self.ratio or (self.count,)


class Panel(_Entry, frozen=True):
    """One panel.

    Args:
        text: what it tells, in a sentence or two.
        measures: the first decides which calls are looked at and how rows are ordered.
        by: names of fields; the columns of a table or of records.
        split: name of the field whose values get a colour each.
        rows: how many at most.
        alarm: whether more than none is shown in red.
        at: x and y in the grid.
        size: width and height.
    """

    id: str
    kind: Kind
    title: str
    text: str
    at: tuple[int, int]
    size: tuple[int, int]
    measures: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    split: str = ""
    rows: int = 0
    alarm: bool = False


class Controls(_Entry, frozen=True):
    """The filters on top, by names of fields."""

    fields: tuple[str, ...]


class Dashboard(_Entry, frozen=True):
    """The whole dashboard.

    Args:
        hours: the time range when it is opened.
        refresh: seconds after which it asks again.
        colours: by name of a field and value.
    """

    id: str
    title: str
    text: str
    hours: int
    refresh: int
    fields: dict[str, Field]
    sets: dict[str, CallSet]
    measures: dict[str, Measure]
    controls: Controls
    panels: tuple[Panel, ...]
    colours: dict[str, dict[str, str]]

    def looked_at(self, panel: Panel) -> str:
        """Return the name of the set that holds all calls that a panel looks at.

        A panel that also counts all calls, or a ratio of them, looks at all of them.
        """
        measured = [self.measures[name] for name in panel.measures]
        if len(measured) == 1 and measured[0].count:
            return measured[0].count
        return "calls"

    def whole(self, panel: Panel, name: str) -> bool:
        """Return whether a panel has a line for calls without this field too, and one for all that is left."""
        field = self.fields[name]
        return panel.by[:1] == (name,) and not field.derived and not field.option


def load(catalog: Catalog, paths: Mapping[str, str] | None = None) -> Dashboard:
    """Return the dashboard with the outcomes of the catalog.

    Args:
        catalog: says which outcomes count as what.
        paths: where this vendor's records keep the fields that are an option, by name of the field.
    """
    text = Path(__file__).with_name("calls.toml").read_bytes()
    dashboard = msgspec.toml.decode(text, type=Dashboard)
    flags = _flags(catalog)
    fields = {
        name: msgspec.structs.replace(field, path=(paths or {}).get(name) or field.path)
        for name, field in dashboard.fields.items()
    }
    sets = {
        name: msgspec.structs.replace(one, any=tuple(_expanded(clause, flags) for clause in one.any))
        for name, one in dashboard.sets.items()
    }
    return msgspec.structs.replace(dashboard, fields=fields, sets=sets)


def _flags(catalog: Catalog) -> dict[str, list[str]]:
    """Return the names of the outcomes that the catalog says the same of."""
    outcomes = catalog.outcomes.values()
    return {
        "final": [outcome.name for outcome in outcomes if outcome.name != "provisional"],
        "asr": [outcome.name for outcome in outcomes if outcome.asr],
        "ner": [outcome.name for outcome in outcomes if outcome.ner],
        "seizure": [outcome.name for outcome in outcomes if outcome.seizure],
        "unsure": [outcome.name for outcome in outcomes if outcome.seizure is None],
    }


def _expanded(clause: Clause, flags: Mapping[str, Iterable[str]]) -> Clause:
    names = [name for word in clause.outcome for name in flags.get(word, (word,))]
    return msgspec.structs.replace(clause, outcome=tuple(names))
