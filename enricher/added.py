"""What an explanation adds to a record, in every form that records have."""

from collections.abc import Sequence, Set
from typing import Any, NamedTuple, Protocol

import msgspec

from enricher.lookup import Explanation
from enricher.profiles import Path


class Added(msgspec.Struct, frozen=True, eq=False):
    """What an explanation adds to a record.

    Args:
        explanation: None for a record that is no call log.
        json: the members with a comma before them, ready to be spliced in; b"" adds nothing.
        values: the JSON value of each key, for records that have some of them.
        msgpack: the keys and values as MessagePack.
        count: how many members are added at the top level.
        line_end: what ends a line to which they are added, from the record's last brace on.
    """

    explanation: Explanation | None
    json: bytes = b""
    values: dict[str, bytes] = {}
    msgpack: bytes = b""
    count: int = 0
    line_end: bytes = b"}\n"


class Enriched(NamedTuple):
    """An enriched record, and what was added; `conflict` if the target key holds something that is no object."""

    record: bytes
    added: Added
    conflict: bool = False


NOTHING = Added(None)


class Record(Protocol):
    """A record in one form, decoded only where it is asked."""

    data: bytes  # what members are added to

    @property
    def keys(self) -> Set[str]:
        """Return its top-level keys."""

    def get(self, path: Path) -> Any:
        """Return the value at the path, MISSING where there is none."""

    def exact(self, path: Path) -> Any:
        """Return the same, with numbers that are no integers as their text, where the form has one."""

    def extended(self, added: Added) -> bytes:
        """Return the record with all that is added."""

    def extended_by(self, added: Added, keys: Sequence[str]) -> bytes:
        """Return the record with some of what is added."""

    def merged(self, target: str, added: Added, *, keep: bool = False) -> bytes | None:
        """Return the record with what is added in the object at the target key; None where that is no object.

        Args:
            keep: whether members that are there stay as they are.
        """
