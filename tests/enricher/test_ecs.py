"""Fields of the Elastic Common Schema: which ones are added, with which values, and what they leave alone."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from records import POOL, objects

from enricher import Enricher, InvalidRecord, Profile, SettingsError, load_catalog
from enricher.blocks import Blocks
from enricher.ecs import DATASET, FIELDS, VERSION
from enricher.msgpack_blocks import MsgpackBlocks
from enricher.profiles import builtin_profiles

NESTED = Enricher(ecs=True)
FLAT = Enricher(ecs=True, flat=True)
GROUPS = ("ecs", "network", "event")
CALL = {"sip_code": 486, "sip_reason": "Busy Here", "disconnect_initiator": "destination"}
EVENT = {
    "kind": "event",
    "category": ["network"],
    "type": ["connection", "end"],
    "dataset": DATASET,
    "outcome": "failure",
    "code": "486",
    "reason": "Busy Here",
}
ADDED = {"ecs": {"version": VERSION}, "network": {"protocol": "sip"}, "event": EVENT}

# elastic.co/docs/reference/ecs: the values that ECS allows, and the types that go with the category network.
OUTCOMES = {"success", "failure", "unknown"}
TYPES = {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"}


def enriched(record: dict[str, Any], enricher: Enricher = NESTED) -> dict[str, Any]:
    """Return a record enriched, the same as dict, JSON and MessagePack."""
    found: dict[str, Any] = json.loads(enricher.enrich_json(json.dumps(record).encode()))
    assert enricher.enrich(record) == found
    assert msgspec.msgpack.decode(enricher.enrich_msgpack(msgspec.msgpack.encode(record))) == found
    return found


def gained(record: dict[str, Any], enricher: Enricher = NESTED) -> dict[str, Any]:
    """Return what a record has in the keys of ECS."""
    return {key: value for key, value in enriched(record, enricher).items() if key in GROUPS}


def event(record: dict[str, Any], enricher: Enricher = NESTED) -> dict[str, Any]:
    """Return what a record has in `event`."""
    found: dict[str, Any] = gained(record, enricher)["event"]
    return found


def must_not_fail(line: bytes, place: int, error: InvalidRecord) -> bytes:
    """Fail for a record that cannot be read."""
    raise AssertionError(line, place, error)


class TestValues:
    def test_a_call(self) -> None:
        """A call log gains the fields beside our own object, and nothing without the option."""
        assert enriched(CALL) == CALL | {"sip": Enricher().enrich(CALL)["sip"]} | ADDED
        assert not Enricher().enrich(CALL).keys() & set(GROUPS)

    def test_all_fields_occur(self) -> None:
        """Each field that the documentation tells of is added to some example of a profile."""
        found = {
            f"{group}.{key}"
            for profile in builtin_profiles()
            for text in profile.example
            for group, members in gained(json.loads(text)).items()
            for key in members
        }
        assert found >= set(FIELDS)
        assert found - set(FIELDS) == {"event.action"}  # Packetbeat's own

    @given(objects)
    def test_allowed_values(self, record: dict[str, Any]) -> None:
        """What is added are values and types that ECS allows."""
        assume(not record.keys() & {*GROUPS, *FIELDS})
        found = NESTED.enrich(record)
        assume(found.keys() & set(GROUPS))
        assert (found["ecs"], found["network"]) == (ADDED["ecs"], ADDED["network"])
        added = found["event"]
        assert added["category"] == ["network"]
        assert set(added["type"]) <= TYPES
        assert added.get("outcome", "unknown") in OUTCOMES
        assert isinstance(added.get("code", ""), str)
        assert added.get("duration", 0) >= 0

    @pytest.mark.parametrize("outcome", load_catalog().outcomes.values(), ids=lambda outcome: outcome.name)
    def test_outcomes(self, outcome: Any) -> None:
        """Each outcome is a success, a failure or none of both; only a call that was hung up is a success."""
        assert (outcome.ecs == "success") == (outcome.name == "answered")
        assert (outcome.ecs == "") == (outcome.name in ("redirected", "challenged", "provisional"))

    @pytest.mark.parametrize(
        ("code", "reason", "initiator", "expected"),
        [
            (200, "Bye", "caller", "success"),
            (200, "Rtp timeout", "system", "failure"),
            (200, "Never heard of", "system", "failure"),
            (302, None, "destination", None),
            (399, None, None, None),
            (401, None, "destination", None),
            (480, None, "system", "failure"),
            (403, None, None, "failure"),
            (499, None, None, "failure"),
            (699, None, None, "failure"),
            ("none", "Unheard of", None, "unknown"),
        ],
    )
    def test_outcome(self, code: Any, reason: str | None, initiator: str | None, expected: str | None) -> None:
        """Of codes whose rows cannot be told apart each is a failure; without a code nothing is known."""
        found = event({"sip_code": code, "sip_reason": reason, "disconnect_initiator": initiator})
        assert found.get("outcome") == expected
        assert found["type"] == ["connection", "end"]

    def test_unknown_outcome(self) -> None:
        """A 200 may be a hang-up or a lost call: where that cannot be told, the outcome is unknown."""
        record = {"call_status": "completed", "sip_status": 200, "call_termination_by": "jambonz"}
        assert "outcome" not in enriched(record)["sip"]
        assert event(record)["outcome"] == "unknown"

    @pytest.mark.parametrize("code", [100, 183, 199, 150])
    def test_interim(self, code: int) -> None:
        """An interim reply ends nothing."""
        found = event({"sip_code": code})
        assert "outcome" not in found
        assert (found["type"], found["code"]) == (["info", "protocol"], str(code))

    def test_requests(self) -> None:
        """A record of one INVITE does not say that the call has ended, one of another method nothing about the call."""
        record = {"method": "INVITE", "sip_code": "200", "sip_reason": "OK", "time": 1769940009}
        assert event(record)["type"] == ["connection", "protocol"]
        assert event(record)["outcome"] == "success"
        other = event(record | {"method": "BYE"})
        assert other["type"] == ["info", "protocol"]
        assert "outcome" not in other

    def test_no_code(self) -> None:
        """Without a code that can be read there is none, and no reason."""
        assert event({"sip_code": "?"}).keys() == {"kind", "category", "type", "dataset", "outcome"}

    def test_strangers(self) -> None:
        """A record that is no call log gains nothing."""
        assert enriched({"status": 404}) == {"status": 404}

    def test_few_fields(self) -> None:
        """The fields of ECS do not depend on which of our own are chosen, not even if the record has none of them."""
        enricher = Enricher(ecs=True, fields=["initiator"])
        assert enriched({"sip_code": 486}, enricher)["event"]["reason"] == "Busy Here"
        assert "sip" not in enriched({"sip_code": 404.5}, enricher)
        assert event({"sip_code": 404.5}, enricher)["outcome"] == "unknown"


class TestTimes:
    def times(self, **members: Any) -> dict[str, Any]:
        """Return start, end and duration of a record with some more members."""
        found = event({"disconnect_initiator": 1, "internal_disconnect_code": 480, **members})
        return {key: value for key, value in found.items() if key in ("start", "end", "duration")}

    def test_start_and_end(self) -> None:
        """The duration is what lies between start and end, in nanoseconds."""
        assert self.times(time_start="2026-02-01 10:00:00.1", time_end="2026-02-01T12:00:09.25+02:00") == {
            "start": "2026-02-01T10:00:00.100Z",
            "end": "2026-02-01T10:00:09.250Z",
            "duration": 9_150_000_000,
        }

    def test_talk_time_is_no_duration(self) -> None:
        """What a platform bills is not how long the event took: without an end there is no duration."""
        assert self.times(time_start="2026-02-01 10:00:00", duration=61) == {"start": "2026-02-01T10:00:00Z"}

    def test_end_before_start(self) -> None:
        """Clocks that contradict each other give no duration."""
        assert "duration" not in self.times(time_start="2026-02-01 10:00:09", time_end="2026-02-01 10:00:00")

    @pytest.mark.parametrize(
        ("count", "text"),
        [
            ("1769940009", "2026-02-01T10:00:09Z"),
            ("1769940009.5", "2026-02-01T10:00:09.500Z"),
            ("1769940009.000001", "2026-02-01T10:00:09.000001Z"),
            ("1769940009.000000001", "2026-02-01T10:00:09.000000001Z"),
            ("1769940009.1230000000", "2026-02-01T10:00:09.123Z"),
        ],
    )
    def test_digits(self, count: str, text: str) -> None:
        """A time is written in UTC, with as many thousandths as it needs; a number's own digits are kept."""
        record = b'{"uid":"C","seq":"1 INVITE","status_code":486,"ts":%b}' % count.encode()
        assert json.loads(NESTED.enrich_json(record))["event"]["start"] == text
        assert event({"seq": "1 INVITE", "status_code": 486, "ts": count})["start"] == text

    def test_own_duration(self) -> None:
        """Asterisk's times say no zone, but how long the whole call took; FreeSWITCH tells it in two units."""
        assert event({"lastapp": "Dial", "disposition": "BUSY", "start": "2026-02-01 10:00:00", "duration": 9}) == (
            event({"lastapp": "Dial", "disposition": "BUSY"}) | {"duration": 9_000_000_000}
        )
        variables = {"hangup_cause": "USER_BUSY", "duration": "7"}
        assert event({"variables": variables})["duration"] == 7_000_000_000
        assert event({"variables": variables | {"mduration": "7150"}})["duration"] == 7_150_000_000

    def test_escaped(self) -> None:
        """A text that is written with percent signs is read as it was meant."""
        builtin = next(profile for profile in builtin_profiles() if profile.name == "freeswitch")
        local = msgspec.structs.replace(builtin, zone="UTC")
        record = {"variables": {"hangup_cause": "USER_BUSY", "end_stamp": "2026-02-01%2010%3A00%3A09"}}
        assert event(record, Enricher(ecs=True, custom=local))["end"] == "2026-02-01T10:00:09Z"
        assert "end" not in event(record)


class TestWhatIsThere:
    @given(st.sampled_from([NESTED, FLAT]), objects | st.sampled_from(POOL).map(json.loads))
    def test_members_stay(self, enricher: Enricher, record: dict[str, Any]) -> None:
        """No member of a record changes or goes, be it in an object with a key of ECS or anywhere else."""
        found = enricher.enrich(record)
        for key, value in record.items():
            if key == "sip":
                continue  # our own
            inner = value if isinstance(value, dict) and key in GROUPS else {}
            assert found[key] == value or (inner and inner.items() <= found[key].items()) or value == {}

    @given(
        st.sampled_from([NESTED, FLAT]),
        st.sampled_from([line for line in POOL if not json.loads(line).keys() & {"sip", "event"}]),
    )
    def test_bytes_stay(self, enricher: Enricher, line: bytes) -> None:
        """All bytes of a record stay where they are and are followed by what is added."""
        found = enricher.enrich_json(line)
        assert found == line or (found.startswith(line[:-1] + b",") and found.endswith(b"}}"))

    def test_object(self) -> None:
        """An object that is there gains the members that it has not."""
        own = {"outcome": None, "duration": "9 s", "mine": [1]}
        assert gained(CALL | {"event": own, "network": {}, "ecs": {"version": "1.0"}}) == {
            "event": EVENT | own,
            "network": {"protocol": "sip"},
            "ecs": {"version": "1.0"},
        }

    def test_dotted(self) -> None:
        """A field with a dot in its key is there; the others are added beside it."""
        record = CALL | {"event.outcome": "mine", "ecs.version": "1.0", "event": {"code": 5}}
        found = enriched(record)
        assert found["event"] == {key: value for key, value in (EVENT | {"code": 5}).items() if key != "outcome"}
        assert "ecs" not in found
        assert found["event.outcome"] == "mine"

    @pytest.mark.parametrize("value", ["hangup", 1, None, [], [{}]])
    def test_no_object(self, value: Any) -> None:
        """A key of ECS that holds no object stays as it is, and the other keys are added."""
        assert gained(CALL | {"event": value}) == ADDED | {"event": value}

    def test_conflict(self) -> None:
        """A record whose target key holds no object is left as it is altogether."""
        record = CALL | {"sip": "there"}
        assert enriched(record) == record
        assert NESTED.process_json(json.dumps(record).encode()).conflict

    def test_enriched_flat_before(self) -> None:
        """A record that was enriched flat before gains nothing: its `sip_code` may be ours."""
        once = Enricher(flat=True).enrich({"variables": {"hangup_cause": "USER_BUSY"}})
        assert enriched(once, FLAT) == once

    def test_profile_that_reads_a_field(self) -> None:
        """What a profile reads is not added: enriched twice, it would be read as the record's."""
        fields: dict[str, Any] = {"name": "mine", "title": "", "source": "", "rank": 1, "platform": True, "example": ()}
        reads = Profile(**fields, code=("c",), reason=("event.reason",), initiator=("network",), time=("event.end.x",))
        enricher = Enricher(ecs=True, custom=reads)
        found = gained({"c": 486}, enricher)
        assert found == {"ecs": ADDED["ecs"], "event": {key: EVENT[key] for key in EVENT if key != "reason"}}

    def test_profile_that_reads_an_object(self) -> None:
        """A key that a profile reads as a whole is not added at all."""
        fields: dict[str, Any] = {"name": "mine", "title": "", "source": "", "rank": 1, "platform": True, "example": ()}
        reads = Profile(**fields, code=("c",), reason=("event",), start=("t",))
        assert gained({"c": 486, "t": 1769940009}, Enricher(ecs=True, custom=reads)).keys() == {"ecs", "network"}

    @pytest.mark.parametrize("key", GROUPS)
    def test_target(self, key: str) -> None:
        """Our own object cannot have a key of ECS beside them."""
        with pytest.raises(SettingsError) as caught:
            Enricher(ecs=True, target=key)
        assert caught.value.problems == (f"target: expected another key than ECS's ecs, event, network, got {key!r}",)
        assert enriched(CALL, Enricher(ecs=True, target=key, flat=True))[f"{key}_code"] == 486
        assert Enricher(target=key).enrich(CALL)[key]["code"] == 486


class TestBlocks:
    @pytest.mark.parametrize("enricher", [NESTED, FLAT], ids=["nested", "flat"])
    def test_lines(self, enricher: Enricher) -> None:
        """Blocks of lines become what each line becomes alone, and are counted."""
        lines = [line for line in POOL if len(line) < 4000][:500]
        blocks = Blocks(enricher, must_not_fail)
        for _ in range(2):
            found = blocks.enrich(b"".join(line + b"\n" for line in lines))
            assert found == b"".join(enricher.enrich_json(line) + b"\n" for line in lines)
        assert sum(blocks.counted().added.values()) == blocks.counted().lines == 2 * len(lines)

    @pytest.mark.parametrize("enricher", [NESTED, FLAT], ids=["nested", "flat"])
    def test_msgpack(self, enricher: Enricher) -> None:
        """So do blocks of MessagePack."""
        records = [msgspec.msgpack.encode(json.loads(line)) for line in POOL[:500]]
        blocks = MsgpackBlocks(enricher, must_not_fail)
        for _ in range(2):
            assert blocks.enrich(records) == b"".join(map(enricher.enrich_msgpack, records))
