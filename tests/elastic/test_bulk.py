"""Action and source lines, and what is read from an answer; without a server."""

import json
import time
from itertools import repeat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from enricher.enrich import Enricher
from enricher.errors import SettingsError
from enricher.identity import Identity
from filters.delivery.http import Answer
from filters.delivery.target import TAKEN
from filters.elastic.bulk import Encoder, document_id, judge
from filters.elastic.index import check_name, name_maker

CALL = b'{"id":"a","sip_code":486,"time_end":"2026-02-03T04:05:06.789Z"}\n'
IDENTIFY = Enricher().identify
NOW = 1_700_000_000 * 10**9


def encoded(*lines: bytes, index=None, identify=IDENTIFY) -> list[tuple[dict, bytes]]:
    """Return action and source of each line."""
    items = Encoder(identify, index).items(lines, repeat(NOW), [])
    pairs = [item.data.split(b"\n") for item in items]
    assert all(len(pair) == 3 and pair[2] == b"" for pair in pairs)
    assert [item.size for item in items] == [len(item.data) for item in items]
    return [(json.loads(action), source) for action, source, _ in pairs]


def an(**said) -> Identity:
    """Return an identity."""
    return Identity(**{"profile": "p", "id": "i"} | said)


class TestSources:
    def test_a_call(self):
        """The time of the call goes in front, every other byte stays; the id is made of profile and call."""
        ((action, source),) = encoded(CALL)
        assert source == b'{"@timestamp":"2026-02-03T04:05:06.789Z",' + CALL[1:-1]
        assert action == {"create": {"_id": "generic::a|2026-02-03T04:05:06.789Z"}}

    @pytest.mark.parametrize(
        ("line", "source"),
        [
            (b"{}\n", b'{"@timestamp":"T"}'),
            (b"{ }\n", b'{"@timestamp":"T" }'),
            (b' \t{ "a" : 1.0 } \r\n', b'{"@timestamp":"T", "a" : 1.0 } \r'),
            (b'{"a":1,"a":1e400}\n', b'{"@timestamp":"T","a":1,"a":1e400}'),
            (b'{"@timestamp":"x","a":1}\n', b'{"@timestamp":"x","a":1}'),
            (b'{"a":1,"@timestamp":null}\n', b'{"a":1,"@timestamp":null}'),
        ],
    )
    def test_bytes(self, line, source):
        """A record of its own @timestamp keeps it; one of any other spelling gets one where none changes a byte."""
        ((_, got),) = encoded(line)
        assert got == source.replace(b'"T"', b'"2023-11-14T22:13:20Z"')

    @pytest.mark.parametrize(
        ("nanoseconds", "text"),
        [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (NOW + 120_000_000, "2023-11-14T22:13:20.12Z"),
            (NOW + 120_500_000, "2023-11-14T22:13:20.1205Z"),
            (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
        ],
    )
    def test_times(self, nanoseconds, text):
        """Fractions are kept to the nanosecond."""
        ((_, source),) = encoded(b'{"a":1}\n', identify=lambda _: [an(time=nanoseconds)])
        assert json.loads(source) == {"@timestamp": text, "a": 1}

    @given(st.lists(st.integers(0, 2**63 - 1), min_size=1))
    def test_times_one_after_the_other(self, times):
        """Each record has its own time, whatever came before it."""
        left = iter(times)
        pairs = encoded(*[b'{"a":1}\n'] * len(times), identify=lambda lines: [an(time=next(left)) for _ in lines])
        for nanoseconds, (_, source) in zip(times, pairs, strict=True):
            second, _, fraction = json.loads(source)["@timestamp"].removesuffix("Z").partition(".")
            assert second == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9))
            assert int(fraction.ljust(9, "0")) == nanoseconds % 10**9

    def test_arrival(self):
        """A record without a time gets that of its arrival, or of its event, and is counted."""
        encoder = Encoder(IDENTIFY, None)
        items = encoder.items([b'{"a":1}\n', CALL, b'{"@timestamp":1}\n', b'{"b":1}\n'], map(int, (0, 1, 2, 3e9)), [])
        sources = [json.loads(item.data.split(b"\n")[1]) for item in items]
        assert [source["@timestamp"] for source in sources] == [
            "1970-01-01T00:00:00Z",
            "2026-02-03T04:05:06.789Z",
            1,
            "1970-01-01T00:00:03Z",
        ]
        assert encoder.arrival_time == 2

    @given(st.dictionaries(st.text(), st.none() | st.integers() | st.text()), st.booleans())
    def test_records_come_back(self, record, spaced):
        """The dead letter gets the record as it came."""
        line = json.dumps(record, separators=None if spaced else (",", ":")).encode() + b"\n"
        (item,) = Encoder(IDENTIFY, None).items([line], [NOW], [])
        assert item.record == line[:-1]
        source = json.loads(item.data.split(b"\n")[1])
        assert source.pop("@timestamp") is not None or "@timestamp" in record
        assert source == {key: value for key, value in record.items() if key != "@timestamp"}

    def test_no_objects(self):
        """What is no object is not sent."""
        refused: list[tuple[bytes, str]] = []
        items = Encoder(IDENTIFY, None).items([b"[1]\n", CALL, b"oops\n"], repeat(NOW), refused)
        assert len(items) == 1
        assert refused == [(b"[1]", "expected a JSON object"), (b"oops", "expected a JSON object")]


TEXTS = st.text(st.sampled_from('a:%25|"\\\n\x00ä'), max_size=4)
IDENTITIES = st.builds(Identity, id=TEXTS, attempt=TEXTS | st.none(), profile=st.sampled_from(["p", "q"]))


class TestIds:
    @given(IDENTITIES, IDENTITIES)
    @example(Identity(id="b:c", attempt="a", profile="p"), Identity(id="c", attempt="a:b", profile="p"))
    @example(Identity(id="a", attempt=":", profile="p"), Identity(id="a", attempt="%3A", profile="p"))
    def test_no_two_are_equal(self, one, other):
        """Different records have different ids, equal ones the same."""
        same = (one.profile, one.attempt or "", one.id) == (other.profile, other.attempt or "", other.id)
        assert (document_id(one) == document_id(other)) == same

    @given(st.text(min_size=1, max_size=700), st.text(max_size=20))
    def test_length(self, text, attempt):
        """An id is never longer than the server takes."""
        identity = an(id=text, attempt=attempt)
        assert len(document_id(identity).encode()) <= 512
        assert document_id(identity) != document_id(an(id=text + "x", attempt=attempt))

    @given(TEXTS.filter(bool))
    def test_any_text(self, text):
        """Any text survives the action line."""
        ((action, _),) = encoded(CALL, identify=lambda _: [an(id=text)])
        assert action == {"create": {"_id": f"p::{text}"}}

    def test_without_an_id(self):
        """Records without one get one each, which no other run makes."""
        runs = [[action["create"]["_id"] for action, _ in encoded(b'{"a":1}\n', b'{"a":1}\n')] for _ in range(2)]
        assert len({*runs[0], *runs[1]}) == 4

    def test_attempts(self):
        """Attempts of one call are different records."""
        line = b'{"Call ID":"c","Attempt":"%d","Disconnect Code":"486","Date/Time (UTC)":"2026-01-01 00:00:00"}\n'
        first, second = (document_id(IDENTIFY([line % number])[0]) for number in (1, 2))
        assert first != second


class TestIndex:
    def test_dates(self):
        """The date is that of the record, else of its own @timestamp, else of its arrival; in UTC."""
        index = name_maker("calls-{%Y.%m.%d}-{%G_%V}")
        lines = [CALL, b'{"@timestamp":"2024-12-31T23:30:00-01:00"}\n', b'{"@timestamp":{}}\n', b'{"a":1}\n']
        assert [action["create"]["_index"] for action, _ in encoded(*lines, index=index)] == [
            "calls-2026.02.03-2026_06",
            "calls-2025.01.01-2025_01",
            "calls-2023.11.14-2023_46",
            "calls-2023.11.14-2023_46",
        ]

    @given(st.integers(0, 2**63 - 1))
    def test_any_time(self, nanoseconds):
        """A name is made of any time."""
        index = name_maker("c-{%Y.%m.%d}")
        assert index(nanoseconds) == time.strftime("c-%Y.%m.%d", time.gmtime(nanoseconds // 10**9))

    @pytest.mark.parametrize(
        "name",
        ["", "Calls", "a b", "a,b", "_a", "-a", "+a", "a*", ".", "..", "a:b", "x" * 256, "{%S}", "{x}", "{%Y", "{}"],
    )
    def test_no_names(self, name):
        """What the server would refuse is refused before the first record."""
        with pytest.raises(SettingsError, match="--index: expected"):
            name_maker(name)

    @pytest.mark.parametrize("name", ["calls", "logs-sip.calls-default", "a_b-c+d", "x" * 255, ".hidden", "ä"])
    def test_names(self, name):
        """What is a name to the server is one here."""
        check_name(name, "--index")
        assert name_maker(name) is None


def answer(value, status: int = 200, **options) -> Answer:
    """Return an answer."""
    return Answer(status, value if isinstance(value, bytes) else json.dumps(value).encode(), **options)


def items(*results) -> dict:
    """Return the body of an answer: a status each, or more."""
    made = [result if isinstance(result, dict) else {"status": result} for result in results]
    return {"took": 1, "errors": True, "items": [{"create": {"_index": "x", **result}} for result in made]}


def error(status: int, kind: str, reason: str, cause: str = "") -> dict:
    """Return the result of an item that was not taken."""
    caused = {"caused_by": {"type": "x", "reason": cause}} if cause else {}
    return {"status": status, "error": {"type": kind, "reason": reason, **caused}}


class TestAnswers:
    def test_all_taken(self):
        """Where all were taken there is no more to say."""
        assert judge(3, answer(items(201, 201, 200))) is TAKEN

    def test_each_item(self):
        """Every item is looked at, also where the answer says that there are no errors."""
        results = (
            201,
            error(409, "version_conflict_engine_exception", "document already exists"),
            error(429, "es_rejected_execution_exception", "queue full"),
            error(400, "mapper_parsing_exception", "failed to\nparse", "For input string"),
            error(503, "unavailable_shards_exception", "no primary"),
            error(404, "index_not_found_exception", "no such index"),
            {"status": 400, "error": "a text"},
            {"status": 422},
            408,
        )
        for errors in (True, False):
            verdict = judge(9, answer({**items(*results), "errors": errors}))
            assert verdict.whole == "sent"
            assert verdict.present == 1
            assert list(verdict.again) == [2, 4, 8]
            assert verdict.refused == {
                3: "mapper_parsing_exception: failed to parse (For input string)",
                5: "index_not_found_exception: no such index",
                6: "a text",
                7: "status 422",
            }

    @pytest.mark.parametrize("status", [403, 429])
    def test_blocked(self, status):
        """An index that takes nothing for a while, as on a full disk, is waited for, whatever the status."""
        verdict = judge(1, answer(items(error(status, "cluster_block_exception", "index read-only"))))
        assert (list(verdict.again), verdict.refused) == ([0], {})
        assert verdict.why == f"{status} cluster_block_exception: index read-only"

    def test_not_allowed(self):
        """A right that is missing is about the run, not about a record."""
        verdict = judge(2, answer(items(201, error(403, "security_exception", "unauthorized"))))
        assert (verdict.whole, verdict.why) == ("denied", "403: security_exception: unauthorized")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"null",
            b"[]",
            b"{}",
            json.dumps(items(201, 201)).encode()[:-5],
            json.dumps(items(201)).encode(),
            json.dumps(items(201, 201, 201)).encode(),
            json.dumps({"items": [{"create": {"status": 201}}, {"create": {}}]}).encode(),
            json.dumps({"items": [{"create": {"status": 201}}, {}]}).encode(),
            b"[" * 100_000,
        ],
    )
    def test_half_answers(self, body):
        """What does not say of each record what became of it leads to another try."""
        verdict = judge(2, answer(body))
        assert verdict.whole == "retry" or list(verdict.again) == [1]

    @pytest.mark.parametrize(
        ("status", "whole"),
        [
            (400, "split"),
            (413, "split"),
            (401, "denied"),
            (403, "denied"),
            (404, "denied"),
            (302, "denied"),
            (408, "retry"),
            (429, "retry"),
            (500, "retry"),
            (502, "retry"),
            (503, "retry"),
            (504, "retry"),
        ],
    )
    def test_whole(self, status, whole):
        """A status that is about the request leads to what can help."""
        body = {"error": {"type": "t", "reason": "r"}, "status": status}
        verdict = judge(2, answer(body, status, retry_after=3.0))
        assert (verdict.whole, verdict.why) == (whole, f"{status}: t: r")
        assert verdict.retry_after == (3.0 if whole == "retry" else None)

    def test_long_reasons(self):
        """A reason is one line of bounded length."""
        verdict = judge(1, answer(b"<html>\n" + b"x" * 10_000, 500))
        assert verdict.why.startswith("500: <html> xxx")
        assert len(verdict.why) < 520
