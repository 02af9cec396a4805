"""MessagePack records: the header grows with the members, and all other bytes stay."""

import json
from typing import Any

import msgpack
import msgspec
import pytest

from enricher import Enricher, InvalidRecord

ENRICHER = Enricher()
FLAT = Enricher(flat=True)
SHORT = Enricher(fields=("code",))
CALL = {"sip_code": 486, "sip_reason": "Busy Here"}
SIP = msgpack.packb("sip")
ADDED = SIP + msgpack.packb({"code": 486})


def unpack(record: bytes) -> Any:
    """Return the value, read by the other library."""
    return msgpack.unpackb(record, strict_map_key=False)


def header(count: int, width: int) -> bytes:
    """Return the header of a map: `width` is how many bytes its count takes, 0 for the short form."""
    if not width:
        return bytes([0x80 | count])
    return {2: b"\xde", 4: b"\xdf"}[width] + count.to_bytes(width, "big")


def body(count: int) -> bytes:
    """Return so many members, a call log among them."""
    pad = b"".join(msgpack.packb(f"k{number}") + msgpack.packb(number) for number in range(count - 1))
    return pad + msgpack.packb("sip_code") + msgpack.packb(486)


class TestHeader:
    @pytest.mark.parametrize(
        ("count", "width", "then"),
        [
            (1, 0, 0),
            (14, 0, 0),
            (15, 0, 2),
            (16, 2, 2),
            (3, 2, 2),
            (65_534, 2, 2),
            (65_535, 2, 4),
            (65_536, 4, 4),
            (3, 4, 4),
        ],
    )
    def test_grows(self, count: int, width: int, then: int) -> None:
        """The header counts one member more, in a wider form only where the old one has no room."""
        record = header(count, width) + body(count)
        assert SHORT.enrich_msgpack(record) == header(count + 1, then) + body(count) + ADDED

    @pytest.mark.parametrize("count", [5, 6, 7, 15, 16])
    def test_flat(self, count: int) -> None:
        """With flat keys it counts each of them."""
        record = header(count, 2 if count > 15 else 0) + body(count)
        enriched = FLAT.enrich_msgpack(record)
        total = len(unpack(enriched))
        assert total > count + 4
        assert enriched.startswith(header(total, 2 if total > 15 else 0) + body(count))


class TestBytes:
    @pytest.mark.parametrize(
        "value",
        [
            b"\xca\x3f\x80\x00\x00",
            b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
            b"\xcd\x00\x01",
            b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
            b"\xd9\x01a",
            b"\xdb\x00\x00\x00\x01a",
            b"\xc4\x02\xff\xfe",
            b"\xa1\xff",
            b"\xd7\x00\x00\x00\x00\x01\x00\x00\x00\x02",
            b"\xd4\x05\x00",
            b"\xc7\x03\x7f\x01\x02\x03",
            b"\xd6\xff\x00\x00\x00\x01",
            b"\x91\x81\xc0\xc3",
            b"\x81\x01\x02",
        ],
        ids=lambda value: value[:6].hex(),
    )
    @pytest.mark.parametrize("first", [True, False])
    def test_value(self, value: bytes, first: bool) -> None:
        """Values of every type and width keep their bytes."""
        call = msgpack.packb("sip_code") + msgpack.packb(486)
        pad = msgpack.packb("x") + value
        record = b"\x82" + (pad + call if first else call + pad)
        assert SHORT.enrich_msgpack(record) == b"\x83" + record[1:] + ADDED

    @pytest.mark.parametrize(
        "key", [b"\x01", b"\xc0", b"\xcb" + b"\0" * 8, b"\xc4\x01\xff", b"\xa1\xff", b"\xa0", b"\xc2"]
    )
    def test_odd_key(self, key: bytes) -> None:
        """Keys that no path can name keep their bytes."""
        record = b"\x82" + key + b"\x01" + msgpack.packb("sip_code") + msgpack.packb(486)
        assert SHORT.enrich_msgpack(record) == b"\x83" + record[1:] + ADDED

    @pytest.mark.parametrize("use_bin", [True, False])
    def test_bin(self, use_bin: bool) -> None:
        """Keys and texts may be BIN, as Fluentd hands them over; what is added is STR."""
        record = {key.encode(): value.encode() if isinstance(value, str) else value for key, value in CALL.items()}
        enriched = ENRICHER.enrich_msgpack(msgpack.packb(record, use_bin_type=use_bin))
        expected = ENRICHER.enrich(CALL)["sip"]
        assert unpack(enriched)["sip"] == expected

    def test_stranger(self) -> None:
        """A record that is no call log keeps every byte."""
        for record in ({}, {"code": 486}, {1: 2}, {"sip": 1}):
            packed = msgpack.packb(record)
            assert ENRICHER.enrich_msgpack(packed) == FLAT.enrich_msgpack(packed) == packed

    def test_is_dict(self) -> None:
        """It gains what the dict gains, in the same order."""
        for record in (CALL, {"sip_code": 480}, {"sip_code": "x"}, {"sip_code": 999, "sip": {"a": 1}}):
            for enricher in (ENRICHER, FLAT):
                enriched = unpack(enricher.enrich_msgpack(msgpack.packb(record)))
                assert json.dumps(enriched) == json.dumps(enricher.enrich(record))

    @pytest.mark.parametrize("code", [486.0, "486", b"sip:486", True, 2**64 - 1, -1, None, [486], {"a": 1}])
    def test_code(self, code: Any) -> None:
        """A code of any type is read as in JSON."""
        enriched = unpack(SHORT.enrich_msgpack(msgpack.packb({"sip_code": code})))
        readable = not isinstance(code, bool) and (code == 486.0 or code in ("486", b"sip:486"))
        assert enriched.get("sip") == ({"code": 486} if readable else None)

    def test_text_that_is_no_utf8(self) -> None:
        """A text that is read and is no UTF-8 says nothing; its bytes stay."""
        record = (
            b"\x82" + msgpack.packb("sip_code") + msgpack.packb(486) + msgpack.packb("sip_reason") + b"\xa2\xff\xfe"
        )
        enriched = ENRICHER.enrich_msgpack(record)
        assert enriched[1:].startswith(record[1:])
        assert b"\xa5match\xa4code" in enriched

    def test_nested(self) -> None:
        """Values in nested maps are read, and those in an object that is written inside a text."""
        yeti = {"attributes": {"disconnect_code": 487, "disconnect_reason": "Ringing timeout"}, "type": "cdr"}
        record = {"EventName": "HANGUP", "eventtype": "HANGUP", "extra": '{"hangupcause":17,"dialstatus":""}'}
        for call in (yeti, record):
            assert unpack(ENRICHER.enrich_msgpack(msgpack.packb(call))) == ENRICHER.enrich(call)


class TestMerge:
    def test_existing_map(self) -> None:
        """In a map under the target key namesakes are replaced in place; the others keep their bytes."""
        odd = b"\xcd\x00\x07"
        inner = b"\x82" + msgpack.packb("code") + msgpack.packb("x") + msgpack.packb("y") + odd
        record = b"\x82" + SIP + inner + msgpack.packb("sip_code") + msgpack.packb(486)
        replaced = record.replace(
            msgpack.packb("code") + msgpack.packb("x"), msgpack.packb("code") + msgpack.packb(486)
        )
        assert SHORT.enrich_msgpack(record) == replaced

    def test_keys_that_are_no_text(self) -> None:
        """Keys that are numbers stay where they are, in the record and in the map that is filled."""
        record = msgpack.packb({1: 2, "sip": {3: 4, "code": 5, None: 6}, "sip_code": 486})
        assert unpack(SHORT.enrich_msgpack(record)) == {1: 2, "sip": {3: 4, "code": 486, None: 6}, "sip_code": 486}

    def test_map_grows(self) -> None:
        """A map of fifteen gets a wider header when keys are added, the record's own header stays."""
        inner = {f"k{number}": number for number in range(15)}
        record = msgpack.packb({"sip": inner, "sip_code": 486})
        enriched = SHORT.enrich_msgpack(record)
        assert enriched.startswith(b"\x82" + SIP + b"\xde\x00\x10")
        assert unpack(enriched) == {"sip": {**inner, "code": 486}, "sip_code": 486}

    @pytest.mark.parametrize("value", [1, "x", None, [{}], b"{}", 1.5])
    def test_conflict(self, value: Any) -> None:
        """A target that holds no map is left as it is, and so is the record; it is told apart."""
        record = msgpack.packb({**CALL, "sip": value})
        enriched = ENRICHER.process_msgpack(record)
        assert (enriched.record, enriched.conflict) == (record, True)

    def test_bin_target(self) -> None:
        """A target key that is BIN is the same key."""
        record = msgpack.packb({b"sip": {b"code": 1}, "sip_code": 486})
        assert unpack(SHORT.enrich_msgpack(record)) == {b"sip": {b"code": 486}, "sip_code": 486}

    def test_flat_keys_that_are_there(self) -> None:
        """With flat keys, those that are there are not touched, and one that has our match gets none."""
        enriched = unpack(FLAT.enrich_msgpack(msgpack.packb({**CALL, "sip_outcome": 1})))
        assert enriched["sip_outcome"] == 1
        assert enriched["sip_match"] == "reason"
        once = FLAT.enrich_msgpack(msgpack.packb({"sip_code": 200}))
        assert FLAT.enrich_msgpack(once) == once


class TestErrors:
    @pytest.mark.parametrize(
        ("record", "kind"),
        [
            (b"", "not_msgpack"),
            (b"\x81\xa1a", "not_msgpack"),
            (b"\x81\xa1a\x01\x01", "not_msgpack"),
            (b"\xc1", "not_msgpack"),
            (b"\x01", "not_map"),
            (b"\x91\x80", "not_map"),
            (msgpack.packb("x"), "not_map"),
            (b"\xdf\xff\xff\xff\xff", "not_msgpack"),
            (b"\x81\xa1\xff", "not_msgpack"),
        ],
    )
    def test_invalid(self, record: bytes, kind: str) -> None:
        """Bytes that are no single map raise InvalidRecord with a kind and a sentence."""
        with pytest.raises(InvalidRecord, match=r"^expected a MessagePack map: .") as raised:
            ENRICHER.enrich_msgpack(record)
        assert raised.value.kind == kind

    def test_deep(self) -> None:
        """A record of 100 000 levels is refused, one of 500 is enriched."""
        form = b"\x82" + msgpack.packb("sip_code") + b"\xcd\x01\xe6" + msgpack.packb("x") + b"%b\x01"
        assert SHORT.enrich_msgpack(form % (b"\x91" * 500)).endswith(ADDED)
        with pytest.raises(InvalidRecord, match="expected MessagePack that is not nested so deeply") as raised:
            SHORT.enrich_msgpack(form % (b"\x91" * 100_000))
        assert raised.value.kind == "too_deep"

    def test_readers_agree(self) -> None:
        """What is added is read the same by both libraries."""
        enriched = ENRICHER.enrich_msgpack(msgpack.packb(CALL))
        assert msgspec.msgpack.decode(enriched) == unpack(enriched) == ENRICHER.enrich(CALL)
