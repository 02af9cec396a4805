"""`sipsense recipes`: the questions, searched, shown in full and as bare queries."""

import json
import shlex

import pytest

from filters.cli import main
from filters.commands.recipes import EPILOG
from filters.options import COMMANDS

EXAMPLES = [line.split() for line in EPILOG.splitlines() if line.startswith("  ")]


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Return what the command prints."""
    assert main(["recipes", *args]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a search all questions are listed by name."""
    lines = printed(capsys).splitlines()
    assert len(lines) == 21
    assert "capacity     Which trunks and numbers hit their capacity limit this hour?" in lines


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["cut"], ["cut"]),  # a name, though the word stands in others too
        (["CAPACITY limit", "dedicated"], ["capacity"]),
        (["event.duration"], ["impatient"]),
        (["ringing timeout"], ["unanswered"]),
        (["callers", "minute"], ["capacity", "burst"]),
    ],
)
def test_search(words: list[str], names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A recipe is found by its name, else by words, all of which stand in its texts, its rows or its fields."""
    assert [row["name"] for row in json.loads(printed(capsys, *words, "--format", "json"))] == names


def test_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A single recipe is shown with its queries, what they need, and who can act by the catalog."""
    out = printed(capsys, "impatient")
    assert out.startswith("Who cancels before ten seconds?\nWhy ")
    assert "\nTime range     the last 24 hours\n" in out
    assert "\nNeeds          records enriched with --ecs\n" in out
    assert (
        "\nOf the vendor  attributes.did_number, attributes.src_number (didww-inbound; another vendor has others)"
        in out
    )
    kql = "sip.outcome: cancelled and sip.initiator: Origination and event.duration < 10000000000"
    assert f"\nKQL\n{kql}\n\nLucene\n" in out
    assert out.splitlines()[-1].startswith("487 Request Terminated  caller: Ended by CANCEL or BYE before an answer")


def test_act(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no row says what to do, the recipe says it."""
    assert printed(capsys, "burst").splitlines()[-1].startswith("What to do  Block the caller")


def test_language(capsys: pytest.CaptureFixture[str]) -> None:
    """With a language, nothing but the query is printed, so that it can be handed on."""
    assert printed(capsys, "capacity", "--language", "lucene") == "sip.outcome:capacity\n"
    assert printed(capsys, "--language", "ppl").count("source=logs-sip.calls-*\n") == 20


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    """That nothing is found is said on stderr and is no error."""
    assert main(["recipes", "martian"]) == 0
    assert capsys.readouterr() == ("", "sipsense: no recipe has 'martian'\n")


@pytest.mark.parametrize("example", EXAMPLES, ids=shlex.join)
def test_example(example: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each example of the help works as it stands."""
    assert example[1] == "recipes"
    assert example[1] in COMMANDS
    assert printed(capsys, *example[2:])
