"""What tests of identities share."""

import json
from typing import Any

from enricher import Enricher
from enricher.identities import _RECORDS_A_SHAPE, Identities
from enricher.identity import Identity


def identified(identities: Enricher | Identities, record: bytes) -> Identity:
    """Return what tells one record apart."""
    (found,) = identities.identify([record])
    return found


def learned(enricher: Enricher, *records: bytes) -> Enricher:
    """Let an enricher see records so often that it knows their shapes."""
    for record in records:
        for _ in range(_RECORDS_A_SHAPE):
            identified(enricher, record)
    return enricher


def reference(enricher: Enricher, record: bytes) -> Identity:
    """Return what the record path says."""
    identities: Any = enricher.identify.__self__  # type: ignore[attr-defined]
    found = identities._looked_up(record)
    assert isinstance(found, Identity)
    return found


def shapes(enricher: Enricher) -> int:
    """Return how many shapes are known."""
    identities: Any = enricher.identify.__self__  # type: ignore[attr-defined]
    return len(identities._shapes)


def encoded(**members: Any) -> bytes:
    """Return a record."""
    return json.dumps(members).encode()
