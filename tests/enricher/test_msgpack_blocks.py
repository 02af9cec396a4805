"""Many MessagePack records at a time become what each becomes alone."""

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgpack
import pytest

from enricher import Enricher
from enricher.errors import InvalidRecord
from enricher.msgpack_blocks import MsgpackBlocks

CASES = Path(__file__).resolve().parents[1] / "cases"
CALL = {"sip_code": 486, "sip_reason": "Busy Here", "disconnect_initiator": "Destination"}
STRANGER = {"status": 404}


def packed(record: Any) -> bytes:
    """Return the record as MessagePack."""
    data: bytes = msgpack.packb(record)
    return data


def mark(record: bytes, place: int, error: InvalidRecord) -> bytes:
    """Stand for a value that is no record."""
    return packed({"place": place, "kind": error.kind})


def alone(enricher: Enricher, records: list[bytes]) -> bytes:
    """Return the records, each enriched alone."""
    return b"".join(enricher.enrich_msgpack(record) for record in records)


def stream(blocks: MsgpackBlocks, records: list[bytes]) -> bytes:
    """Return the records enriched as a stream."""
    ends = [0, *accumulate(map(len, records))]
    return blocks.enrich_stream(b"".join(records), ends)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("way", ["records", "stream"])
def test_same_as_alone(way: str, flat: bool) -> None:
    """Records of all profiles, mixed and many, gain the same as one by one, whether there is a plan or not."""
    lines = [line for case in sorted(CASES.glob("*/[ev][xa]*s.jsonl")) for line in case.read_bytes().splitlines()]
    records = [packed(json.loads(line)) for line in lines]
    assert len(records) > 100
    enricher = Enricher(flat=flat)
    blocks = MsgpackBlocks(enricher, mark)
    for _ in range(3):
        found = blocks.enrich(records) if way == "records" else stream(blocks, records)
        assert found == alone(enricher, records)
    assert blocks.counted().lines == 3 * len(records)
    assert sum(blocks.counted().added.values()) == 3 * len(records)


@pytest.mark.parametrize("keys", [1, 13, 14, 15, 16, 70_000])
def test_header_of_any_size(keys: int) -> None:
    """A map keeps its members and gains one, whatever its header has to become."""
    record = CALL | {f"key{number}": number for number in range(keys)}
    blocks = MsgpackBlocks(Enricher(), mark)
    stream(blocks, [packed(CALL)] * 20)
    once = stream(blocks, [packed(CALL)] * 20 + [packed(record)])
    *_, last = msgpack.Unpacker(_file(once), max_buffer_size=0)
    assert list(last) == [*record, "sip"]


def _file(data: bytes) -> Any:
    import io

    return io.BytesIO(data)


def test_what_is_no_record_is_marked() -> None:
    """A value that is no map is handed out with its place, and everything else goes on."""
    records = [packed(CALL)] * 20 + [packed(7), packed(CALL), packed([1])]
    blocks = MsgpackBlocks(Enricher(), mark)
    for _ in range(2):
        found = list(msgpack.Unpacker(_file(stream(blocks, records))))
        assert found[20] == {"place": 20, "kind": "not_map"}
        assert found[22] == {"place": 22, "kind": "not_map"}
        assert all("sip" in found[place] for place in (*range(20), 21))
    assert blocks.counted().invalid == 4


def test_before() -> None:
    """What is to stand before each record stands there, in order."""
    records = [packed(CALL), packed(STRANGER)] * 20
    heads = [packed(number) for number in range(40)]
    blocks = MsgpackBlocks(Enricher(), mark)
    for _ in range(2):
        found = list(msgpack.Unpacker(_file(blocks.enrich(records, heads))))
        assert found[0::2] == list(range(40))
        assert [("sip" in record) for record in found[1::2]] == [True, False] * 20


def test_too_few_records_make_no_plan() -> None:
    """A handful of records is enriched one by one."""
    blocks = MsgpackBlocks(Enricher(), mark)
    assert stream(blocks, [packed(CALL)]) == Enricher().enrich_msgpack(packed(CALL))
    assert blocks.enrich([]) == b""


def test_strangers_alone_make_no_plan() -> None:
    """Records that are no call logs pass, and the first call log among later ones is still found."""
    blocks = MsgpackBlocks(Enricher(), mark)
    strangers = [packed(STRANGER)] * 20 + [packed(1)]
    assert blocks.enrich(strangers[:20]) == b"".join(strangers[:20])
    assert b"kind" in blocks.enrich(strangers[20:] * 20)
    found = list(msgpack.Unpacker(_file(blocks.enrich([packed(CALL)] * 20))))
    assert all("sip" in record for record in found)


def test_conflicts_and_evidence() -> None:
    """A target that is no map leaves the record alone and is counted; connect evidence is read for each record."""
    late = {"sip_code": 408, "sip_reason": "NoAck"}
    records = [packed(CALL)] * 20 + [
        packed(CALL | {"sip": 1}),
        packed(late | {"success": True}),
        packed(late | {"success": False}),
    ]
    blocks = MsgpackBlocks(Enricher(), mark)
    blocks.enrich(records)
    found = list(msgpack.Unpacker(_file(stream(blocks, records))))
    assert found[20] == CALL | {"sip": 1}
    assert [record["sip"]["outcome"] for record in found[21:]] == ["dropped", "fault"]
    assert blocks.counted().conflicts == 2


def test_counting_can_be_left_out() -> None:
    """Without counting the tally knows the number of records alone."""
    blocks = MsgpackBlocks(Enricher(), mark, count=False)
    for _ in range(2):
        stream(blocks, [packed(CALL)] * 20)
    assert blocks.counted().lines == 40
    assert not blocks.counted().added
