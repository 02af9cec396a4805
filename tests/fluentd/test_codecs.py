"""What the child makes of bytes, in both codecs."""

import json
from itertools import pairwise
from typing import Any

import pytest
from child import BUSY, objects, pack, unpacked
from hypothesis import given
from hypothesis import strategies as st

from enricher.enrich import Enricher
from filters.codecs.msgpack_stream import Cutter, Skipper
from filters.codecs.padding import BLOCK, Padding
from filters.fluentd import JsonChild, MsgpackChild

MANY = 1 << 24
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
LEAVES = SCALARS | st.text() | st.binary() | st.binary(min_size=250, max_size=300)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text() | st.binary(), inner, max_size=20)
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return the data in pieces."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(ends)]


def fed(child: JsonChild | MsgpackChild, *chunks: bytes) -> bytes:
    """Return all that comes of the chunks."""
    return b"".join(map(child.feed, chunks)) + child.finish()


def without(record: dict[Any, Any]) -> dict[Any, Any]:
    """Return the record as it came."""
    return {key: value for key, value in record.items() if key != "sip"}


@given(VALUES, VALUES, st.lists(st.integers(0, 1 << 20), max_size=8))
def test_skipper(value: Any, behind: Any, places: list[int]) -> None:
    """The end of a value is found wherever the stream is cut."""
    first, skipper, at = pack(value), Skipper(), 0
    for piece in cut(first + pack(behind), places):
        end = skipper.skip(piece)
        if end is not None:
            at += end
            break
        at += len(piece)
    assert at == len(first)


@given(st.lists(VALUES, max_size=8), st.lists(st.integers(0, 1 << 20), max_size=8))
def test_cutter(values: list[Any], places: list[int]) -> None:
    """A stream is cut into its values wherever its chunks end, and nothing stays behind."""
    cutter, found = Cutter(), []
    for piece in cut(b"".join(map(pack, values)), places):
        done = cutter.feed(piece)
        found += [done.data[begin:end] for begin, end in pairwise(done.ends)]
    assert found == list(map(pack, values))
    assert cutter.size == 0
    assert cutter.take() == b""


@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=5), max_size=5), st.lists(st.integers(0, 1 << 20)))
def test_maps_pass(records: list[dict[str, Any]], places: list[int]) -> None:
    """Any map passes with all that it holds, wherever the stream is cut."""
    stream = b"".join(map(pack, records))
    came = unpacked(fed(MsgpackChild(Enricher, MANY), *cut(stream, places)))
    assert list(map(without, came)) == list(map(without, records))


@pytest.mark.parametrize("keys_are_bytes", [False, True])
@pytest.mark.parametrize("values_are_bytes", [False, True])
@pytest.mark.parametrize("count", [1, 100])
def test_types(count: int, *, keys_are_bytes: bool, values_are_bytes: bool) -> None:
    """Keys and texts are understood as STR and as BIN, and each goes back in its own type."""

    def typed(text: str, *, as_bytes: bool) -> str | bytes:
        return text.encode() if as_bytes else text

    record = {
        typed(key, as_bytes=keys_are_bytes): typed(value, as_bytes=values_are_bytes)
        if isinstance(value, str)
        else value
        for key, value in {**BUSY, "sip_code": "486", "tag": "calls", "time": 1.25}.items()
    }
    came = unpacked(fed(MsgpackChild(Enricher, MANY), pack(record) * count))
    expected = json.loads(Enricher().enrich_json(json.dumps(BUSY).encode()))["sip"]
    assert came == [{**record, "sip": expected}] * count


@pytest.mark.parametrize("value", [7, -1, None, True, 1.5, "text", b"bytes", [1], [], [{"sip_code": 486}]])
def test_no_map(value: Any) -> None:
    """What is no map comes out as a map that says so, between its neighbours."""
    before, marked, after = unpacked(fed(MsgpackChild(Enricher, MANY), pack(BUSY) + pack(value) + pack(BUSY)))
    assert before == after
    assert before["sip"]["outcome"] == "busy"
    assert marked["error"]["type"] == "not_map"
    assert marked["event"]["kind"] == "pipeline_error"


@pytest.mark.parametrize("rubbish", [b"\xc1", b"\xc1\xff\xfe rubbish", b"\x81\xc1"])
def test_no_msgpack(rubbish: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that are no MessagePack become one map that says so; records before them and in later chunks stay."""
    child = MsgpackChild(Enricher, MANY)
    first, marked = unpacked(child.feed(pack(BUSY) + rubbish))
    assert first["sip"]["outcome"] == "busy"
    assert marked["error"]["type"] == "not_msgpack"
    assert unpacked(child.feed(pack(BUSY))) == [first]
    assert "expected MessagePack, got other bytes" in capsys.readouterr().err
    assert (child.tally.lines, child.tally.invalid) == (3, 1)


def test_text_for_msgpack() -> None:
    """JSON where MessagePack is expected, as with a wrong codec, gives maps that say so and nothing else."""
    for record in unpacked(fed(MsgpackChild(Enricher, MANY), b'{"sip_code":486}\n')):
        assert record["event"]["kind"] == "pipeline_error"


def test_cut_off() -> None:
    """A record that the end of input cuts off comes out marked."""
    came = unpacked(fed(MsgpackChild(Enricher, MANY), pack(BUSY)[:-1]))
    assert [record["error"]["message"] for record in came] == ["the input ended inside a record"]


@pytest.mark.parametrize("step", [7, 1 << 16])
def test_deep(step: int) -> None:
    """A record of any depth passes, with those behind it enriched."""
    deep = b"\x81\xa1a" * 5000 + b"\xc0"
    stream = pack(BUSY) + deep + pack(BUSY)
    came = fed(MsgpackChild(Enricher, MANY), *cut(stream, list(range(0, len(stream), step))))
    enriched = fed(MsgpackChild(Enricher, MANY), pack(BUSY))
    assert came == enriched + deep + enriched


@pytest.mark.parametrize("step", [1000, 4096, 1 << 16])
def test_longest_msgpack(step: int) -> None:
    """A map above the limit passes as it is, whatever the chunks are; those around it are enriched."""
    long = pack({**BUSY, "rest": ["x" * 50] * 200})
    stream = pack(BUSY) + long + pack(BUSY)
    child = MsgpackChild(Enricher, 4096)
    came = fed(child, *cut(stream, list(range(0, len(stream), step))))
    enriched = fed(MsgpackChild(Enricher, MANY), pack(BUSY))
    assert came == enriched + long + enriched
    assert child.tally.lines == 3


@pytest.mark.parametrize("bad", [b"no json", b"[1]", b"7", b"null", b'"text"', b'{"a":', b"\xff\xfe", b"{} {}"])
def test_no_object(bad: bytes) -> None:
    """A line that is no object comes out as an object that says so, between its neighbours."""
    line = json.dumps(BUSY).encode() + b"\n"
    before, marked, after = objects(fed(JsonChild(Enricher, MANY), line + bad + b"\n" + line))
    assert before == after
    assert before["sip"]["outcome"] == "busy"
    assert marked["event"] == {"kind": "pipeline_error", "original": bad.decode(errors="replace")}


def test_last_line() -> None:
    """A last line without a newline is enriched too."""
    assert objects(fed(JsonChild(Enricher, MANY), json.dumps(BUSY).encode()))[0]["sip"]["outcome"] == "busy"


@given(st.lists(st.integers(0, 3 * BLOCK), min_size=1, max_size=20))
def test_padding(counts: list[int]) -> None:
    """Padding fills the last block up, with white space that ends a line."""
    padding, total = Padding(), 0
    for count in counts:
        padding.wrote(count)
        filling = padding.take()
        total += count + len(filling)
        assert total % BLOCK == 0
        assert len(filling) < BLOCK
        assert not filling or filling == b" " * (len(filling) - 1) + b"\n"
    assert padding.take() == b""
