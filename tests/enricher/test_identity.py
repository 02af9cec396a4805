"""Identities: what tells records apart, and when they happened."""

import json
from collections import defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from identities import encoded, identified, learned, reference
from records import CASES

from enricher import Enricher, Profile, custom_profile
from enricher.identities import NOBODY, Identities
from enricher.identity import Identity
from enricher.profiles import Profiles, Reader, builtin_profiles
from enricher.times import read_time

AUTO = Enricher()
END = read_time("2026-02-01T10:00:09Z")
TAG = "10-04336EB9-5DBAF4AA000E6DDB-6A41F70"

# What each example of each profile says: id, attempt, time, call.
EXAMPLES: dict[str, list[tuple[str | None, str | None, str | None, str | None]]] = {
    "kamailio": [
        ("c3@192.0.2.1|a1|b1|INVITE|486|1769940009", None, "2026-02-01T10:00:09Z", "c3@192.0.2.1"),
        ("c4@192.0.2.1|1769940000.439|1769940009.439|403", None, "2026-02-01T10:00:09.439Z", "c4@192.0.2.1"),
    ],
    "asterisk": [
        (f"1769940000.{number}|PJSIP/t-01|PJSIP/u-02|2026-02-01 10:00:00|{rest}", None, None, f"1769940000.{number}")
        for number, rest in enumerate(
            [
                "2026-02-01 10:00:09|Dial|BUSY",
                "2026-02-01 10:00:09|Dial|NO ANSWER",
                "2026-02-01 10:01:05|Dial|ANSWERED",
            ],
            1,
        )
    ],
    "asterisk-cel": [
        (f"1769940000.{number}|2026-02-01 10:00:09|PJSIP/t-01", None, None, f"1769940000.{number}") for number in (1, 2)
    ],
    "generic": [
        (None, None, None, "c3@192.0.2.1"),
        (None, None, None, "0c9a1a3e-0000-4e7b-8f0f-2a1b3c4d5e6f"),
        (None, None, None, None),
    ],
    "generic-shared": [(None, None, None, "0c9a1a3e-0000-4e7b-8f0f-2a1b3c4d5e70"), (None, None, None, "c7")],
    "yeti": [
        ("1200345|2026-02-01T10:00:00.100Z", "1", "2026-02-01T10:00:20.100Z", None),
        (None, None, None, "8-4B02C5A1-65BB5D8A000C3F12-9A1B2700"),
    ],
    "didww-inbound": [
        (
            "3d6af8ac-0000-11ea-bc9d-005056845b1e|1",
            "1",
            "2026-02-01T10:00:00.120Z",
            "3d6af8ac-0000-11ea-bc9d-005056845b1e",
        ),
        (f"{TAG}0|2019-11-05 10:00:00.100000|1", "1", "2019-11-05T10:01:05.300Z", f"{TAG}0"),
    ],
    "didww-outbound": [
        ("1c3f702a-0000-11ea-bc9c-005056845b1e", None, "2026-02-01T10:00:09Z", "1c3f702a-0000-11ea-bc9c-005056845b1e"),
    ],
    "didww-csv": [
        (None, None, "2017-10-01T10:00:00Z", None),
        (None, None, "2020-03-01T10:00:09Z", None),
        (f"{TAG}0|1", "1", "2026-04-20T10:00:01Z", f"{TAG}0"),
        (None, None, "2026-04-20T10:01:05Z", None),
        (f"{TAG}1|2", "2", "2026-04-20T10:00:30Z", f"{TAG}1"),
    ],
    "freeswitch": [
        ("0c9a1a3e-0000-4e7b-8f0f-2a1b3c4d5e6f", None, "2026-02-01T10:00:09Z", "c3@192.0.2.1"),
        ("0c9a1a3e-0000-4e7b-8f0f-2a1b3c4d5e70", None, "2026-02-01T10:00:09Z", "0c9a1a3e-0000-4e7b-8f0f-2a1b3c4d5e70"),
    ],
    "opensips": [
        (
            "c3@192.0.2.1|a1|b1|E_ACC_MISSED_EVENT|INVITE|480|1769940009|1769940004",
            None,
            "2026-02-01T10:00:09Z",
            "c3@192.0.2.1",
        ),
        ("c4@192.0.2.1|a1|b1|E_ACC_CDR|INVITE|200|1769940009|1769939943", None, "2026-02-01T10:00:09Z", "c4@192.0.2.1"),
    ],
    "telnyx": [
        ("0ccc7b54-0000-4a9c-9b0e-1a2b3c4d5e6f", None, "2026-02-01T10:00:09Z", "428c31b6-0000-11ea-a3a1-02420a0f0a69"),
        ("v3:c4|no-answer|487", None, None, "v3:c4"),
    ],
    "twilio": [
        ("CA00000000000000000000000000000001|busy|486", None, None, "CA00000000000000000000000000000001"),
        ("CA00000000000000000000000000000002|busy", None, None, "CA00000000000000000000000000000002"),
        (
            "EZ00000000000000000000000000000003|CA00000000000000000000000000000003",
            None,
            None,
            "CA00000000000000000000000000000003",
        ),
    ],
    "jambonz": [
        ("5a3e0000-0000-4c56-8c3e-0a1b2c3d4e5f|no-answer|487", None, None, "c3@192.0.2.1"),
        ("5a3e0000-0000-4c56-8c3e-0a1b2c3d4e60|busy|486", None, None, "c4@192.0.2.1"),
        ("5a3e0000-0000-4c56-8c3e-0a1b2c3d4e61|completed|200", None, None, "5a3e0000-0000-4c56-8c3e-0a1b2c3d4e61"),
    ],
    "bandwidth": [("c-00000000-0001|INCOMPLETE|486", None, None, "c-00000000-0001")],
    "packetbeat": [
        (
            "c3@192.0.2.1|2026-02-01T10:00:09Z|192.0.2.2|5060|192.0.2.1|5060|1|INVITE|486",
            None,
            "2026-02-01T10:00:09Z",
            "c3@192.0.2.1",
        ),
    ],
    "zeek": [
        ("Cx1|1769940009.1|0|c3@192.0.2.1|1 INVITE|486|Busy Here", None, "2026-02-01T10:00:09.1Z", "c3@192.0.2.1"),
    ],
    "heplify": [
        (
            "c3@192.0.2.1|2026-02-01T11:00:09.123456+01:00|192.0.2.1|5060|192.0.2.2|5060|486|2001",
            None,
            "2026-02-01T10:00:09.123456Z",
            "c3@192.0.2.1",
        ),
    ],
}


class TestProfiles:
    def test_all_have_expectations(self) -> None:
        """There is an expectation for each example of each profile."""
        assert {name: len(found) for name, found in EXAMPLES.items()} == {
            profile.name: len(profile.example) for profile in builtin_profiles()
        }

    @pytest.mark.parametrize("profile", builtin_profiles(), ids=lambda profile: profile.name)
    def test_examples(self, profile: Profile) -> None:
        """Each example has the id, the attempt, the time and the call that it says; enriched, it has the same."""
        flat = Enricher(flat=True)
        for text, (found, attempt, time, call) in zip(profile.example, EXAMPLES[profile.name], strict=True):
            record = text.encode()
            expected = Identity(
                found, attempt, read_time(time), b'"@timestamp"' in record, profile=profile.name, call=call
            )
            for enricher in (AUTO, flat, Enricher(ecs=True)):
                assert identified(enricher, record) == expected
                assert identified(enricher, enricher.enrich_json(record)) == expected
                assert reference(enricher, enricher.enrich_json(record)) == expected

    @pytest.mark.parametrize("name", ["relay-acc", "relay-cdr"])
    def test_relay(self, name: str) -> None:
        """Of a real relay's records only those that are equal byte for byte share an id, and each has a time."""
        by_id = defaultdict(set)
        for line in (CASES / "kamailio" / f"{name}.jsonl").read_bytes().splitlines():
            identity = identified(AUTO, line)
            assert identity.id
            assert identity.time
            by_id[identity.id].add(line)
        assert len(by_id) > 400
        assert all(len(lines) == 1 for lines in by_id.values())

    def test_transaction_and_call(self) -> None:
        """The transaction of a call and the call itself have different ids and the same call."""
        transaction, call = (identified(AUTO, text.encode()) for text in builtin_profiles()[0].example)
        same = identified(AUTO, builtin_profiles()[0].example[1].replace("c4@", "c3@").encode())
        assert same.call == transaction.call != call.call
        assert len({transaction.id, call.id, same.id}) == 3

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("kamailio", {"method": "BYE"}),
            ("kamailio", {"sip_code": "487"}),
            ("kamailio", {"time": 1769940010}),
            ("kamailio", {"to_tag": ""}),
            ("kamailio", {"dst_user": "1", "dst_domain": "192.0.2.7"}),
            ("asterisk", {"dstchannel": "PJSIP/u-03"}),
            ("asterisk", {"sequence": "4"}),
            ("opensips", {"method": "E_ACC_CDR"}),
            ("twilio", {"SequenceNumber": "2"}),
            ("jambonz", {"call_status": "ringing"}),
            ("packetbeat", {"@timestamp": "2026-02-01T10:00:09.001Z"}),
            ("zeek", {"trans_depth": 1}),
            ("zeek", {"status_code": 180}),
            ("heplify", {"NodeID": 2002}),
        ],
    )
    def test_records_of_one_call(self, name: str, change: dict[str, Any]) -> None:
        """Records of one call that differ in what tells them apart have different ids."""
        example = json.loads(next(profile.example[0] for profile in builtin_profiles() if profile.name == name))
        one, other = identified(AUTO, encoded(**example)), identified(AUTO, encoded(**example | change))
        assert one.id
        assert other.id
        assert one.id != other.id
        assert one.call == other.call

    def test_several_attempts(self) -> None:
        """Two attempts of one call share the call and not the id."""
        first = json.loads(builtin_profiles()[4].example[0])
        assert "routing_attempt" in first["attributes"]
        second = first | {"attributes": first["attributes"] | {"routing_attempt": 2}}
        one, other = identified(AUTO, encoded(**first)), identified(AUTO, encoded(**second))
        assert (one.call, one.attempt, other.attempt) == (other.call, "1", "2")
        assert one.id != other.id

    def test_in_doubt(self) -> None:
        """A record that does not hold all that tells it apart has no id: two of them might be two calls."""
        assert identified(AUTO, b'{"sip_code":486,"id":5}').id is None
        assert (
            identified(AUTO, b'{"sip_code":486,"id":5,"end_time":"2026-02-01 10:00:09"}').id == "5|2026-02-01 10:00:09"
        )
        assert identified(AUTO, b'{"sip_code":486,"id":"","end_time":1}').id is None
        assert identified(AUTO, b'{"sip_code":486,"id":null,"end_time":1}').id is None
        assert identified(AUTO, b'{"sip_code":486,"id":{},"end_time":[]}').id is None

    def test_zone_of_a_server(self) -> None:
        """Asterisk's times say no zone: they are read by a profile that knows it."""
        builtin = next(profile for profile in builtin_profiles() if profile.name == "asterisk")
        record = builtin.example[0].encode()
        local = msgspec.structs.replace(builtin, zone="Europe/Riga")
        identities = Identities(Profiles([Reader(local)]), lambda text, platform: False)
        assert identified(AUTO, record).time is None
        assert identified(identities, record).time == read_time("2026-02-01T08:00:09Z")

    def test_custom_profile(self) -> None:
        """Paths given as options find a record whose time and id have plain names."""
        enricher = Enricher(custom=custom_profile("c"))
        found = identified(enricher, b'{"c":486,"uuid":"u1","time":1769940009,"call_id":"c3"}')
        assert found == Identity("u1|1769940009", None, END, profile="custom", call="c3")


class TestIds:
    @given(st.lists(st.lists(st.text("a|%72C5", max_size=4), min_size=3, max_size=3), min_size=2, max_size=2))
    def test_bars(self, pair: list[list[str]]) -> None:
        """No two lists of values give the same id, whatever stands in them."""
        template = {"start_time": "", "end_time": "", "sip_code": "", "hangup_by": "proxy", "callid": "c"}
        keys = ["start_time", "end_time", "sip_code"]
        one, other = (identified(AUTO, encoded(**template | dict(zip(keys, values, strict=True)))) for values in pair)
        assert one.id
        assert (one.id == other.id) == (pair[0] == pair[1])

    def test_bars_of_each_kind(self) -> None:
        """A bar in a value is not the bar between two, and its escape is not a bar."""
        template = {"end_time": "", "sip_code": "", "hangup_by": "proxy"}
        texts = [("a|b", "c"), ("a", "b|c"), ("a%7Cb", "c"), ("a", "b%7Cc"), ("a%257Cb", "c")]
        found = [identified(AUTO, encoded(**template, callid=one, start_time=two)).id for one, two in texts]
        assert None not in found
        assert len(set(found)) == len(texts)

    def test_empty_values(self) -> None:
        """An empty value is one, as a dialog without a tag has it; but not of the call, and not among several keys."""
        record = {"method": "INVITE", "sip_code": "404", "callid": "c", "from_tag": "a", "to_tag": "", "time": 1}
        for enricher in (AUTO, learned(Enricher(), encoded(**record))):
            assert identified(enricher, encoded(**record)).id == "c|a||INVITE|404|1"
            assert identified(enricher, encoded(**record | {"callid": ""})).id is None
        plain = {"sip_code": 486, "id": 5, "end_time": ""}
        for enricher in (AUTO, learned(Enricher(), encoded(**plain | {"end_time": 1}), encoded(**plain))):
            assert identified(enricher, encoded(**plain)).id is None
            assert identified(enricher, encoded(**plain, timestamp=2)).id == "5|2"

    def test_numbers(self) -> None:
        """Numbers in an id are spelt as in the record, down to the last digit; huge ones are none."""
        record = b'{"ts":1769940009.123456789012,"uid":"C","trans_depth":%b,"seq":"1 INVITE","status_code":486}'
        assert identified(AUTO, record % b"0").id == "C|1769940009.123456789012|0|1 INVITE|1 INVITE|486|486"
        assert identified(AUTO, record % b"0").time == 1769940009_123456789
        assert identified(AUTO, record % b"1e3").id == "C|1769940009.123456789012|1e3|1 INVITE|1 INVITE|486|486"
        assert identified(AUTO, record % (b"9" * 5000)).id is None
        assert identified(AUTO, record % b"true").id is None

    def test_freeswitch_is_unescaped(self) -> None:
        """What FreeSWITCH writes with percent signs is given as it was meant."""
        record = b'{"variables":{"hangup_cause":"USER_BUSY","sip_call_id":"c3%40192.0.2.1","uuid":"u1"}}'
        assert identified(AUTO, record).call == "c3@192.0.2.1"


class TestStrangers:
    @pytest.mark.parametrize(
        "data",
        [
            *(b"", b"x", b"[]", b"1", b'"x"', b"null", b"{", b'{"sip_code":486', b'{"sip_code":"\xff"}'),
            b'{"sip_code":486,"skipped":"\xff"}',
            *(b"[" * 100_000, b'{"a":' * 100_000),
        ],
    )
    def test_no_record(self, data: bytes) -> None:
        """Bytes that are no JSON object have an empty identity, also where shapes are known."""
        assert identified(AUTO, data) == NOBODY
        assert identified(learned(Enricher(), b'{"sip_code":486}'), data) == NOBODY

    def test_no_call_log(self) -> None:
        """A stranger has its timestamp alone."""
        assert identified(AUTO, b'{"id":5,"time":1769940009}') == NOBODY
        assert identified(AUTO, b'{"@timestamp":"2026-02-01T10:00:09Z","id":5}') == Identity(timestamp=True)

    def test_timestamp_of_its_own(self) -> None:
        """A record's own timestamp is told of even if nothing can be read there."""
        assert identified(AUTO, b'{"sip_code":486,"@timestamp":null}').timestamp
        assert not identified(AUTO, b'{"sip_code":486,"x":{"@timestamp":1}}').timestamp
