"""The enricher as an API: what a record gains, and that all its other bytes stay."""

import json
from typing import Any

import pytest

from enricher import Enricher, Explanation, InvalidRecord, SettingsError, custom_profile
from enricher.enrich import CACHED_LENGTH
from enricher.lookup import FIELDS

ENRICHER = Enricher()
FLAT = Enricher(flat=True)
BUSY = b'{"sip_code":486,"sip_reason":"Busy Here"}'
CODE_ONLY = b'"sip_code":480'


def added(record: bytes, enricher: Enricher = ENRICHER) -> bytes:
    """Return what is added to a record that ends in a brace, without the comma and the target key."""
    enriched = enricher.enrich_json(record)
    assert enriched.startswith(record[:-1] + b',"sip":')
    assert enriched.endswith(b"}")
    return enriched[len(record) + 6 : -1]


class TestGain:
    def test_all_keys(self) -> None:
        """The object has the ten keys in their order, each only when it is known."""
        whole = json.loads(added(BUSY))
        assert tuple(whole) == FIELDS
        assert [type(value) for value in whole.values()] == [int, str, str, str, str, str, str, bool, str, str]
        assert json.loads(added(b"{%b}" % CODE_ONLY)) == {
            "code": 480,
            "category": "Client Error",
            "category_description": whole["category_description"],
            "reason": "Temporarily Unavailable",
            "match": "code",
        }

    def test_fields(self) -> None:
        """`fields` narrows the keys; their order stays, whatever the order they are asked in."""
        enricher = Enricher(fields=("match", "outcome", "code"))
        assert added(BUSY, enricher) == b'{"code":486,"outcome":"busy","match":"reason"}'
        assert enricher.fields == ("code", "outcome", "match")

    def test_fields_that_are_not_known(self) -> None:
        """A record to which none of the chosen keys applies stays as it is."""
        record = b"{%b}" % CODE_ONLY
        for flat in (True, False):
            enricher = Enricher(fields=("initiator", "outcome"), flat=flat)
            assert enricher.enrich_json(record) == record
            assert enricher.enrich(json.loads(record)) == json.loads(record)

    def test_target(self) -> None:
        """`target` renames the object."""
        enriched = Enricher(target="meaning", fields=("code",)).enrich_json(BUSY)
        assert enriched == BUSY[:-1] + b',"meaning":{"code":486}}'

    def test_flat(self) -> None:
        """`flat` writes the keys at the top level, with the target before them; what is there is not touched."""
        enriched = json.loads(FLAT.enrich_json(b'{"disconnect_code":"486","sip_code":"486","x":1}'))
        assert list(enriched)[:4] == ["disconnect_code", "sip_code", "x", "sip_category"]
        assert enriched["sip_code"] == "486"
        assert enriched["sip_match"] == "code"
        assert "sip" not in enriched

    def test_flat_twice(self) -> None:
        """A record that has our match at its top level is left as it is: its `sip_reason` may be ours."""
        once = FLAT.enrich_json(b'{"sip_code":200}')
        assert json.loads(once)["sip_reason"] == "OK"
        assert FLAT.enrich_json(once) == once
        assert FLAT.enrich(json.loads(once)) == json.loads(once)

    def test_profiles(self) -> None:
        """`profiles` names the only ones to use."""
        assert Enricher(profiles=["yeti"]).enrich_json(BUSY) == BUSY
        assert Enricher(profiles=["yeti", "generic"]).enrich_json(BUSY) == ENRICHER.enrich_json(BUSY)

    def test_custom(self) -> None:
        """A profile of one's own paths is used alone, unless others are named."""
        custom = custom_profile("a.b", "a.c", "d")
        record = b'{"a":{"b":"486","c":"Busy Here"},"d":"callee"}'
        assert json.loads(added(record, Enricher(custom=custom)))["match"] == "reason"
        assert Enricher(custom=custom).enrich_json(BUSY) == BUSY
        assert Enricher(custom=custom, profiles=["generic"]).enrich_json(BUSY) == ENRICHER.enrich_json(BUSY)

    def test_guess(self) -> None:
        """`guess` uses texts that are only plausible."""
        record = b'{"sip_code":404,"sip_reason":"No routes","hangup_by":"system"}'
        assert json.loads(added(record))["match"] == "code"
        assert json.loads(added(record, Enricher(guess=True)))["match"] == "alias"

    @pytest.mark.parametrize(
        ("record", "outcome"),
        [
            ({"duration": 12}, "dropped"),
            ({"duration": 0}, "fault"),
            ({"success": True, "duration": 0}, "dropped"),
            ({"success": "false"}, "fault"),
            ({"time_connect": "2026-02-01T10:00:00Z"}, "dropped"),
            ({"time_connect": None}, "fault"),
            ({}, None),
        ],
    )
    def test_evidence(self, record: dict[str, Any], outcome: str | None) -> None:
        """What the record says of a connect decides where code and text leave it open."""
        call = {"sip_code": 408, "disconnect_initiator": "system", **record}
        for enricher in (ENRICHER, FLAT):
            gained = enricher.enrich(call)
            assert gained.get("sip", {}).get("outcome", gained.get("sip_outcome")) == outcome


# Records whose bytes say more than their values.
SPELLINGS = [
    b'{"a":1.0,%b}',
    b'{"a":1e400,"b":-1E+05,%b}',
    b'{"a":12345678901234567890123,"b":-0,"c":0.10,%b}',
    b'{"a":1,"a":2,%b,"a":3}',
    b'{"sip_code":200,%b}',
    b'{"\\u0061\\/":"\\u00e9\\ud83d\\ude00\\b",%b}',
    b'{ "a" : [ 1 , { } ] ,\t%b }',
    b"{%b \t\r}",
    b"  {%b}",
    b"{%b}  ",
    b"{%b}\r",
    '{"\u00e9":"\u20ac \U0001f600 \u2028",%b}'.encode(),
    b'{"a":"}","b":"{\\"sip\\":1}","c":"\\\\",%b}',
    b'{"":"","sips":{},"Sip":1,%b}',
    b'{"a":{"sip":{"code":1}},"b":[{"sip":2}],%b}',
    b'{"a":' + b"[" * 500 + b"]" * 500 + b",%b}",
]


class TestBytes:
    @pytest.mark.parametrize("form", SPELLINGS)
    def test_spelling(self, form: bytes) -> None:
        """Numbers, escapes, duplicate keys and white space stay as they are; the addition is all that is new."""
        line = form % CODE_ONLY
        enriched = ENRICHER.enrich_json(line)
        addition = b',"sip":' + added(b"{%b}" % CODE_ONLY)
        at = enriched.rindex(addition)
        assert enriched[:at] + enriched[at + len(addition) :] == line
        assert enriched[at + len(addition) :].strip() == b"}"

    def test_last_of_duplicate_keys(self) -> None:
        """Of a key that is there twice the last one counts, as in other readers."""
        assert b'"code":486' in ENRICHER.enrich_json(b'{"sip_code":404,"sip_code":486}')

    @pytest.mark.parametrize(
        "record",
        [
            b"{}",
            b'{"code":486}',
            b'{"status": 404, "reason": "Not Found"}',
            b'{"message":"SIP 486","nested":{"sip_code":486}}',
            b' {"a" : 1e400}\r',
        ],
    )
    def test_stranger(self, record: bytes) -> None:
        """A record that is no call log keeps every byte."""
        assert ENRICHER.enrich_json(record) == record
        assert FLAT.enrich_json(record) == record

    @pytest.mark.parametrize("number", ["1e400", "-1e400", "12345678901234567890123", "486.5", "1e2", "-0", "4860e-1"])
    def test_odd_number_as_code(self, number: str) -> None:
        """A number that is no code is no code, however it is written; one that is, is."""
        gained = json.loads(added(b'{"sip_code":%b}' % number.encode()))
        known = {"1e2": 100, "4860e-1": 486}
        assert gained.get("code") == known.get(number)


PACKETBEAT = (
    b'{"event":{"dataset":"sip"},"sip":{"type":"response", "code" : "486","status":"Busy Here",'
    b'"cseq":{"code":1.0,"method":"INVITE"},"n":1e400},"z":0}'
)


class TestMerge:
    def test_existing_object(self) -> None:
        """In an object under the target key namesakes are replaced in place; the other keys keep their bytes."""
        enriched = Enricher(fields=("code", "outcome", "match")).enrich_json(PACKETBEAT)
        replaced = PACKETBEAT.replace(b'"486"', b"486")
        assert enriched == replaced.replace(b"1e400}", b'1e400,"outcome":"busy","match":"reason"}')

    def test_empty_object(self) -> None:
        """An empty object is filled."""
        enricher = Enricher(fields=("code",))
        assert enricher.enrich_json(b'{"sip":{ },"sip_code":486}') == b'{"sip":{ "code":486},"sip_code":486}'

    def test_all_there(self) -> None:
        """An object that has all keys, in another order, keeps that order."""
        enricher = Enricher(fields=("code", "match"))
        line = b'{"sip_code":486,"sip":{"match":[1,{"a":"}"}] , "x":{},"code":null}}'
        assert enricher.enrich_json(line) == b'{"sip_code":486,"sip":{"match":"code" , "x":{},"code":486}}'

    def test_duplicate_keys(self) -> None:
        """Of duplicate keys the last one is replaced, which is the one that readers see."""
        enricher = Enricher(fields=("code",))
        line = b'{"sip_code":486,"sip":1,"sip":{"code":1,"code":2}}'
        assert enricher.enrich_json(line) == b'{"sip_code":486,"sip":1,"sip":{"code":1,"code":486}}'

    def test_escaped_keys(self) -> None:
        """A key is the same key when it is written with escapes."""
        enricher = Enricher(fields=("code",))
        line = b'{"sip_code":486,"\\u0073ip":{"c\\u006fde":1}}'
        assert enricher.enrich_json(line) == b'{"sip_code":486,"\\u0073ip":{"c\\u006fde":486}}'

    @pytest.mark.parametrize("value", [b"1", b'"{}"', b"null", b"[{}]", b"true", b"1e400"])
    def test_conflict(self, value: bytes) -> None:
        """A target that holds no object is left as it is, and so is the record; it is told apart."""
        line = b'{"sip_code":486,"sip":%b}' % value
        enriched = ENRICHER.process_json(line)
        assert (enriched.record, enriched.conflict) == (line, True)
        if value != b"1e400":
            assert ENRICHER.enrich(json.loads(line)) == json.loads(line)

    def test_no_conflict(self) -> None:
        """A stranger is no conflict, whatever its target key holds."""
        assert not ENRICHER.process_json(b'{"sip":1}').conflict
        assert not ENRICHER.process_json(BUSY).conflict


class TestDict:
    def test_is_json(self) -> None:
        """A dict gains what its JSON gains, in the same order; the dict itself is not changed."""
        for line in (BUSY, PACKETBEAT.replace(b"1e400", b"1"), b'{"a":1}'):
            for enricher in (ENRICHER, FLAT, Enricher(target="x", fields=("reason",))):
                record = json.loads(line)
                gained = enricher.enrich(record)
                assert json.dumps(gained) == json.dumps(json.loads(enricher.enrich_json(line)))
                assert record == json.loads(line)
                assert gained is not record

    def test_nested(self) -> None:
        """An object that is merged is a new one: the record's own stays as it was."""
        inner = {"type": "response", "code": "486", "cseq": {"code": 1, "method": "INVITE"}}
        record = {"event": {"dataset": "sip"}, "sip": inner}
        gained = ENRICHER.enrich(record)
        assert gained["sip"]["code"] == 486
        assert inner["code"] == "486"

    def test_text_that_holds_an_object(self) -> None:
        """An object that is written inside a text (Asterisk's `extra`) is read as in JSON."""
        record = {"EventName": "HANGUP", "eventtype": "HANGUP", "extra": '{"hangupcause":17,"dialstatus":""}'}
        assert ENRICHER.enrich(record) == json.loads(ENRICHER.enrich_json(json.dumps(record).encode()))

    @pytest.mark.parametrize("extra", ["{no object", "{" * 5000, '{"a":1} {"b":2}', "[]", ""])
    def test_text_that_holds_none(self, extra: str) -> None:
        """A text that only looks like an object is a text."""
        record = {"EventName": "HANGUP", "eventtype": "HANGUP", "extra": extra}
        line = json.dumps(record).encode()
        assert (ENRICHER.enrich(record), ENRICHER.enrich_json(line)) == (record, line)


class TestLookup:
    def test_answer(self) -> None:
        """`lookup` says of code, reason and initiator what a record with them would gain, and owner and hint."""
        found = ENRICHER.lookup("sip:480", "capacity limit for DID exceeded", "1")
        assert isinstance(found, Explanation)
        assert (found.code, found.initiator, found.outcome, found.match) == (480, "System", "capacity", "reason")
        assert found.owner
        assert found.hint

    def test_words(self) -> None:
        """Codes and initiators are read as in records; what cannot be read is not known."""
        assert ENRICHER.lookup("SIP 486 Busy Here").match == "reason"
        assert ENRICHER.lookup(486, None, "caller").initiator == "Origination"
        assert ENRICHER.lookup(486, None, "nobody").initiator == "Destination"
        assert ENRICHER.lookup("x").match == "none"
        assert ENRICHER.lookup(None, "Ringing timeout").code == 487

    def test_connected(self) -> None:
        """Connect evidence can be given."""
        assert ENRICHER.lookup(408, "NoAck", connected=False).outcome == "fault"
        assert ENRICHER.lookup(408, "NoAck").outcome == "dropped"


class TestErrors:
    @pytest.mark.parametrize(
        ("record", "kind", "message"),
        [
            (b"", "not_json", "expected a JSON object: Input data was truncated"),
            (b'{"a":1', "not_json", "expected a JSON object: Input data was truncated"),
            (b"[1]", "not_object", "expected a JSON object: Expected `object`, got `array`"),
            (b'{"a":"\xff"}', "not_utf8", "expected UTF-8, got byte 0xff at 6"),
            (b"[" * 100_000, "too_deep", "expected JSON that is not nested so deeply"),
        ],
    )
    def test_invalid(self, record: bytes, kind: str, message: str) -> None:
        """Bytes that are no JSON object raise InvalidRecord with a kind and a sentence."""
        with pytest.raises(InvalidRecord) as raised:
            ENRICHER.enrich_json(record if kind != "too_deep" else b'{"a":' + record)
        assert (raised.value.kind, str(raised.value)) == (kind, message)

    def test_settings(self) -> None:
        """One error has all that is wrong with the settings."""
        with pytest.raises(SettingsError) as raised:
            Enricher(fields=("cod",), target="", catalog=["no.toml"], profiles=["yetti"])
        start = [problem.split(":")[0] for problem in raised.value.problems]
        assert start == ["fields", "target", "no.toml", "profile"]
        assert str(raised.value) == "\n".join(raised.value.problems)
        assert raised.value.problems[0].endswith("got 'cod'; did you mean 'code'?")
        assert raised.value.problems[1] == "target: expected a key without dots, quotes and backslashes, got ''"

    @pytest.mark.parametrize("target", ["a.b", 'a"b', "a\\b", "", "a\nb"])
    def test_target(self, target: str) -> None:
        """A target that would have to be escaped, or that is a path, is refused."""
        with pytest.raises(SettingsError, match="target: expected a key without dots, quotes and backslashes, got"):
            Enricher(target=target)

    def test_no_fields(self) -> None:
        """A choice of no fields is refused."""
        with pytest.raises(SettingsError, match=r"fields: expected some of code, .*, got none"):
            Enricher(fields=())


class TestCache:
    def test_texts_without_a_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Texts beside a code that cannot be read are remembered for a while, and long ones not at all."""
        monkeypatch.setattr("enricher.enrich.CACHE_ENTRIES", 8)
        enricher = Enricher()
        for number in range(40):
            enricher.enrich({"sip_code": "?", "sip_reason": f"text {number}"})
            assert 0 < len(enricher._explanations) <= 8
        before = dict(enricher._explanations)
        assert enricher.enrich({"sip_code": "?", "sip_reason": "x" * (CACHED_LENGTH + 1)})["sip"] == {"match": "none"}
        assert enricher._explanations == before
