"""Properties that hold for all records: one comes out for each, bytes stay, and all paths say the same."""

import json
from collections import Counter
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st
from records import POOL, codes, objects, strangers

from enricher import Enricher, InvalidRecord, custom_profile
from enricher.added import NOTHING
from enricher.blocks import Blocks

NESTED = Enricher()
FLAT = Enricher(flat=True)
ENRICHERS = [
    NESTED,
    FLAT,
    Enricher(target="meaning", fields=("code", "match"), guess=True),
    Enricher(flat=True, target="call", fields=("reason", "outcome")),
    Enricher(profiles=["kamailio", "generic"]),
    Enricher(custom=custom_profile("a.b", "a.c", "d")),
]
either = st.sampled_from(ENRICHERS)
any_of_them = st.sampled_from([*ENRICHERS, Enricher(ecs=True), Enricher(ecs=True, flat=True)])


@st.composite
def spelled(draw: st.DrawFn) -> bytes:
    """Draw the JSON text of a record in one of many spellings, sometimes with a duplicate key."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r")]))
    record = draw(objects)
    line = json.dumps(record, ensure_ascii=draw(st.booleans()), separators=separators).encode(errors="replace")
    if draw(st.booleans()) and record:
        key = draw(st.sampled_from([*record, "sip_code"]))
        line = b"{%b:%b,%b" % (json.dumps(key).encode(), json.dumps(draw(codes)).encode(), line[1:])
    return line


valid = st.sampled_from(POOL) | spelled()
blank = st.sampled_from([b"", b" ", b"\t", b"\r", b" \r", b"\x0b"])
spaced = st.builds(lambda a, line, b: a + line + b, blank.filter(bytes.isspace) | st.just(b""), valid, blank)
invalid = st.one_of(
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"[1]", b"null", b"{", b'{"a":1}}', b'{"a":1,}', b'{"sip_code":486', b'{"a":"\xff"}', b"{'a':1}"]),
    valid.map(lambda line: line[:-1]),
    valid.map(lambda line: line + b"x"),
)
lines = st.one_of(valid, valid, valid, spaced, invalid, blank)


def rejected(line: bytes, place: int, error: InvalidRecord) -> bytes:
    """Return what stands for a line that is no record: its place, so that a wrong one is noticed."""
    return b"!%d %b\n" % (place, error.kind.encode())


def by_record(enricher: Enricher, block: list[bytes]) -> bytes:
    """Return what the record path makes of the lines."""
    written = []
    for place, line in enumerate(block):
        if not line.strip():
            continue
        try:
            written.append(enricher.enrich_json(line) + b"\n")
        except InvalidRecord as error:
            written.append(rejected(line, place, error))
    return b"".join(written)


def joined(block: list[bytes]) -> bytes:
    """Return the lines as a block."""
    return b"".join(line + b"\n" for line in block)


def unpack(record: bytes) -> Any:
    """Return the MessagePack value."""
    return msgspec.msgpack.decode(record)


class TestRecord:
    @given(either, valid | spaced)
    def test_addition_is_all(self, enricher: Enricher, line: bytes) -> None:
        """Taking away what was added gives back the bytes that came in."""
        try:
            record, added, conflict = enricher.process_json(line)
        except InvalidRecord:
            assume(False)
        if not added.count or conflict:
            assert record == line
            return
        taken = (
            [f"{enricher.target}_{key}" for key in (*enricher.fields, "match")] if enricher.flat else [enricher.target]
        )
        assume(not set(taken) & json.loads(line).keys())
        at = record.rindex(added.json)
        assert record[:at] + record[at + len(added.json) :] == line
        assert record[at + len(added.json) :].strip() == b"}"

    @given(any_of_them, objects, st.data())
    def test_twice_is_once_in_json(self, enricher: Enricher, record: dict[str, Any], data: st.DataObject) -> None:
        """Enriching what was enriched changes nothing."""
        once = enricher.enrich_json(json.dumps(record, indent=data.draw(st.sampled_from([None, 1]))).encode())
        assert enricher.enrich_json(once) == once

    @given(any_of_them, objects)
    def test_twice_is_once_in_msgpack(self, enricher: Enricher, record: dict[str, Any]) -> None:
        """Enriching what was enriched changes nothing in MessagePack either."""
        once = enricher.enrich_msgpack(packed(record))
        assert enricher.enrich_msgpack(once) == once

    @given(any_of_them, objects)
    def test_all_forms_agree(self, enricher: Enricher, record: dict[str, Any]) -> None:
        """A dict, its JSON and its MessagePack gain the same, and stay the same beside it."""
        from_json = json.loads(enricher.enrich_json(json.dumps(record).encode()))
        assert list(from_json.items()) == list(enricher.enrich(record).items())
        assume(fits_msgpack(record))
        assert unpack(enricher.enrich_msgpack(packed(record))) == from_json

    @given(any_of_them, objects)
    def test_argument_is_left_alone(self, enricher: Enricher, record: dict[str, Any]) -> None:
        """The dict that is enriched is not changed, at no depth."""
        before = json.dumps(record)
        enricher.enrich(record)
        assert json.dumps(record) == before

    @given(any_of_them, st.binary(max_size=60))
    def test_any_msgpack_bytes(self, enricher: Enricher, data: bytes) -> None:
        """Bytes that are no MessagePack map are refused with InvalidRecord and with nothing else."""
        try:
            enricher.enrich_msgpack(data)
        except InvalidRecord:
            pass


def fits_msgpack(value: Any) -> bool:
    """Return whether MessagePack has all these numbers and texts."""
    try:
        msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return False
    return True


def packed(record: dict[str, Any]) -> bytes:
    """Return the record as MessagePack; one with a number or text that it lacks is not drawn."""
    assume(fits_msgpack(record))
    return msgspec.msgpack.encode(record)


# A plan is learned from 16 lines on, and a cache needs equal lines to be of use.
blocks = st.lists(lines, min_size=1, max_size=12).flatmap(
    lambda few: st.lists(st.sampled_from(few), min_size=1, max_size=60)
)
LONG_LIVED = {id(enricher): Blocks(enricher, rejected) for enricher in ENRICHERS}


class TestBlocks:
    @given(either, st.lists(blocks, min_size=1, max_size=3))
    def test_block_path_is_record_path(self, enricher: Enricher, stream: list[list[bytes]]) -> None:
        """Blocks of any lines come out as from the record path, with a plan that is new or one that has seen a lot."""
        fresh = Blocks(enricher, rejected)
        for block in stream:
            expected = by_record(enricher, block)
            assert fresh.enrich(joined(block)) == expected
            assert LONG_LIVED[id(enricher)].enrich(joined(block)) == expected

    @given(either, st.lists(valid, min_size=1, max_size=6), st.lists(lines, max_size=6), st.randoms())
    def test_learned_plan(self, enricher: Enricher, learned: list[bytes], odd: list[bytes], random: Any) -> None:
        """A plan that was learned from some records does other lines no harm."""
        path = Blocks(enricher, rejected)
        for _ in range(3):
            block = learned * 16 + odd
            random.shuffle(block)
            assert path.enrich(joined(block)) == by_record(enricher, block)

    @given(either, blocks, st.data())
    def test_cut_anywhere(self, enricher: Enricher, block: list[bytes], data: st.DataObject) -> None:
        """It does not matter into which blocks the lines are cut."""
        at = data.draw(st.integers(0, len(block)))
        whole, parts = Blocks(enricher, lambda *_: b"!\n"), Blocks(enricher, lambda *_: b"!\n")
        expected = whole.enrich(joined(block))
        assert parts.enrich(joined(block[:at])) + parts.enrich(joined(block[at:])) == expected

    @given(either, blocks)
    def test_one_in_one_out(self, enricher: Enricher, block: list[bytes]) -> None:
        """Each line that is not blank gives one line."""
        written = Blocks(enricher, rejected).enrich(joined(block))
        assert written.count(b"\n") == sum(1 for line in block if line.strip())
        assert not written or written.endswith(b"\n")

    @given(either, st.lists(blocks, min_size=1, max_size=3))
    def test_counts(self, enricher: Enricher, stream: list[list[bytes]]) -> None:
        """The tally counts each line once, and each addition as often as the record path makes it."""
        path = Blocks(enricher, rejected)
        expected: Counter[Any] = Counter()
        blank = bad = conflicts = 0
        for block in stream:
            path.enrich(joined(block))
            for line in block:
                if not line.strip():
                    blank += 1
                    continue
                try:
                    enriched = enricher.process_json(line)
                except InvalidRecord:
                    bad += 1
                else:
                    expected[enriched.added] += 1
                    conflicts += enriched.conflict
        tally = path.counted()
        assert (tally.lines, tally.blank, tally.invalid) == (sum(map(len, stream)), blank, bad)
        assert (+tally.added, tally.conflicts) == (+expected, conflicts)

    @given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=40))
    def test_any_bytes(self, block: list[bytes]) -> None:
        """Any bytes at all give one line for each that is not blank, and never an error."""
        for path in (LONG_LIVED[id(NESTED)], Blocks(NESTED, rejected)):
            assert path.enrich(joined(block)) == by_record(NESTED, block)

    @given(st.lists(strangers, min_size=1, max_size=20))
    def test_strangers(self, records: list[dict[str, Any]]) -> None:
        """Records that are no call logs keep every byte."""
        block = [json.dumps(record).encode() for record in records]
        assume(all(NESTED.process_json(line).added is NOTHING for line in block))
        assert Blocks(NESTED, rejected).enrich(joined(block)) == joined(block)
