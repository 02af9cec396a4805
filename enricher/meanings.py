"""What each key means that a record gains: the words of the README, of data views and of whoever else tells it."""

from enricher.catalog import Catalog

# Type and meaning. A key of `lookup.FIELDS` without a line here ends the run of `scripts/generate.py`.
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


def meaning(key: str, catalog: Catalog) -> tuple[str, str]:
    """Return type and meaning of a key, with the catalog's words in it."""
    kind, text = MEANINGS[key]
    words = {
        "categories": ", ".join(category.name for category in catalog.categories.values()),
        "initiators": ", ".join(catalog.initiators),
        "outcomes": ", ".join(f"`{name}`" for name in catalog.outcomes),
    }
    return kind, text.format(**words)
