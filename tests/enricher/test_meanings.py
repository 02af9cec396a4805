"""The words for what a record gains."""

from enricher import load_catalog
from enricher.lookup import FIELDS
from enricher.meanings import MEANINGS, meaning


def test_each_key_has_a_meaning() -> None:
    """Each key that a record may gain is told of, in the order in which it is written, and none else."""
    assert tuple(MEANINGS) == FIELDS


def test_words_of_the_catalog() -> None:
    """The closed vocabularies stand in the meanings, as the catalog has them."""
    catalog = load_catalog()
    assert "Client Error" in meaning("category", catalog)[1]
    assert "Origination" in meaning("initiator", catalog)[1]
    assert "`no_answer`" in meaning("outcome", catalog)[1]
    assert not any("{" in meaning(key, catalog)[1] for key in FIELDS)
