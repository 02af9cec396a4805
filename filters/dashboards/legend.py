"""The panel of text: what the outcomes mean and where they count, from the catalog."""

from enricher.catalog import Catalog, Outcome

_COUNTS = "ASR counts what was connected, NER what reached the called side, both of all seizures."


def legend(catalog: Catalog) -> str:
    """Return the table of outcomes as Markdown."""
    head = ["| outcome | meaning | seizure | ASR | NER |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([_COUNTS, "", *head, *map(_line, catalog.outcomes.values())])


def _line(outcome: Outcome) -> str:
    cells = (f"**{outcome.name}**", outcome.description, _seizure(outcome), _yes(outcome.asr), _yes(outcome.ner))
    return f"| {' | '.join(cells)} |"


def _seizure(outcome: Outcome) -> str:
    return "not by System" if outcome.seizure is None else _yes(outcome.seizure)


def _yes(value: bool) -> str:
    return "yes" if value else "-"
