"""Records as entries of a push."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loki_encoding import DAY, ENRICHER, HOUR, NOW, SECOND, Made, call, enriched, metadata, pushed, settings, written
from records import POOL, nested
from servers.loki import parse

from enricher import Enricher
from filters.loki.entries import push_body, spans
from filters.loki.settings import LONGEST_METADATA
from filters.loki.streams import MOST_STREAMS

MINUTE = 60 * SECOND


# What is sent


def test_the_body_of_a_push():
    """A push is what Loki documents: streams with labels, values of time, line and metadata, all of them texts."""
    entries = Made().of(call(when=NOW + 5))
    line = enriched(call(when=NOW + 5))[0].decode().rstrip("\n")
    meaning = {"sip_code": "486", "sip_reason": "Busy Here", "sip_initiator": "Destination", "sip_outcome": "busy"}
    assert json.loads(push_body(entries)) == {
        "streams": [
            {
                "stream": {"service_name": "sipsense", "sip_category": "Client Error"},
                "values": [[f"{NOW + 5}", line, {**meaning, "call_id": "c1@192.0.2.1"}]],
            }
        ]
    }


lines = st.one_of(
    st.sampled_from(POOL),
    st.dictionaries(st.text(max_size=6), nested, max_size=4).map(lambda record: json.dumps(record).encode()),
    st.dictionaries(st.sampled_from(["sip_code", "sip", "call_id", "time_end", "trunk"]), nested).map(
        lambda record: json.dumps(record, ensure_ascii=False).encode(errors="backslashreplace")
    ),
    st.text(max_size=20).map(lambda text: json.dumps({"x": text}, ensure_ascii=False).encode(errors="replace")),
    st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")),
)


@given(st.lists(lines, max_size=8), st.sampled_from(["now", "label"]))
def test_lines_are_kept(several, late):
    """Whatever comes is one entry with its bytes as the line, in a body that Loki reads, or is refused as it came."""
    made = Made("--late", late, "--label", "trunk=trunk", "--metadata", "number=x,deep=sip.code")
    entries = made.entries(*(line + b"\n" for line in several))
    sent = [line for _, values in parse(push_body(entries)) for _, line, _ in values]
    came = [entry.record for entry in entries] + [line for line, _ in made.refused]
    assert sorted(came) == sorted(several)
    utf8 = sorted(line for line in (entry.record for entry in entries) if _is_utf8(line))
    assert sorted(text.encode() for text in sent if "\ufffd" not in text or text.encode() in utf8) == utf8
    assert len(sent) == len(entries)
    assert all(entry.size > len(entry.text) for entry in entries)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_a_line_that_is_not_utf8():
    """A line that JSON cannot say goes out in an object that says so."""
    (entry,) = Made().entries(b'{"x":"\xff"}\n')
    assert json.loads(json.loads(entry.text)[1])["error"]["type"] == "not_utf8"
    assert entry.record == b'{"x":"\xff"}'


# Labels and metadata


def test_a_record_without_a_meaning():
    """A record that is no call has no category and no metadata, and nothing is made up for it."""
    made = Made()
    entries = made.entries(b'{"status":500}\n')
    assert pushed(entries) == [({"service_name": "sipsense"}, [[str(NOW), '{"status":500}', {}]])]
    assert made.encoder.arrival_time == 1


@pytest.mark.parametrize("flat", [False, True])
def test_where_the_meaning_is(flat):
    """Label and metadata have the same names wherever --target and --flat put the meaning."""
    enricher = Enricher(target="meaning", flat=flat)
    line = enricher.enrich_json(json.dumps(call()).encode()) + b"\n"
    (entry,) = Made(target="meaning", flat=flat, enricher=enricher).entries(line)
    assert entry.stream.labels == {"service_name": "sipsense", "sip_category": "Client Error"}
    assert metadata(entry)["sip_outcome"] == "busy"


def test_more_labels_and_metadata():
    """Further labels and metadata come from anywhere in the record; numbers and flags are texts, objects nothing."""
    made = Made(
        *(
            "--label",
            "trunk=attributes.trunk.name",
            "--static-label",
            "env=test",
            "--static-label",
            "service_name=calls",
        ),
        *("--metadata", "duration=duration, answered=answered", "--metadata", "cost=cost,gone=nowhere,all=attributes"),
    )
    (entry,) = made.of(call(attributes={"trunk": {"name": "north"}}, duration=7, answered=False, cost=1.5))
    assert entry.stream.labels == {
        "env": "test",
        "service_name": "calls",
        "sip_category": "Client Error",
        "trunk": "north",
    }
    found = metadata(entry)
    assert {key: found[key] for key in found if not key.startswith(("sip_", "call_"))} == {
        "duration": "7",
        "answered": "false",
        "cost": "1.5",
    }


def test_no_metadata():
    """With `none`, there is no metadata but what is named."""
    (entry,) = Made("--metadata", "none").of(call())
    assert metadata(entry) == {}
    (entry,) = Made("--metadata", "none,number=sip_code").of(call())
    assert metadata(entry) == {"number": "486"}


def test_equal_values_of_different_kinds():
    """1 and 1.0 and true are different texts, also when they come one after the other."""
    made = Made("--label", "kind=kind")
    records = [call(kind=kind) for kind in (1, True, 1.0, "1", 1)]
    assert [entry.stream.labels["kind"] for entry in made.of(*records)] == ["1", "true", "1.0", "1", "1"]


def test_a_label_with_too_many_values(capsys):
    """Beyond its limit a label takes no new value: it becomes metadata, which is said once; old values stay labels."""
    made = Made("--label", "trunk=trunk", "--label-limit", "2")
    entries = made.of(*(call(number, trunk=f"t{number % 4}") for number in range(8)))
    labels = [entry.stream.labels.get("trunk") for entry in entries]
    assert labels == ["t0", "t1", None, None] * 2
    assert [metadata(entry).get("trunk") for entry in entries] == [None, None, "t2", "t3"] * 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "label trunk: expected at most 2 values" in said


def test_a_category_of_a_stranger():
    """The category of records that are not ours is bounded like any label."""
    made = Made()
    for number in range(100):
        made.entries(json.dumps({"sip": {"category": f"c{number}"}}).encode() + b"\n")
    assert len(made.kinds._streams._streams) == 31


def test_too_many_streams(capsys):
    """However many labels multiply, there are so many streams and no more; the values of the rest are metadata."""
    made = Made(*(word for name in "abc" for word in ("--label", f"{name}={name}")))
    numbers = range(MOST_STREAMS + 100)
    entries = made.of(*(call(a=n % 30, b=n // 30 % 30, c=n // 900) for n in numbers))
    assert len({entry.stream for entry in entries}) == MOST_STREAMS + 1
    assert metadata(entries[-1]).items() >= {"a": str(numbers[-1] % 30), "c": "1"}.items()
    assert "more than 1000 streams" in capsys.readouterr().err


def test_long_values():
    """A value that is too long for label and metadata stays in the line only; the rest never exceeds the limits."""
    huge = "x" * (LONGEST_METADATA + 1)
    (entry,) = Made("--label", "a=a", "--metadata", "b=b").of(call(a=huge, b=huge, call_id=huge))
    assert entry.stream.labels.keys() == {"service_name", "sip_category"}
    assert metadata(entry).keys() == {"sip_code", "sip_reason", "sip_initiator", "sip_outcome"}
    names = [f"{'n' * 60}{number}" for number in range(10)]
    longest = dict.fromkeys(names, "\u20ac" * (LONGEST_METADATA // 3))
    (entry,) = Made("--metadata", ",".join(f"{name}={name}" for name in names)).of(call(**longest))
    found = metadata(entry)
    assert found.items() >= longest.items()
    # Thirteen labels may become metadata as well, with our own four, call_id and sip_time.
    assert sum(map(len, map(str.encode, longest.values()))) + (13 + 6) * LONGEST_METADATA + 29 * 64 < 64 * 1024


def test_a_line_that_is_too_long():
    """A record that the server would not take whole is refused whole."""
    made = Made("--max-entry", "1000")
    assert not made.entries(b'{"x":"%b"}\n' % (b"x" * 993))
    assert made.refused == [
        (b'{"x":"%b"}' % (b"x" * 993), "line_too_long: expected at most 1000 bytes (--max-entry), got 1001")
    ]
    assert len(made.entries(b'{"x":"%b"}\n' % (b"x" * 992))) == 1


# Time and order


def test_time_and_order():
    """Entries go in the order of their own times; a record without a time has that of its arrival."""
    made = Made()
    entries = made.of(call(1, NOW - 7), call(2, None), call(3, NOW - 9), call(4, NOW - 7))
    assert [(entry.time - NOW, metadata(entry)["call_id"][:2]) for entry in entries] == [
        *[(-9, "c3"), (-7, "c1"), (-7, "c4"), (0, "c2")]
    ]
    assert made.encoder.arrival_time == 1


def test_the_time_of_an_event():
    """The time of an event is the arrival of its record: what the record itself says goes before it."""
    encoder = Made().encoder
    when = [NOW - 1, NOW - 2]
    assert [entry.time for entry in encoder.entries(enriched(call(1, None), call(2, NOW)), when, [])] == [NOW - 1, NOW]


def test_equal_lines():
    """Two records that are the same byte for byte, at the same time, stay two: Loki would keep one of them."""
    entries = Made().of(call(), call(), call(when=NOW + 1), call())
    assert [entry.time - NOW for entry in entries] == [0, 1, 2, 1]
    assert [entry.time - NOW for entry in Made().entries(*enriched(call()) * 3)] == [0, 1, 2]
    late = Made().of(*[call(when=NOW - 30 * DAY)] * 2)
    assert [entry.time - NOW for entry in late] == [0, 1]


def test_a_body_is_in_order():
    """In a push each stream is in the order of time, whatever order the entries have."""
    entries = Made().of(*(call(number, NOW + number) for number in range(5)), call(9, NOW + 2, sip_code=503))
    (first, second) = pushed(entries[::-1])
    assert [value[0] for value in first[1]] == [str(NOW + number) for number in range(5)]
    assert second[0]["sip_category"] != first[0]["sip_category"]


BAD_TIMES = {"too_old": NOW - 7 * DAY, "too_new": NOW + 10 * MINUTE}


@pytest.mark.parametrize("when", BAD_TIMES.values(), ids=BAD_TIMES)
def test_late_now(when):
    """By default a record that the server would refuse for its time is written now, and its time is metadata."""
    made = Made()
    (entry,) = made.of(call(when=when))
    assert (entry.time, metadata(entry)["sip_time"]) == (NOW, written(when))
    assert entry.stream.labels == {"service_name": "sipsense", "sip_category": "Client Error"}
    assert made.encoder.late == 1


@pytest.mark.parametrize("when", BAD_TIMES.values(), ids=BAD_TIMES)
def test_late_label(when):
    """By choice it keeps its time, in a stream of its own."""
    (entry,) = Made("--late", "label").of(call(when=when))
    assert (entry.time, entry.stream.labels["late"]) == (when, "true")
    assert "sip_time" not in metadata(entry)


@pytest.mark.parametrize(("kind", "when"), BAD_TIMES.items(), ids=BAD_TIMES)
def test_late_drop(kind, when):
    """By choice it is refused, with the reason."""
    made = Made("--late", "drop")
    assert not made.of(call(when=when))
    ((_, why),) = made.refused
    assert why.startswith(f"{kind}: {written(when)}")


def test_behind_its_stream():
    """What is further behind than the server allows, in its own stream, is late; in another stream it is not."""
    ages = [0, 58 * MINUTE, 60 * MINUTE]
    made = Made("--late", "label")
    made.of(call())
    busy = made.of(*(call(when=NOW - age) for age in ages))
    assert [entry.stream.labels.get("late") for entry in busy] == ["true", None, None]
    answered = made.of(*(call(when=NOW - age, sip_code=200, sip_reason="Bye") for age in ages[1:]))
    assert [entry.stream.labels.get("late") for entry in answered] == [None, None]


def test_old_records_in_order():
    """Old records that come in order all go into the late stream, each with its time; those that do not are refused."""
    made = Made("--late", "label", "--late-age", "none")
    made.of(call())
    old = [NOW - (100 - day) * DAY for day in range(10)]
    entries = made.of(*(call(when=when) for when in [*old[5:], *old[:5]]))  # sorted within what comes at a time
    assert [entry.time for entry in entries] == old
    assert not made.refused
    assert not made.of(call(when=old[0]))
    assert made.refused[0][1].startswith("too_far_behind: ")


def test_no_limits():
    """Without limits every time is sent as it is."""
    made = Made("--late-age", "none", "--late-ahead", "none", "--late-behind", "none")
    times = [NOW + 400 * DAY, NOW - 9000 * DAY, NOW]
    assert [entry.time for when in times for entry in made.of(call(when=when))] == times
    assert made.encoder.late == 0


@given(
    st.lists(st.integers(-9 * DAY, DAY), min_size=1, max_size=20),
    st.sampled_from(["now", "label", "drop"]),
    st.integers(1, 4),
)
def test_nothing_is_sent_that_is_refused_for_its_time(offsets, late, size):
    """With the server's limits, no entry is sent that it would refuse; and none is lost on the way."""
    made = Made("--late", late, "--late-age", "none" if late == "label" else "7d", "--late-ahead", "10m")
    sent = []
    records = [call(number, NOW + offset) for number, offset in enumerate(offsets)]
    for first in range(0, len(records), size):
        sent += made.of(*records[first : first + size])
    newest: dict = {}
    for entry in sent:
        assert entry.time >= newest.get(entry.stream, 0) - HOUR
        newest[entry.stream] = max(entry.time, newest.get(entry.stream, 0))
        assert late == "label" or NOW - 7 * DAY <= entry.time <= NOW + 10 * MINUTE
    assert len(sent) + len(made.refused) == len(records)
    assert late == "drop" or late == "label" or not made.refused


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([486, 503, 200])), max_size=20))
def test_spans(several):
    """Spans are all entries in their order, and in none of them an entry is too far behind another of its stream."""
    made = Made("--late-age", "none", "--late-behind", "none")
    entries = [made.of(call(n, NOW + half * HOUR // 2, sip_code=code))[0] for n, (half, code) in enumerate(several)]
    parts = spans(entries, HOUR)
    assert [entry for part in parts for entry in part] == entries
    assert all(parts) or not entries
    for stream in {entry.stream for entry in entries}:
        for part in parts:
            times = [entry.time for entry in part if entry.stream is stream]
            assert max(times, default=0) - min(times, default=0) <= HOUR or _falls(times)
    assert spans(entries, None) == [entries]


def _falls(times: list[int]) -> bool:
    """Return whether an entry came behind a much newer one, which an encoder does not let happen."""
    return any(when < max(times[:place]) - HOUR for place, when in enumerate(times) if place)


def test_a_narrow_window():
    """Where the server takes less from behind than from ahead, a late record is as near to now as its stream takes."""
    made = Made("--late-behind", "5m")
    made.of(call(when=NOW + 9 * MINUTE))
    (entry,) = made.of(call(when=NOW - 9 * DAY))
    assert NOW < entry.time <= NOW + 5 * MINUTE


ODD = (
    b'{"a":{"b":1,"sip":{"code":486,"category":"Inner","reason":"r"}}}',
    b'{"a":1,"sip":{"code":486,"category":"Own","reason":"}}"}}',
    b'{"a":1,"sip":{"code":486,"category":"Own","more":{"b":2}}}',
    b'{"a":1,"sip":{"code":486},"b":{}}',
    b'{"sip":{"category":"First"},"a":1,"sip":{"category":"Last"}}',
    b'{"sip":{"category":"Only"}}',
    b'{"a":"x,","sip":{"category":"Comma"}}',
    b'{"a":",\\"sip\\":{","sip":{"category":"Quoted"}}',
    b'{"a":[{"b":1,"sip":{"category":"In a list"}}]}',
    b'{"a":1,"sip":{"category":"White"}} ',
    b'{"a":"\xff","sip":{"category":"Bytes"}}',
    b'{"a":1,"sip":{"category":"\xff"}}',
    b'{"a":1,"sip":{"category":1.5,"reason":true}}',
    b'{"a":1,"sip":{}}',
    b',"sip":{"category":"No object"}}',
)


@given(st.lists(st.one_of(st.sampled_from(ODD), lines, st.sampled_from(POOL).map(ENRICHER.enrich_json)), max_size=9))
def test_ends_of_lines(several):
    """What is found by the end of a line is what is found by its values, also when such an end comes again."""
    fast, slow = Made("--metadata", "a=a"), Made("--metadata", "a=a")
    assert fast.kinds._mark
    slow.encoder._kind_of = slow.kinds._of_values
    for _ in range(2):
        block = [line + b"\n" for line in several]
        assert push_body(fast.entries(*block)) == push_body(slow.entries(*block))


def test_memory_is_bounded():
    """Values from records are remembered up to a bound."""
    made = Made("--label", "number=number")
    for first in range(0, 40_000, 4000):
        made.entries(*(b'{"number":%d}\n' % number for number in range(first, first + 4000)))
    assert len(made.kinds._by_values) <= 16384
    assert len(made.kinds._streams._seen["number"]) == 30
    made.entries(b'{"number":"%b"}\n' % (b"x" * 5000))
    ends = Made()
    ends.entries(*(b'{"a":1,"sip":{"code":%d}}\n' % number for number in range(3000)))
    assert 0 < max(map(len, ends.kinds._by_length.values())) <= 32
    ends.entries(b'{"a":1,"sip":{"code":"%b"}}\n' % (b"x" * 5000), b'{"a":1,"sip":{"code":486},"b":2}\n')
    tails = [kind.tail for kinds in ends.kinds._by_length.values() for kind in kinds]
    assert max(map(len, tails)) < 50
    assert not any(tail.endswith(b'"b":2}\n') for tail in tails)
    ends.entries(*(b'{"a":1,"sip":{"code":%d}}\n' % 10**number for number in range(1500)))
    assert 400 < sum(map(len, ends.kinds._by_length.values())) <= 1024
    assert max(len(str(key)) for key in made.kinds._by_values) < 5000


def test_defaults():
    """Without options there are two labels and the metadata that dashboards rely on."""
    found = settings()
    assert (dict(found.fixed), [name for name, _ in found.labels]) == ({"service_name": "sipsense"}, ["sip_category"])
    (entry,) = Made().of(call())
    assert list(metadata(entry)) == ["sip_code", "sip_reason", "sip_initiator", "sip_outcome", "call_id"]
    assert ENRICHER.identify([entry.record])[0].call == metadata(entry)["call_id"]
