"""Golden pairs: what the records in `tests/cases` become. `make golden` writes them anew."""

import json
from pathlib import Path

import pytest

from enricher import Enricher
from enricher.blocks import Blocks
from enricher.errors import InvalidRecord
from enricher.profiles import builtin_profiles

CASES = Path(__file__).parent / "cases"
PAIRS = [path for path in sorted(CASES.glob("*/*.jsonl")) if not path.name.endswith(".expected.jsonl")]
ECS = CASES.with_name("cases-ecs") / "calls.jsonl"


def expected(case: Path) -> bytes:
    """Return what the case is to become."""
    return case.with_suffix(".expected.jsonl").read_bytes()


def test_every_profile_has_cases() -> None:
    """There is a folder of cases for each profile, and one for strangers."""
    assert {path.parent.name for path in PAIRS} == {profile.name for profile in builtin_profiles()} | {"strangers"}


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_record_path(case: Path) -> None:
    """Each record becomes what the golden file says, one by one."""
    enricher = Enricher()
    lines = case.read_bytes().splitlines()
    assert lines
    assert b"".join(enricher.enrich_json(line) + b"\n" for line in lines) == expected(case)


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_block_path(case: Path) -> None:
    """All records at once, often enough for the fast path, become what the golden file says."""

    def refuse(line: bytes, place: int, error: InvalidRecord) -> bytes:
        raise AssertionError(line, place, error)

    blocks = Blocks(Enricher(), refuse)
    block = case.read_bytes() * 20
    for _ in range(2):
        assert blocks.enrich(block) == expected(case) * 20


@pytest.mark.parametrize(
    "case",
    [case for case in PAIRS if case.parent.name != "strangers"],
    ids=lambda case: f"{case.parent.name}/{case.name}",
)
def test_named_profile(case: Path) -> None:
    """Naming the profile gives the same as finding it out."""
    named, auto = Enricher(profiles=[case.parent.name]), Enricher()
    for line in case.read_bytes().splitlines():
        found = auto.enrich_json(line)
        if found != line:
            assert named.enrich_json(line) == found


def test_ecs() -> None:
    """With the Elastic Common Schema, records of all profiles and shapes become what the golden file says."""
    enricher = Enricher(ecs=True)
    lines = ECS.read_bytes().splitlines()
    assert b"".join(enricher.enrich_json(line) + b"\n" for line in lines) == expected(ECS)
    assert {line.encode() for profile in builtin_profiles() for line in profile.example} <= set(lines)


def test_strangers_stay() -> None:
    """Records that are no call logs pass byte for byte."""
    case = CASES / "strangers" / "variants.jsonl"
    assert expected(case) == case.read_bytes()


def test_every_line_of_the_relay_is_understood() -> None:
    """Of the records that a real Kamailio relay wrote, each gains a code, a category and a degree of certainty."""
    lines = expected(CASES / "kamailio" / "relay-acc.jsonl").splitlines()
    assert len(lines) == 2122
    gained = [json.loads(line)["sip"] for line in lines]
    assert all({"code", "category", "match"} <= set(one) for one in gained)
    # Only INVITEs tell how a call ended.
    finals = [json.loads(line)["method"] == "INVITE" for line in lines]
    assert not any("outcome" in one for one, final in zip(gained, finals, strict=True) if not final)
