"""Messages of the forward protocol as bytes."""

import gzip
from itertools import pairwise

import msgpack
import pytest
import zstandard
from forward_messages import RECORD, entries, event_time
from hypothesis import given
from hypothesis import strategies as st

from filters.forward import wire
from filters.forward.wire import Malformed

LIMIT = 1 << 20
TIME = event_time()
HEAD = b"\x92" + msgpack.packb(TIME)
PACKED = msgpack.packb(RECORD)


def decode(value, limit=LIMIT, **options):
    """Pack a message and read it."""
    return wire.decode(msgpack.packb(value, **options), limit)


class TestModes:
    def test_message(self):
        """A message with one event is read."""
        assert decode(["a.b", TIME, RECORD]) == ("a.b", [HEAD], [PACKED], b"")

    def test_message_with_integer_time_and_options(self):
        """Seconds stay seconds, and a chunk id stays as it came."""
        head = b"\x92" + msgpack.packb(1700000000)
        expected = ("a.b", [head], [PACKED], msgpack.packb("x"))
        assert decode(["a.b", 1700000000, RECORD, {"chunk": "x"}]) == expected

    def test_forward(self):
        """Entries in an array are read."""
        assert decode(["a.b", [[TIME, RECORD]] * 20]) == ("a.b", [HEAD] * 20, [PACKED] * 20, b"")

    @pytest.mark.parametrize("count", [1, 15, 16, 70000])
    def test_forward_of_all_lengths(self, count):
        """The three kinds of array header are understood."""
        assert len(decode(["a.b", [[1, {}]] * count]).records) == count

    @pytest.mark.parametrize("use_bin_type", [True, False])
    @pytest.mark.parametrize(
        "options", [[], [None], [{}], [{"size": 3}], [{"size": 2}], [{"size": 4}], [{"size": "x"}]]
    )
    def test_packed_forward(self, use_bin_type, options):
        """Entries in BIN and in STR are read, whatever number of them the client claims."""
        message = decode(["a.b", entries(3), *options], use_bin_type=use_bin_type)
        assert [msgpack.unpackb(record)["n"] for record in message.records] == [0, 1, 2]

    def test_gzip_in_several_members(self):
        """Compressed entries may be several gzip members, one behind the other."""
        data = b"".join(gzip.compress(entries(2, first)) for first in (0, 2, 4))
        message = decode(["a.b", data, {"compressed": "gzip"}])
        assert [msgpack.unpackb(record)["n"] for record in message.records] == [0, 1, 2, 3, 4, 5]

    def test_zstd_in_several_frames(self):
        """The same goes for Zstandard."""
        data = b"".join(zstandard.compress(entries(2, first)) for first in (0, 2, 4))
        message = decode(["a.b", data, {"compressed": "zstd"}])
        assert [msgpack.unpackb(record)["n"] for record in message.records] == [0, 1, 2, 3, 4, 5]

    @pytest.mark.parametrize("kind", ["gzip", "zstd"])
    def test_nothing_compressed(self, kind):
        """A message without entries is one."""
        compress = gzip.compress if kind == "gzip" else zstandard.compress
        assert decode(["a.b", compress(b""), {"compressed": kind}]).records == []

    def test_keep_alive(self):
        """Nil is a sign of life."""
        assert decode(None) is None

    def test_binary_everywhere(self):
        """Tag, keys of options, their values and keys of records may be BIN, as some clients write them."""
        message = decode([b"a.b", entries(1), {b"chunk": b"x", b"compressed": b"text", b"size": 1}])
        assert message.tag == "a.b"
        assert message.chunk == msgpack.packb(b"x")

    def test_metadata_of_an_event(self):
        """The metadata of version 1.5 stay with their event."""
        message = decode(["a.b", [[[TIME, {"k": "v"}], RECORD], [[TIME, {}], RECORD]]])
        assert message.heads == [b"\x92" + msgpack.packb([TIME, {"k": "v"}]), b"\x92" + msgpack.packb([TIME, {}])]

    def test_metadata_of_all_events(self):
        """Metadata in the options go to each event that has none of its own."""
        message = decode(["a.b", [[TIME, RECORD], [[TIME, {"k": "v"}], RECORD]], {"metadata": {"m": 1}}])
        heads = [[TIME, {"m": 1}], [TIME, {"k": "v"}]]
        assert message.heads == [b"\x92" + msgpack.packb(head) for head in heads]

    def test_event_time_in_its_long_form(self):
        """An EventTime may be ext 8 as well as fixext 8, and stays what it was."""
        head = b"\xc7\x08\x00" + TIME.data
        assert wire.decode(b"\x93\xa1a" + head + PACKED, LIMIT).heads == [b"\x92" + head]

    def test_a_tag_that_is_not_utf8(self):
        """It leaves as it came."""
        message = wire.decode(b"\x93\xa2\xff\xfe\x01\x80", LIMIT)
        assert wire.packed_text(message.tag) == b"\xa2\xff\xfe"


BROKEN = {
    "no array": ({"a": 1}, "begins with byte 81"),
    "too many events": (["a.b", [0] * 1_000_001], "at most 1000000 events"),
    "too many packed events": (["a.b", b"\x92\x01\x80" * 1_000_001], "at most 1000000 events"),
    "too many parts of a message": ([0] * 100_000, "2 to 4 parts, got 100000"),
    "too short": (["a.b"], "2 to 4 parts, got 1"),
    "no tag": ([1, [[1, {}]]], "expected a text, got a value that begins with byte 01"),
    "a time and nothing": (["a.b", 1], "expected the entries, or a time and a record"),
    "an entry of three": (["a.b", [[1, {}, 3]]], "array` of length 2, got 3"),
    "an entry of one": (["a.b", [[1]]], "array` of length 2, got 1"),
    "no entry": (["a.b", [7]], "expected whole entries of a time and a record"),
    "no time": (["a.b", [[None, {}]]], "begins with byte c0"),
    "options that are no map": (["a.b", [], 3], "expected a map of options"),
    "too many parts": (["a.b", [], {}, {}], "expected at most the options"),
    "unknown compression": (["a.b", b"x", {"compressed": "lz4"}], "gzip or zstd, got 'lz4'"),
    "no gzip": (["a.b", b"x" * 30, {"compressed": "gzip"}], "expected gzip"),
    "gzip cut off": (["a.b", gzip.compress(entries(9))[:-9], {"compressed": "gzip"}], "it is cut off"),
    "no zstd": (["a.b", b"x" * 30, {"compressed": "zstd"}], "expected Zstandard"),
    "zstd cut off": (["a.b", zstandard.compress(entries(9))[:-9], {"compressed": "zstd"}], "expected Zstandard"),
    "metrics": (["a.b", b"", {"fluent_signal": 1}], "got metrics or traces"),
    "half an entry": (["a.b", entries(1)[:-1]], "expected whole entries"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_message(name):
    """Each is refused, with what was expected and what came."""
    value, message = BROKEN[name]
    with pytest.raises(Malformed, match=message.replace("`", ".")):
        decode(value)


def test_other_protocols_are_named():
    """Who sends JSON or TLS is told so."""
    with pytest.raises(Malformed, match="JSON"):
        wire.decode(b"{", LIMIT)
    with pytest.raises(Malformed, match="TLS"):
        wire.decode(b"\x16", LIMIT)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_bomb(compress):
    """What decompresses to more than the limit is refused before it is there."""
    kind = "gzip" if compress is gzip.compress else "zstd"
    with pytest.raises(Malformed, match="at most 1048576 bytes of entries"):
        decode(["a.b", compress(bytes(64 << 20)), {"compressed": kind}])


def test_depth():
    """Entries that are nested too deeply are refused, not the end of the process."""
    deep = b"\x92\x01" + b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(Malformed):
        decode(["a.b", deep])
    with pytest.raises(Malformed):
        wire.decode(b"\x92\xa1a\x91" + deep, LIMIT)


@given(st.binary(max_size=200))
def test_random_bytes(data):
    """Any bytes are a message or malformed."""
    try:
        wire.decode(data or b"\x00", LIMIT)
    except Malformed:
        pass


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.binary(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(values, max_size=5))
def test_random_arrays(parts):
    """Any array is a message or malformed."""
    try:
        decode(parts)
    except Malformed:
        pass


@given(st.integers(0, 200), st.integers(0, 255))
def test_damaged_messages(place, byte):
    """A message with one byte changed is a message or malformed, never anything else."""
    data = bytearray(msgpack.packb(["a.b", gzip.compress(entries(3)), {"compressed": "gzip", "chunk": "x", "size": 3}]))
    data[place % len(data)] = byte
    try:
        wire.decode(bytes(data), LIMIT)
    except Malformed:
        pass


@given(
    st.lists(st.tuples(st.integers(0, 2**32), st.dictionaries(st.text(max_size=5), values, max_size=4)), max_size=40),
    st.booleans(),
    st.text(max_size=40),
)
def test_what_is_written_can_be_read(pairs, gzipped, tag):
    """A message that is made is read as what went in, by this module and by msgpack."""
    packed = [msgpack.packb(list(pair)) for pair in pairs]
    data = b"".join(wire.packed_forward(tag, b"".join(packed), len(packed), "id", gzip=gzipped))
    message = wire.decode(data, LIMIT)
    assert (message.tag, message.chunk) == (tag, msgpack.packb("id"))
    assert [head + record for head, record in zip(message.heads, message.records, strict=True)] == packed
    options = msgpack.unpackb(data)[2]
    assert (options["size"], options["chunk"], "compressed" in options) == (len(packed), "id", gzipped)


def test_chunk_ids_differ():
    """No two messages have the same id."""
    ids = [wire.new_chunk() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(len(one) == len(other) == 24 for one, other in pairwise(ids))
