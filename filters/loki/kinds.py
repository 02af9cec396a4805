"""What records have in common that mean the same: their stream and most of their structured metadata."""

from collections.abc import Iterable, Sequence

import msgspec
import orjson

from filters.loki.settings import LONGEST_METADATA, METADATA, Named, Settings
from filters.loki.streams import Stream, Streams
from filters.loki.values import Picker, Values, text_of

# Texts are free and an attacker chooses them: a full cache is emptied, what is long never goes in.
_MOST, _LONGEST = 16384, 512
_MOST_TAILS, _MOST_ALIKE, _LONGEST_TAIL = 1024, 32, 4096  # alike are those of the same length
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Kind(msgspec.Struct, frozen=True, eq=False):
    """What some records have in common.

    Args:
        metadata: members of an object, each with a comma before it.
        tail: how their lines end, with the newline; b"" where that does not matter.
        end: the same as the end of a JSON string.
    """

    stream: Stream
    metadata: bytes
    tail: bytes = b""
    end: bytes = b'"'


class Kinds:
    """Finds the kind of a record.

    What enrichment adds stands at the end of most records, and is one of a few: where nothing else matters, the end of
    a line is all that is looked at.
    """

    def __init__(self, settings: Settings) -> None:
        self._streams = Streams(settings.fixed, [name for name, _ in settings.labels], settings.label_limit)
        self._meaning = [f"sip_{key}" for key in METADATA[: len(settings.meaning)]]
        paths = [*(path for _, path in settings.labels), *settings.meaning]
        self._pick = Picker(paths)
        self._by_values: dict[Values, Kind] = {}
        self._by_length: dict[int, list[Kind]] = {}  # of their tail; to hash it costs more than to compare a few
        self._tails = 0
        keys = {path[0] if len(path) > 1 else "" for path in paths}
        self._mark = b",%b:{" % orjson.dumps(keys.pop()) if len(keys) == 1 and "" not in keys else b""
        self.of = self._of_end if self._mark else self._of_values

    def _of_end(self, line: bytes) -> tuple[Kind, int]:
        """Return the kind of a record, and how many bytes of it are before what the kind says of its end.

        Args:
            line: with its newline.
        """
        place = line.rfind(self._mark)
        length = len(line) - place
        for kind in self._by_length.get(length, ()):
            if line.endswith(kind.tail):
                return kind, place
        if place > 0 and length <= _LONGEST_TAIL:
            self._learn(line[place:])
        return self._of_values(line)

    def _of_values(self, line: bytes) -> tuple[Kind, int]:
        values = self._pick(line)
        return self._by_values.get(values) or self._kind(values), len(line) - 1

    def _learn(self, tail: bytes) -> None:
        """Remember the kind of lines with such a tail, if it is the last member of a record and nothing else."""
        record = b"{" + tail[1:]
        try:
            text = orjson.dumps(tail[:-1].decode())
            if len(_members(record)) != 1:
                return
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        kind, _ = self._of_values(record)
        self._tails += 1
        if self._tails > _MOST_TAILS or len(self._by_length.get(len(tail), ())) >= _MOST_ALIKE:
            self._by_length.clear()
            self._tails = 1
        self._by_length.setdefault(len(tail), []).append(msgspec.structs.replace(kind, tail=tail, end=text[1:]))

    def _kind(self, values: Values) -> Kind:
        texts = list(map(text_of, values))
        labels = len(texts) - len(self._meaning)
        stream, left = self._streams.of(texts[:labels])
        kind = Kind(stream, pairs(self._meaning, texts[labels:]) + pairs(list(left), left.values()))
        if sum(map(len, texts)) <= _LONGEST:
            if len(self._by_values) >= _MOST:
                self._by_values.clear()
            self._by_values[values] = kind
        return kind


class More:
    """Makes structured metadata of values that differ from record to record.

    Args:
        metadata: names, and where the values are; at least one.
    """

    def __init__(self, metadata: Sequence[Named]) -> None:
        self._names = [name for name, _ in metadata]
        self._pick = Picker([path for _, path in metadata])

    def __call__(self, line: bytes) -> bytes:
        """Return members of an object, each with a comma before it."""
        return pairs(self._names, map(text_of, self._pick(line)))


def pairs(names: Sequence[str], values: Iterable[str]) -> bytes:
    """Return members of an object, each with a comma before it; what is too long stays in the line only."""
    several = zip(names, values, strict=True)
    return b"".join([pair(name, value) for name, value in several if 0 < len(value.encode()) <= LONGEST_METADATA])


def pair(name: str, value: str) -> bytes:
    """Return a member of an object, with a comma before it."""
    return named(name) + orjson.dumps(value)


def named(name: str) -> bytes:
    """Return what is before the value of a member."""
    return b',"%b":' % name.encode()
