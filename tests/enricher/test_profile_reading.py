"""Profiles: how the fields of a claimed record are read."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enricher.errors import SettingsError
from enricher.profile_files import getter
from enricher.profiles import (
    Calls,
    Evidence,
    Found,
    Profile,
    Profiles,
    Reader,
    builtin_profiles,
    custom_profile,
    load_profiles,
    parse_path,
)
from enricher.text import fold

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases"
AUTO = load_profiles()
BY_NAME = {profile.name: profile for profile in builtin_profiles()}

SYSTEM, CALLER, CALLEE = "System", "Origination", "Destination"


def knows_all(text: str, platform: bool) -> bool:
    """Take every text for a known one."""
    return True


def must_find(record: dict[str, Any], profiles: Profiles = AUTO) -> Found:
    """Return what the profiles read; fail for a stranger."""
    found = profiles.find(getter(record), knows_all)
    assert found is not None
    return found[1]


def case_lines(path: Path) -> list[str]:
    """Return the records of a case file."""
    return path.read_text("utf-8").splitlines()


def make(**changes: Any) -> Profile:
    """Return a small sound profile with some fields changed."""
    fields: dict[str, Any] = {
        "name": "mine",
        "title": "Mine",
        "source": "test",
        "rank": 1,
        "platform": True,
        "code": ("c",),
        "example": ('{"c":486}',),
    }
    return Profile(**(fields | changes))


class TestRead:
    @pytest.mark.parametrize(
        ("direction", "disposition", "cause", "initiator"),
        [
            ("inbound", "recv_bye", "NORMAL_CLEARING", CALLER),
            ("inbound", "recv_cancel", "ORIGINATOR_CANCEL", CALLER),
            ("inbound", "send_bye", "NORMAL_CLEARING", None),
            ("inbound", "send_refuse", "USER_BUSY", None),
            ("inbound", "send_bye", "ALLOTTED_TIMEOUT", SYSTEM),
            ("outbound", "recv_bye", "NORMAL_CLEARING", CALLEE),
            ("outbound", "recv_refuse", "USER_BUSY", CALLEE),
            ("outbound", "send_bye", "NORMAL_CLEARING", None),
            ("outbound", "send_cancel", "ORIGINATOR_CANCEL", CALLER),
            ("outbound", "send_cancel", "NO_ANSWER", SYSTEM),
            ("outbound", "send_cancel", "LOSE_RACE", None),
        ],
    )
    def test_freeswitch_side(self, direction: str, disposition: str, cause: str, initiator: str | None) -> None:
        """FreeSWITCH's side follows from direction and disposition of the leg, and is left open where both could be."""
        variables = {"sip_hangup_disposition": disposition, "hangup_cause": cause}
        for record in (
            {"variables": {"direction": direction, **variables}},
            {"channel_data": {"direction": direction}, "variables": variables},
        ):
            assert must_find(record).initiator == initiator

    @pytest.mark.parametrize("cause", [cause for cause in BY_NAME["freeswitch"].codes if " " not in cause])
    def test_freeswitch_cause(self, cause: str) -> None:
        """A FreeSWITCH cause stands for a code only where no code is written, and is the reason then."""
        found = must_find({"variables": {"hangup_cause": cause}})
        assert (found.code, found.reason) == (BY_NAME["freeswitch"].codes[cause], cause)
        found = must_find({"variables": {"hangup_cause": cause, "proto_specific_hangup_cause": "sip%3A433"}})
        assert found.code == 433

    def test_freeswitch_stale_failure(self) -> None:
        """An answered call is a 200, whatever a gateway that was tried before it had said."""
        variables = {
            "hangup_cause": "NORMAL_CLEARING",
            "sip_hangup_disposition": "send_bye",
            "sip_invite_failure_status": "503",
        }
        assert must_find({"variables": variables}).code == 200

    @pytest.mark.parametrize(
        ("cause", "code"), [(17, 486), ("17", 486), (102, 504), ("111", 500), (127, 500), (16, 200)]
    )
    def test_q850_numbers(self, cause: int | str, code: int) -> None:
        """Q.850 causes become codes, those from 100 on too; normal clearing leaves it to the disposition."""
        assert must_find({"lastapp": "Dial", "hangupcause": cause, "disposition": "ANSWERED"}).code == code

    def test_json_text_inside_the_record(self) -> None:
        """A path may lead through JSON text, as Asterisk writes it; other text holds nothing."""
        assert must_find({"extra": '{"hangupcause":19}'}).code == 480
        assert AUTO.find(getter({"extra": "hangupcause"}), knows_all) is None

    @pytest.mark.parametrize(
        ("value", "code", "reason"),
        [
            (486, 486, None),
            ("486", 486, None),
            ("sip:486", 486, None),
            ("SIP 486 Busy Here", 486, "Busy Here"),
            ("SIP/2.0 486 Busy Here", 486, "Busy Here"),
            ("Busy", None, None),
            (0, None, None),
            (True, None, None),
            ({"a": 1}, None, None),
        ],
    )
    def test_code(self, value: Any, code: int | None, reason: str | None) -> None:
        """A code is read in all its spellings, and a phrase behind it is the reason where no path holds one."""
        found = must_find({"sip_code": value})
        assert (found.code, found.reason) == (code, reason)
        assert must_find({"sip_code": value, "sip_reason": "Other"}).reason == "Other"

    def test_first_code_that_can_be_read(self) -> None:
        """A path without a readable code gives way to the next; an empty reason too."""
        record = {"disconnect_code": "normal", "sip_code": 486, "disconnect_reason": " ", "sip_reason": "Busy Here"}
        found = must_find(record)
        assert found[1:] == (486, "Busy Here", None, True, "sip_code", "sip_reason", None)

    def test_calls(self) -> None:
        """Only records of the named methods are calls; one that does not say is taken for a call."""
        reader = Reader(make(calls=Calls(path="m", values=("INVITE",))))
        for record, call in (
            ({"m": "INVITE"}, True),
            ({"m": "invite"}, True),
            ({"m": "BYE"}, False),
            ({"m": None}, False),
            ({}, True),
        ):
            assert reader.read(getter(record)).call is call

    @pytest.mark.parametrize(
        ("kind", "value", "connected"),
        [
            ("flag", True, True),
            ("flag", False, False),
            ("flag", "true", True),
            ("flag", " No ", False),
            ("flag", 1, True),
            ("flag", 0, False),
            ("flag", "maybe", None),
            ("flag", None, None),
            ("flag", [], None),
            ("time", "2026-02-01 10:00:00", True),
            ("time", 1769940000, True),
            ("time", None, False),
            ("time", "", False),
            ("time", "0", False),
            ("time", 0, False),
            ("time", "0000-00-00 00:00:00", False),
            ("time", "-", False),
            ("time", {}, None),
            ("duration", 0.4, True),
            ("duration", "61", True),
            ("duration", "00:00:09", True),
            ("duration", 0, False),
            ("duration", "0.000", False),
            ("duration", "", None),
            ("duration", None, None),
            ("duration", True, None),
        ],
    )
    def test_evidence(self, kind: str, value: Any, connected: bool | None) -> None:
        """Each kind of connect evidence says yes, no or nothing."""
        reader = Reader(make(connected=(msgspec.convert({"path": "e", "kind": kind}, Evidence),)))
        assert reader.connected(getter({"e": value})) is connected
        assert reader.connected(getter({})) is None

    def test_first_evidence_that_says_something(self) -> None:
        """Evidence that says nothing gives way to the next."""
        reader = Reader(make(connected=(Evidence(path="a", kind="flag"), Evidence(path="b", kind="duration"))))
        assert reader.connected(getter({"a": None, "b": 3})) is True
        assert reader.connected(getter({"a": False, "b": 3})) is False

    def test_key_paths_decide_everything_but_the_evidence(self) -> None:
        """What is found depends on the values at the key paths alone."""
        for reader in AUTO.readers:
            for line in case_lines(CASES / reader.profile.name / "variants.jsonl"):
                get = getter(json.loads(line))
                values = {path: get(path) for path in reader.key_paths}
                assert reader.read(values.__getitem__) == reader.read(get)
                assert reader.claims_code(values.__getitem__) == reader.claims_code(get)
                assert reader.claims_reason(values.__getitem__, knows_all) == reader.claims_reason(get, knows_all)

    def test_long_values_fill_no_cache(self) -> None:
        """Free text at a path of words is not folded."""
        before = fold.cache_info().currsize
        for place in range(50):
            must_find({"lastapp": "Dial", "hangupcause": f"{'x' * 100}{place}"})
        assert fold.cache_info().currsize == before


class TestPaths:
    @pytest.mark.parametrize(
        ("text", "keys"),
        [
            ("a", ("a",)),
            ("a.b.c", ("a", "b", "c")),
            (r"a\.b.c", ("a.b", "c")),
            (r"a\\.b", ("a\\", "b")),
            (r"a\+b", ("a+b",)),
            ("Date/Time (UTC)", ("Date/Time (UTC)",)),
        ],
    )
    def test_parse(self, text: str, keys: tuple[str, ...]) -> None:
        """Dots part keys, and a backslash keeps the next character."""
        assert parse_path(text) == keys

    def test_escaped_separators(self) -> None:
        """A plus or a bar with a backslash belongs to the key."""
        profile = make(code=(r"a\+b",), requires=(r"x\|y|z",))
        assert Reader(profile).key_paths == (("a+b",), ("x|y",), ("z",))


class TestCustom:
    def test_custom(self) -> None:
        """Paths given as options make a profile with the words of generic."""
        profiles = Profiles([Reader(custom_profile("r.code", ["text", "r.text"], "who"), auto=False)])
        found = must_find({"r": {"code": "603", "text": "Decline"}, "who": "callee"}, profiles)
        assert found[1:] == (603, "Decline", CALLEE, True, "r.code", "r.text", "who")
        assert found.profile.platform

    def test_reason_alone(self) -> None:
        """A path for the reason is enough."""
        profiles = Profiles([Reader(custom_profile(reason="why"), auto=False)])
        assert must_find({"why": "Ringing timeout"}, profiles).reason == "Ringing timeout"

    def test_problems(self) -> None:
        """Bad paths are told all at once."""
        with pytest.raises(SettingsError) as caught:
            custom_profile("a..b", "", initiator="who.")
        assert caught.value.problems == (
            "options: code[0]: expected keys with a dot between them, got 'a..b'",
            "options: reason[0]: expected keys with a dot between them, got ''",
            "options: initiator[0]: expected keys with a dot between them, got 'who.'",
        )
        with pytest.raises(SettingsError) as caught:
            custom_profile(initiator="who")
        assert caught.value.problems == ("options: expected a path for the code or for the reason, got neither",)
