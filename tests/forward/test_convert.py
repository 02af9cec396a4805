"""JSON lines and events, each made of the other."""

import json

import msgpack
import pytest
from forward_messages import RECORD, event_time
from hypothesis import given
from hypothesis import strategies as st

from filters.codecs.convert import entries_of, json_of, lines_of, record_of, time_of

NOW = 1700000000_123456789


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": b"caf\xc3\xa9"}, {"a": "café"}),
        ({"a": b"\xff\x00"}, {"a": "\\xff\x00"}),
        ({b"key": 1}, {"key": 1}),
        ({1: 2, None: 3, 1.5: 4, False: 5}, {"1": 2, "null": 3, "1.5": 4, "false": 5}),
        ({"a": float("nan"), "b": float("-inf"), "c": [float("inf")]}, {"a": "nan", "b": "-inf", "c": ["inf"]}),
        ({"a": event_time()}, {"a": "2023-11-14T22:13:20.123456789Z"}),
        ({"a": event_time(nanoseconds=0)}, {"a": "2023-11-14T22:13:20Z"}),
        ({"a": msgpack.ExtType(5, b"\x01\x02")}, {"a": "ext(5):AQI="}),
        ({"a": msgpack.Timestamp(1700000000, 5)}, {"a": "2023-11-14T22:13:20.000000005Z"}),
        ({"a": 2**64 - 1, "b": -(2**63)}, {"a": 2**64 - 1, "b": -(2**63)}),
        ({"a": None, "b": [{}], "": {"c.d": "\u2028"}}, {"a": None, "b": [{}], "": {"c.d": "\u2028"}}),
    ],
)
def test_events_to_json(value, text):
    """What JSON cannot say becomes text; nothing is left out."""
    key = next(iter(value), "")
    packed = msgpack.packb(value)
    if isinstance(value.get("a"), msgpack.Timestamp):
        assert json.loads(json_of(packed))[key].startswith("2023-11-14T22:13:20")
    else:
        assert json.loads(json_of(packed)) == text


def test_a_text_that_is_not_utf8():
    """Its bytes are written out, and the rest of the record stays as it is."""
    assert json.loads(json_of(b"\x82\xa1a\xa2\xffx\xa1b\x01")) == {"a": "\\xffx", "b": 1}


def test_a_map_as_a_key():
    """A key that is no text is written as JSON."""
    assert json.loads(json_of(b"\x81\x81\xa1a\x01\x02")) == {'{"a":1}': 2}


def test_tag_and_time_as_fields():
    """They come at the end, and a record's own fields keep their values."""
    entry = (
        msgpack.packb([event_time(), RECORD]) + msgpack.packb([[1, {"m": 1}], {}]) + msgpack.packb([2, {"tag": "own"}])
    )
    lines = lines_of("tag", "time")("a.b", entry, 3).splitlines()
    assert list(json.loads(lines[0]).items())[-2:] == [("tag", "a.b"), ("time", "2023-11-14T22:13:20.123456789Z")]
    assert json.loads(lines[1]) == {"tag": "a.b", "time": "1970-01-01T00:00:01Z"}
    assert json.loads(lines[2]) == {"tag": "own", "time": "1970-01-01T00:00:02Z"}


@pytest.mark.parametrize("time", [1.5, b"\xcb\x3f\xf8" + bytes(6)])
def test_a_float_as_time(time):
    """Some clients send a float."""
    packed = time if isinstance(time, bytes) else msgpack.packb(time)
    assert time_of(b"\x92" + packed) == "1970-01-01T00:00:01.500000000Z"


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (
            b'{"a":18446744073709551616,"b":-9223372036854775809}',
            {"a": "18446744073709551616", "b": "-9223372036854775809"},
        ),
        (b'{"a":' + b"9" * 5000 + b"}", {"a": "9" * 5000}),
        (b'{"a":1e400,"b":[-1e400]}', {"a": "1e400", "b": ["-1e400"]}),
        (b'{"a":"\\ud800x","\\udfff":1}', {"a": "\\ud800x", "\\udfff": 1}),
        (b'{"a":18446744073709551615,"b":1.0}', {"a": 2**64 - 1, "b": 1.0}),
    ],
)
def test_lines_to_records(line, record):
    """What MessagePack cannot say becomes text as it was spelled."""
    assert msgpack.unpackb(record_of(line)) == record


@pytest.mark.parametrize("line", [b"no json", b"[1]", b'{"a":NaN}', b"\xff", b"[" * 100_000])
def test_lines_that_are_no_records(line):
    """They are wrapped, as elsewhere."""
    record = msgpack.unpackb(record_of(line))
    assert record["event"]["kind"] == "pipeline_error"
    assert record["event"]["original"] == line.decode(errors="replace")


def test_lines_to_entries():
    """Each line is an entry with the time in nanoseconds."""
    data, count = entries_of(b'{"a":1}\n{"b":2}\n', NOW)
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    assert (list(unpacker), count) == ([[event_time(), {"a": 1}], [event_time(), {"b": 2}]], 2)
    assert entries_of(b"", NOW) == (b"", 0)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_there_and_back(record):
    """A JSON object that becomes an event and a line again is the same object."""
    line = json.dumps(record).encode()
    assert json.loads(json_of(record_of(line))) == record


@given(st.binary(max_size=60))
def test_any_bytes(data):
    """No bytes of a record and no line break a conversion."""
    json.loads(json_of(data))
    assert isinstance(msgpack.unpackb(record_of(data)), dict)
