"""Streams of Loki: records with the same labels, of which there may only be few."""

import json
from collections.abc import Mapping, Sequence

import orjson

from filters.messages import warn

# Loki's default for a value is 2048 bytes; what is so long is no label.
LONGEST_VALUE = 512
# Loki's default for a tenant is 5000 active streams, shared with all others that send.
MOST_STREAMS = 1000


class Stream:
    """Records with the same labels.

    Args:
        labels: their names and values.
        head: what stands before its entries in a push.
        name: as Loki writes it in its messages.
    """

    __slots__ = ("head", "labels", "late", "name", "newest")

    def __init__(self, labels: Mapping[str, str], head: bytes, name: str) -> None:
        self.labels = labels
        self.head = head
        self.name = name
        self.newest = 0  # the latest time of an entry so far, in nanoseconds since 1970
        self.late: Stream | None = None  # for entries that this one can no longer take


def stream_of(labels: Mapping[str, str]) -> Stream:
    """Return the stream with these labels."""
    ordered = dict(sorted(labels.items()))
    pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in ordered.items())
    return Stream(ordered, b'{"stream":%b,"values":[' % orjson.dumps(ordered), f"{{{', '.join(pairs)}}}")


NOWHERE = stream_of({})


class Streams:
    """Finds the stream of a record, and makes it if its labels have not grown too many values.

    Args:
        fixed: labels that all records have.
        names: of labels whose values come from records.
        limit: how many values each of these may have.
    """

    def __init__(self, fixed: Mapping[str, str], names: Sequence[str], limit: int) -> None:
        self._fixed = fixed
        self._limit = limit
        self._seen: dict[str, set[str]] = {name: set() for name in names}
        self._told: set[str] = set()
        self._streams: dict[tuple[tuple[str, str], ...], Stream] = {}

    def of(self, values: Sequence[str]) -> tuple[Stream, dict[str, str]]:
        """Return the stream of a record, and those of its values that have not become labels.

        Args:
            values: of the labels, in the order of their names; "" where there is none.
        """
        present = {name: value for name, value in zip(self._seen, values, strict=True) if value}
        labels = {name: value for name, value in present.items() if self._takes(name, value)}
        key = tuple({**self._fixed, **labels}.items())
        if key not in self._streams:
            if labels and len(self._streams) >= MOST_STREAMS:
                self._tell("", f"more than {MOST_STREAMS} streams: new ones have none of the labels from records")
                return self.of([""] * len(values))[0], present
            self._streams[key] = stream_of(dict(key))
        return self._streams[key], {name: value for name, value in present.items() if name not in labels}

    def _takes(self, name: str, value: str) -> bool:
        seen = self._seen[name]
        if value not in seen and (len(seen) >= self._limit or len(value.encode()) > LONGEST_VALUE):
            self._tell(
                name,
                f"label {name}: expected at most {self._limit} values of at most {LONGEST_VALUE} bytes: further ones "
                "become structured metadata instead; a label is for what has few values",
            )
            return False
        seen.add(value)
        return True

    def _tell(self, name: str, text: str) -> None:
        """Say so once."""
        if name not in self._told:
            self._told.add(name)
            warn(text)


def late(stream: Stream) -> Stream:
    """Return the stream for what this one can no longer take."""
    if stream.late is None:
        stream.late = stream_of({**stream.labels, "late": "true"})
    return stream.late
