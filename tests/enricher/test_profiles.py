"""Profiles: which record is whose, and what is read from it."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enricher.profile_files import check, getter
from enricher.profiles import (
    MISSING,
    Found,
    Get,
    Profile,
    Profiles,
    Reader,
    builtin_profiles,
    load_profiles,
    parse_path,
)

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases"
AUTO = load_profiles()
BY_NAME = {profile.name: profile for profile in builtin_profiles()}

SYSTEM, CALLER, CALLEE = "System", "Origination", "Destination"

# What each example of each profile says: code, reason, initiator, connected.
EXAMPLES: dict[str, list[tuple[int | None, str | None, str | None, bool | None]]] = {
    "yeti": [(487, "Ringing timeout", SYSTEM, False), (486, "Busy Here", CALLEE, False)],
    "didww-inbound": [(480, "DID number overloaded", SYSTEM, False), (200, "Bye", CALLER, True)],
    "didww-outbound": [(487, "Request terminated (Cancel)", None, False)],
    "didww-csv": [
        (404, "Not Found", CALLEE, False),
        (487, "Request Terminated", CALLER, False),
        (480, "Capacity limit for DID exceeded", SYSTEM, False),
        (200, "Bye", None, True),
        (None, "Ringing timeout", SYSTEM, False),
    ],
    "freeswitch": [(486, "Busy Here", None, False), (200, "NORMAL_CLEARING", CALLEE, True)],
    "asterisk": [(486, "Busy Here", None, False), (480, "NO ANSWER", None, False), (200, "ANSWERED", None, True)],
    "asterisk-cel": [(486, None, None, None), (487, "CANCEL", CALLER, None)],
    "kamailio": [(486, "Busy Here", None, None), (403, "Caller blocked", SYSTEM, False)],
    "opensips": [(480, "Temporarily Unavailable", None, None), (200, "OK", CALLER, True)],
    "telnyx": [(486, "user_busy", CALLEE, None), (487, "originator_cancel", CALLER, None)],
    "twilio": [(486, None, None, False), (486, None, CALLEE, False), (487, None, CALLER, False)],
    "jambonz": [
        (487, "Request Terminated", CALLER, None),
        (486, "Busy Here", None, None),
        (200, "OK", SYSTEM, True),
    ],
    "bandwidth": [(486, "Busy Here", CALLEE, None)],
    "packetbeat": [(486, "Busy Here", None, None)],
    "zeek": [(486, "Busy Here", None, None)],
    "heplify": [(486, None, None, None)],
    "generic": [
        (480, "Capacity limit for DID exceeded", SYSTEM, False),
        (486, "Busy Here", CALLEE, None),
        (404, "Not Found", None, None),
    ],
    "generic-shared": [(486, "Busy Here", CALLEE, None), (404, "Not Found", None, None)],
}


def knows_all(text: str, platform: bool) -> bool:
    """Take every text for a known one."""
    return True


def find(record: dict[str, Any], profiles: Profiles = AUTO) -> Found | None:
    """Return what the profiles read, offered with and without the record's keys."""
    found = profiles.find(getter(record), knows_all)
    assert profiles.find(getter(record), knows_all, record.keys()) == found
    return found[1] if found else None


def must_find(record: dict[str, Any], profiles: Profiles = AUTO) -> Found:
    """Return what the profiles read; fail for a stranger."""
    found = find(record, profiles)
    assert found is not None
    return found


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


class TestBuiltin:
    def test_golden_table_is_complete(self) -> None:
        """Every built-in profile has an expectation for each of its examples."""
        assert {name: len(profile.example) for name, profile in BY_NAME.items()} == {
            name: len(expected) for name, expected in EXAMPLES.items()
        }

    @pytest.mark.parametrize(
        ("name", "place"), [(name, place) for name in EXAMPLES for place in range(len(EXAMPLES[name]))]
    )
    def test_example(self, name: str, place: int) -> None:
        """Each example is claimed by its own profile among all, and says what was expected."""
        get = getter(json.loads(BY_NAME[name].example[place]))
        claimed = AUTO.find(get, knows_all)
        assert claimed is not None
        reader, found = claimed
        assert found.profile.name == name
        assert (found.code, found.reason, found.initiator, reader.connected(get)) == EXAMPLES[name][place]
        assert found.call

    @pytest.mark.parametrize("profile", BY_NAME.values(), ids=list(BY_NAME))
    def test_passes_the_checks_of_a_users_file(self, profile: Profile) -> None:
        """A built-in profile satisfies all that is asked of a user's one."""
        assert check(profile) == []

    @pytest.mark.parametrize("path", sorted(ROOT.glob("enricher/profiles/*.toml")), ids=lambda path: path.stem)
    def test_file(self, path: Path) -> None:
        """A profile's file is named as the profile, and its examples are the first test cases."""
        data = tomllib.loads(path.read_text("utf-8"))
        assert data["name"] == path.stem
        assert case_lines(CASES / path.stem / "examples.jsonl") == data["example"]
        assert msgspec.convert(data, Profile) == BY_NAME[path.stem]

    @pytest.mark.parametrize("profile", BY_NAME.values(), ids=list(BY_NAME))
    def test_words(self, profile: Profile) -> None:
        """Every word and number of a vocabulary, in any case, gives its initiator; as number too where it is one."""
        reader = Reader(profile)
        for word, name in profile.initiators.items():
            assert initiators(reader, word) == {name}
            assert initiators(reader, f" {word.upper()}") == {name}
            if word.isdigit():
                assert initiators(reader, int(word)) == {name}
                assert initiators(reader, float(word)) == {name}
        for value in ("unknown", "undefined", "", "4", 4, None, True, -1, 1e400, 10**400, ["caller"], "x" * 10_000):
            assert initiators(reader, value) <= {None}

    def test_only_the_tables_platform_keeps_its_sentence(self) -> None:
        """Profiles of other platforms carry a sentence for System of their own."""
        own = {"didww-inbound", "didww-outbound", "didww-csv", "yeti", "generic", "generic-shared"}
        assert {name for name, profile in BY_NAME.items() if profile.platform} == own
        assert {name for name, profile in BY_NAME.items() if not profile.system} == own

    def test_message_logs_name_their_calls(self) -> None:
        """Logs of single messages or transactions say which of them are call attempts."""
        assert {name: profile.calls.values for name, profile in BY_NAME.items() if profile.calls} == dict.fromkeys(
            ("kamailio", "opensips", "packetbeat", "zeek", "heplify"), ("INVITE",)
        )

    @pytest.mark.parametrize("line", case_lines(CASES / "strangers" / "variants.jsonl"))
    def test_strangers(self, line: str) -> None:
        """A record of another kind is nobody's, even when its reason text is known."""
        assert find(json.loads(line)) is None

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_variants_are_claimed_by_their_profile_or_by_none(self, name: str) -> None:
        """No record of one system is taken for another's."""
        records = [json.loads(line) for line in case_lines(CASES / name / "variants.jsonl")]
        owners = {found.profile.name for found in map(find, records) if found}
        assert owners == {name}


def flat_getter(values: dict[tuple[str, ...], Any]) -> Get:
    """Return a function that gives the value of a path."""
    return lambda path: values.get(path, MISSING)


def initiators(reader: Reader, value: Any) -> set[str | None]:
    """Return what the initiator paths give for a value; a joined path gets its words one by one."""
    found = set()
    for text in reader.profile.initiator:
        paths = [parse_path(part) for part in text.split("+")]
        words = value.split() if len(paths) > 1 and isinstance(value, str) else [value]
        if len(words) == len(paths):
            found.add(reader.read(flat_getter(dict(zip(paths, words, strict=True)))).initiator)
    return found - {None} if len(found) > 1 else found


class TestChoice:
    def test_disconnect_fields_of_yeti_and_didww(self) -> None:
        """The name of the initiator field tells Yeti's records from the flat DIDWW stream of 2019."""
        flat = {"internal_disconnect_code": 486, "internal_disconnect_reason": "Busy Here"}
        assert must_find(flat | {"disconnect_initiator_id": 2}).profile.name == "yeti"
        assert must_find(flat | {"disconnect_initiator": 2}).profile.name == "didww-inbound"

    def test_sip_code_of_kamailio_and_others(self) -> None:
        """sip_code is Kamailio's only beside a method or hangup_by, Asterisk's beside lastapp."""
        assert must_find({"sip_code": "486"}).profile.name == "generic"
        assert must_find({"sip_code": "486", "method": "INVITE"}).profile.name == "kamailio"
        assert must_find({"sip_code": "486", "hangup_by": "proxy"}).profile.name == "kamailio"
        assert must_find({"sip_code": "486", "lastapp": "Dial"}).profile.name == "asterisk"

    def test_own_object_is_nobodys(self) -> None:
        """The object that enrichment adds is not taken for Packetbeat's."""
        assert find({"sip": {"code": 480, "reason": "Temporarily Unavailable", "outcome": "no_answer"}}) is None

    def test_null_counts_as_present(self) -> None:
        """A code path that holds null claims the record, with no code."""
        found = must_find({"sip_code": None})
        assert (found.code, found.code_path) == (None, "sip_code")

    def test_any_code_goes_before_a_reason(self) -> None:
        """A profile that finds a code claims before one of lower rank that finds only a text."""
        readers = [Reader(make(name="first", reason=("r",))), Reader(make(name="second", code=("d",)))]
        assert must_find({"r": "Busy Here", "d": 486}, Profiles(readers)).profile.name == "second"
        assert must_find({"r": "Busy Here"}, Profiles(readers)).profile.name == "first"

    def test_reason_alone_must_be_known(self) -> None:
        """Without a code only a known text claims, and it is asked for by platform."""
        asked = []

        def knows(text: str, platform: bool) -> bool:
            asked.append((text, platform))
            return text == "Ringing timeout"

        record = {"disconnect_reason": "Ringing timeout"}
        assert AUTO.find(getter(record), knows) is not None
        assert AUTO.find(getter({"disconnect_reason": "client went away"}), knows) is None
        assert set(asked) == {("Ringing timeout", True), ("client went away", True)}

    def test_reason_alone_needs_what_is_required(self) -> None:
        """A text at a loose name does not claim without the field that has to stand beside it."""
        assert find({"Response": "Not Found"}) is None
        assert must_find({"Response": "Not Found", "Disconnect Initiator": "Destination"}).profile.name == "didww-csv"

    def test_named_profiles_need_no_more_than_a_code(self) -> None:
        """What a profile requires counts only when nobody named it."""
        found = must_find({"sip_code": "486"}, load_profiles(["kamailio"]))
        assert found.profile.name == "kamailio"

    def test_named_profiles_keep_the_order_of_the_names(self) -> None:
        """The first name goes first, and a name given twice counts once."""
        named = load_profiles(["generic", "kamailio", "generic"])
        assert [reader.profile.name for reader in named.readers] == ["generic", "kamailio"]

    def test_rank_order(self) -> None:
        """Without names, profiles are tried in rank order, the names that several systems use last."""
        ranks = [reader.profile.rank for reader in AUTO.readers]
        assert ranks == sorted(ranks)
        assert AUTO.readers[-1].profile.name == "generic-shared"
