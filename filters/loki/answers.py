"""What an answer to a push means for each of its entries.

Loki stores the good entries of a push and answers 400 with a sentence about each limit that others exceed, and how
many those are. Which ones they are is found by measuring them again, and believed if these are as many as Loki counts.

The limits: https://grafana.com/docs/loki/latest/operations/request-validation-rate-limits/. The sentences are those of
Loki from 2.9 on: pkg/validation/validate.go, pkg/util/errors.go, pkg/ingester/stream.go, pkg/chunkenc/interface.go.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import orjson

from filters.delivery.target import TAKEN, Verdict, by_status
from filters.loki.entries import Entry

if TYPE_CHECKING:
    from filters.delivery.http import Answer

Test: TypeAlias = Callable[[Entry], bool]

_TIME = r"(\d{4}-\d\d-\d\dT[\d:]+(?:Z|[+-]\d\d:\d\d))"
_STREAM = r"'?(\{.*?\})'?"
_OF_STREAM = (
    rf"stream {_STREAM} has (?:\d+ label names|label (?:name|value) too long|duplicate label name)"
    rf"|parsing labels {_STREAM} with error|missing required labels .*? for stream {_STREAM}(?:$|\s)"
)
_COUNT = re.compile(r"(?:^|; )(\d+) errors like: ")
# How much of an answer is told.
_SAID = 500


def judge(entries: Sequence[Entry], answer: "Answer") -> Verdict:
    """Return what an answer says of each entry."""
    status, text = answer.status, answer.body.decode(errors="replace")
    if status in (200, 204):
        return TAKEN
    if status < 300:  # 260 says that nothing is taken for a while
        return Verdict("retry", f"{status}: {_line(text)}", answer.retry_after)
    if status >= 500 and "larger than max" in text:  # what the parts of Loki send each other is limited as well
        return Verdict("split", f"{status}: {_line(text)}")
    return by_status(answer, _line(text)) or _by_entry(entries, text)


def _by_entry(entries: Sequence[Entry], text: str) -> Verdict:
    """Return what a 400 says of each entry."""
    found = refused(text, entries)
    why = f"400: {_line(text)}"
    if not found.places:
        # Which entries it means is found out with ever smaller requests. Those that it has stored come again, with the
        # same time and text: Loki keeps one of them.
        return Verdict("split", why)
    reasons = {place: f"400: {_line(sentence)}" for place, sentence in found.places.items()}
    if found.stored:
        return Verdict(refused=reasons)
    return Verdict(why=why, again=[place for place in range(len(entries)) if place not in reasons], refused=reasons)


def _line(text: str) -> str:
    """Return a text in one line that is not too long."""
    line = " ".join(text[: 4 * _SAID].split())
    return line if len(line) <= _SAID else line[: _SAID - 1] + "…"


class Refused(msgspec.Struct, frozen=True):
    """What a 400 says; nothing at all where it could not be understood.

    Args:
        places: which entries of the push are refused, and why.
        stored: whether all others are stored; else that is not known, and they must be sent again.
    """

    places: Mapping[int, str] = {}
    stored: bool = False


def refused(text: str, entries: Sequence[Entry]) -> Refused:
    """Return what a 400 with this text says of the entries."""
    if "total ignored:" in text:
        return _behind(text, entries)
    named: dict[str, set[str]] = {}
    said: dict[str, str] = {}
    expected = 0
    for number, sentence in _sentences(text.strip()):
        limit = next(((kind, found) for kind, (form, _) in _FORMS.items() if (found := form.search(sentence))), None)
        if limit is None:
            return Refused()
        kind, found = limit
        named.setdefault(kind, set()).add(next(filter(None, found.groups())))
        said.setdefault(kind, sentence)
        expected += number if kind != _LABELS else 0
    tests = [(kind, _FORMS[kind][1](values)) for kind, values in named.items()]
    kinds = [next((kind for kind, test in tests if test(entry)), "") for entry in entries]
    streams = {entry.stream for kind, entry in zip(kinds, entries, strict=True) if kind == _LABELS}
    single = sum(kind not in ("", _LABELS) for kind in kinds)
    if single != expected or len(streams) != len(named.get(_LABELS, ())):
        return Refused()
    return Refused({place: said[kind] for place, kind in enumerate(kinds) if kind}, stored=True)


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """Give each sentence, and how often it was to be said."""
    pieces = _COUNT.split(text)
    if len(pieces) == 1:
        yield 1, text
    for number, sentence in zip(pieces[1::2], pieces[2::2], strict=True):
        yield int(number), sentence


_BEHIND = re.compile(
    rf"too far behind,.*?oldest acceptable timestamp is: {_TIME}"
    r".*total ignored: (\d+) out of \d+ for stream: (\{.*\})",
    re.IGNORECASE | re.DOTALL,
)


def _behind(text: str, entries: Sequence[Entry]) -> Refused:
    """Return what it says of the one stream that such a text is about; it hides what is wrong with others."""
    found = _BEHIND.search(text)
    if not found:
        return Refused()
    oldest, ignored, name = _nanoseconds(found[1]), int(found[2]), found[3]
    places = [place for place, entry in enumerate(entries) if entry.time < oldest and _is(entry, name)]
    why = f"entry too far behind, oldest acceptable timestamp is: {found[1]}, for stream: {name}"
    return Refused(dict.fromkeys(places, why)) if len(places) == ignored else Refused()


def _older(times: set[str]) -> Test:
    oldest = max(map(_nanoseconds, times))
    return lambda entry: entry.time < oldest


def _newer(times: set[str]) -> Test:
    newest = min(map(_nanoseconds, times))
    return lambda entry: entry.time >= newest


def _longer(limits: set[str]) -> Test:
    longest = min(map(int, limits))
    return lambda entry: len(entry.record) > longest


def _larger_metadata(limits: set[str]) -> Test:
    largest = min(map(int, limits))
    return lambda entry: sum(len(text.encode()) for pair in _metadata(entry).items() for text in pair) > largest


def _more_metadata(limits: set[str]) -> Test:
    most = min(map(int, limits))
    return lambda entry: len(_metadata(entry)) > most


def _with_metadata(streams: set[str]) -> Test:
    of_stream = _of(streams)
    return lambda entry: of_stream(entry) and bool(_metadata(entry))


def _of(streams: set[str]) -> Test:
    return lambda entry: any(_is(entry, name) for name in streams)


# For each kind of sentence its form, with the limit that it names, and what makes a test of such limits.
_LABELS = "labels"
_FORMS: dict[str, tuple[re.Pattern[str], Callable[[set[str]], Test]]] = {
    kind: (re.compile(form, re.IGNORECASE), test)
    for kind, form, test in (
        (_LABELS, _OF_STREAM, _of),
        ("age", rf"timestamp too old: \S+, oldest acceptable timestamp is: {_TIME}", _older),
        ("ahead", rf"timestamp too new: {_TIME}", _newer),
        ("line", r"max entry size '?(\d+)'? bytes exceeded", _longer),
        ("size", r"structured metadata too large: '?\d+'? bytes, limit: '?(\d+)'? bytes", _larger_metadata),
        ("count", r"too many structured metadata labels: '?\d+'?, limit: '?(\d+)'?", _more_metadata),
        ("metadata", rf"stream {_STREAM} includes structured metadata, but this feature is disallowed", _with_metadata),
    )
}


def _metadata(entry: Entry) -> dict[str, str]:
    metadata: dict[str, str] = orjson.loads(entry.text)[2]
    return metadata


def _is(entry: Entry, name: str) -> bool:
    """Return whether Loki's name of a stream is that of the entry's; the server may have added labels of its own."""
    if name == entry.stream.name:
        return True
    return "__" in name and all(pair in name for pair in entry.stream.name[1:-1].split(", "))


def _nanoseconds(text: str) -> int:
    """Return the whole second that a message names; what it is about lies in it."""
    return int(datetime.fromisoformat(text).timestamp()) * 10**9
