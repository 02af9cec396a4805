"""The fields of the data view: their types, how they are shown and what they mean."""

from typing import Any

import msgspec

from enricher.catalog import Catalog
from enricher.lookup import FIELDS
from enricher.meanings import meaning
from filters.dashboards.description import TIME, Dashboard
from filters.elastic.mapping import KEYWORD, Field, Shape, own_fields

# The type in the words of a data view, by that of the mapping.
_KINDS = {
    "keyword": "string",
    "match_only_text": "string",
    "short": "number",
    "date": "date",
    "boolean": "boolean",
}
_WITHOUT_GROUPS: Field = {"id": "number", "params": {"pattern": "0"}}  # 486, and not 1,486
DERIVED = {
    "owner": "who has to act, from the catalog: caller, callee, customer, provider or nobody",
    "hint": "what to do, from the catalog",
}


class DataField(msgspec.Struct, frozen=True, kw_only=True):
    """A field that the data view knows.

    Args:
        mapped: what the mapping of the index says of it.
        text: what it means, without markup.
        format: the field format of the products, or None for that of its type.
        parent: the field that it is another form of.
    """

    path: str
    mapped: Field
    text: str
    format: Field | None = None
    parent: str = ""

    @property
    def kind(self) -> str:
        """Return its type in the words of a data view."""
        return _KINDS[self.mapped["type"]]

    @property
    def searchable(self) -> bool:
        """Return whether it can be searched for."""
        return bool(self.mapped.get("index", True))

    @property
    def aggregatable(self) -> bool:
        """Return whether panels can group by it."""
        return bool(self.mapped.get("doc_values", True)) and self.mapped["type"] != "match_only_text"


def data_fields(catalog: Catalog, dashboard: Dashboard) -> list[DataField]:
    """Return the time, all that a record gains, and the fields of the vendor's record that panels show."""
    mapped = own_fields(Shape(ecs=False))
    found = [DataField(path=TIME, mapped=mapped[TIME], text="when the call ended")]
    for key in FIELDS:
        path, text = f"sip.{key}", meaning(key, catalog)[1].replace("`", "")
        colours = _colours(dashboard.colours[key]) if key in dashboard.colours else None
        found.append(DataField(path=path, mapped=mapped[path], text=text, format=colours))
        for name, other in mapped[path].get("fields", {}).items():
            shown = _WITHOUT_GROUPS if _KINDS[other["type"]] == "number" else None
            form = "as a number" if shown else "for searches of words"
            found.append(
                DataField(path=f"{path}.{name}", mapped=other, text=f"{text}, {form}", format=shown, parent=path)
            )
    options = [field for field in dashboard.fields.values() if field.option]
    return found + [
        DataField(path=field.path, mapped=KEYWORD, text=f"{field.label} in the vendor's record") for field in options
    ]


def _colours(colours: dict[str, str]) -> dict[str, Any]:
    """Return the format that shows each value on its colour."""
    rules = [
        {"regex": f"^{value}$", "text": _readable(colour), "background": colour, "range": "-Infinity:Infinity"}
        for value, colour in colours.items()
    ]
    return {"id": "color", "params": {"fieldType": "string", "colors": rules}}


def _readable(colour: str) -> str:
    """Return black or white, whichever can be read on a colour (ITU-R BT.601 luma)."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
