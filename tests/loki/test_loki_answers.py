"""What an answer to a push means for each entry; the stand-in for Loki refuses what Loki would."""

import json
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loki_encoding import DAY, HOUR, SECOND, Made, call
from servers.loki import Limits, Loki, Problem, nothing

from filters.delivery.http import Answer
from filters.delivery.target import Verdict
from filters.loki.answers import judge, refused
from filters.loki.entries import Entry, push_body

# The stand-in looks at the clock; seconds apart from its limits, that makes no difference.
NOW = time.time_ns()
HEADERS = {"content-type": "application/json"}
FREE = ("--late-age", "none", "--late-ahead", "none", "--late-behind", "none", "--max-entry", "1MiB")


def entries_of(*records: dict, options: Iterable[str] = ()) -> list[Entry]:
    """Return the entries of records, whatever their time."""
    return Made(*FREE, *options, now=NOW).of(*records)


def push(loki: Loki, entries: list[Entry]) -> Answer:
    """Return what the stand-in answers."""
    try:
        loki.push("/loki/api/v1/push", HEADERS, push_body(entries))
    except Problem as problem:
        return Answer(problem.status, f"{problem}\n".encode())
    return Answer(204, b"")


def stand_in(**limits: object) -> Loki:
    """Return a server with these limits."""
    return Loki(Limits(**limits), nothing, nothing)


# Each value makes a record that exceeds another limit of the stand-in, but for the first.
KINDS = {
    "good": {},
    "old": {"when": NOW - 2 * DAY},
    "older": {"when": NOW - 3 * DAY},
    "new": {"when": NOW + HOUR},
    "long": {"pad": "x" * 3000},
    "label": {"trunk": "x" * 40},
    "answered": {"sip_code": 200, "sip_reason": "Bye"},
    "metadata": {"extra": "x" * 400},
}
LIMITS = {"age": DAY, "line": 3000, "label_value": 30, "metadata_size": 300}
WORDS = dict.fromkeys(("old", "older"), "too old") | {
    "new": "too new",
    "long": "max entry size",
    "label": "label value too long",
    "metadata": "metadata too large",
}
OPTIONS = ("--label", "trunk=trunk", "--metadata", "extra=extra")


@given(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=12))
def test_partial_acceptance(kinds):
    """Of a push that is taken in part, exactly the entries that are not stored are refused, each for its own limit."""
    records = [
        call(number, **{"when": NOW - number * SECOND, "kind": kind, **KINDS[kind]})
        for number, kind in enumerate(kinds)
    ]
    entries = entries_of(*records, options=OPTIONS)
    loki = stand_in(**LIMITS)
    verdict = judge(entries, push(loki, entries))
    assert (verdict.whole, list(verdict.again)) == ("sent", [])
    left = [entry.record.decode() for place, entry in enumerate(entries) if place not in verdict.refused]
    assert sorted(left) == sorted(loki.lines)
    for place, why in verdict.refused.items():
        assert WORDS[json.loads(entries[place].record)["kind"]] in why.lower()


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"metadata": False}, 0),
        ({"metadata_count": 4}, 0),
        ({"labels": 0}, 0),
        ({"labels": 1}, 3),
    ],
)
def test_limits_of_a_stream(limits, left):
    """Limits of labels and metadata refuse what they refuse at the server."""
    entries = entries_of(*map(call, range(3)))
    loki = stand_in(**limits)
    verdict = judge(entries, push(loki, entries))
    assert len(entries) - len(verdict.refused) == len(loki.lines) == left


def test_behind_in_the_only_stream():
    """What is too far behind is refused; the rest, of which the answer says nothing, is sent again and then taken."""
    loki = stand_in()
    push(loki, entries_of(call(0, NOW)))
    entries = entries_of(call(1, NOW - 2 * HOUR), call(2, NOW - 3 * HOUR), call(3, NOW - SECOND))
    verdict = judge(entries, push(loki, entries))
    assert (sorted(verdict.refused), list(verdict.again)) == ([0, 1], [2])
    assert "oldest acceptable timestamp" in verdict.refused[0]
    assert push(loki, [entries[2]]).status == 204
    assert len(loki.lines) == 2  # what comes again is stored once


def test_what_an_ingester_hides():
    """A sentence about one stream hides what is wrong with others: nothing of them counts as stored."""
    loki = stand_in(line=3000)
    push(loki, entries_of(call(0, NOW)))
    entries = entries_of(call(1, NOW - 2 * HOUR), call(2, NOW, pad="x" * 3000), call(3, NOW, sip_code=503))
    verdict = judge(entries, push(loki, entries))
    assert (list(verdict.refused), list(verdict.again)) == ([0], [1, 2])
    rest = [entries[place] for place in verdict.again]
    again = judge(rest, push(loki, rest))
    assert ([rest[place] for place in again.refused], len(again.again)) == ([entries[1]], 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([486, 503, 200])), min_size=1, max_size=8))
def test_every_entry_comes_to_its_end(several):
    """However pushes are refused in part, sending again what is to be sent again ends, and all is stored or refused."""
    loki = stand_in(line=2000)
    for code in (486, 503, 200):
        push(loki, entries_of(call(0, NOW, sip_code=code)))
    before = len(loki.lines)
    entries = entries_of(
        *(
            call(n, NOW - hours * HOUR, sip_code=code, pad="x" * 400 * hours)
            for n, (hours, code) in enumerate(several, 1)
        )
    )
    parts, refused_ = [entries], []
    for _ in range(100):
        if not parts:
            break
        part = parts.pop()
        verdict = judge(part, push(loki, part))
        if verdict.whole == "split":
            parts += [half for half in (part[: len(part) // 2], part[len(part) // 2 :]) if half and len(part) > 1]
            refused_ += part if len(part) == 1 else []
        elif verdict.again:
            parts.append([part[place] for place in verdict.again])
        refused_ += [part[place] for place in verdict.refused]
    stored = loki.lines[before:]
    assert len(stored) + len(refused_) == len(entries)
    assert sorted(stored + [entry.record.decode() for entry in refused_]) == sorted(
        entry.record.decode() for entry in entries
    )


LARGER = "grpc: received message larger than max (5 vs. 4)"
OLDEST = "oldest acceptable timestamp is: 2030-01-01T00:00:00Z"
NAME = '{service_name="sipsense", sip_category="Client Error"}'


@pytest.mark.parametrize(
    "text",
    [
        "couldn't parse push request: unexpected end",
        "something new",
        f"Max entry size '1' bytes exceeded for stream '{NAME}' while adding an entry with length '2' bytes",
        f"2 errors like: Max entry size '1000000' bytes exceeded for stream '{NAME}'; 1 errors like: other",
        "stream '{service_name=\"other\"}' has label value too long: 'x'",
        f"entry with timestamp x ignored, reason: 'other', user 'fake', total ignored: 1 out of 3 for stream: {NAME}",
        f"too far behind, {OLDEST}', total ignored: 2 of 3 for stream: {NAME}",
        f"too far behind, {OLDEST}', total ignored: 2 out of 3 for stream: {NAME}",
        f"1 errors like: stream '{NAME}' has 9 label names; 1 errors like: stream '{{a=\"b\"}}' has 9 label names",
        "",
    ],
)
def test_what_is_not_understood(text):
    """An answer that is not understood, or does not count what is found, leads to smaller requests."""
    entries = entries_of(*map(call, range(3)))
    assert not refused(text, entries).places
    assert judge(entries, Answer(400, text.encode())).whole == "split"


def test_older_words():
    """Sentences are understood as older and newer versions spell them, and streams to which the server added labels."""
    entries = entries_of(call(1, NOW), call(2, NOW - 9 * HOUR))
    long = f"max entry size 100 bytes exceeded for stream '{NAME}'"
    assert refused(f"2 errors like: {long}", entries).places.keys() == {0, 1}
    oldest = time.strftime("%Y-%m-%dT%H:%M:%S+02:00", time.gmtime(NOW // SECOND - 2 * 3600))
    sharded = NAME.replace("}", ', __stream_shard__="3"}')
    behind = f"entry too far behind, oldest acceptable timestamp is: {oldest}', user 'fake', total ignored: 1 out of 1"
    assert list(refused(f"{behind} for stream: {sharded}", entries).places) == [0]
    assert not refused(f"{behind} for stream: {sharded.replace('Client', 'Server')}", entries).places


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (204, "", Verdict()),
        (200, "", Verdict()),
        (260, "ingestion blocked", Verdict("retry", "260: ingestion blocked", 7.0)),
        (429, "Ingestion rate limit exceeded", Verdict("retry", "429: Ingestion rate limit exceeded", 7.0)),
        (500, "no ingester", Verdict("retry", "500: no ingester", 7.0)),
        (500, LARGER, Verdict("split", f"500: {LARGER}")),
        (413, "too large", Verdict("split", "413: too large")),
        (401, "no org id", Verdict("denied", "401: no org id")),
        (404, "404 page not found", Verdict("denied", "404: 404 page not found")),
    ],
)  # fmt: skip
def test_answers_to_a_whole_push(status, body, expected):
    """The status says what is to happen to a push, but for 400."""
    entries = entries_of(call())
    assert judge(entries, Answer(status, body.encode(), 7.0)) == expected


def test_a_long_answer():
    """Of an answer as long as a book, the beginning is told, in one line."""
    verdict = judge(entries_of(call()), Answer(500, b"a b\n" * 10_000))
    assert len(verdict.why) < 600
    assert "\n" not in verdict.why
