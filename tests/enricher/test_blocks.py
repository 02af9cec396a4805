"""The block path learns which values decide, takes the record path for what does not fit, and stays small."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from enricher import Enricher, InvalidRecord
from enricher.blocks import Blocks, Tally
from enricher.enrich import CACHE_ENTRIES, CACHED_LENGTH
from enricher.plan import WIDEST

CASES = Path(__file__).resolve().parents[1] / "cases"
BUSY = b'{"sip_code":486,"sip_reason":"Busy Here","id":%d}'
YETI = b'{"disconnect_initiator_id":1,"internal_disconnect_code":487,"internal_disconnect_reason":"Ringing timeout"}'
STRANGER = b'{"code":404,"status":500,"reason":"Not Found","id":%d}'


class Watched(Enricher):
    """An enricher that notes which lines took the record path."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.lines: list[bytes] = []

    def process_json(self, line: bytes, *args: Any) -> Any:
        """Note the line, and enrich it."""
        self.lines.append(line)
        return super().process_json(line, *args)


class Twin:
    """A block path whose result is compared with that of the record path."""

    def __init__(self, **settings: Any) -> None:
        self.enricher = Watched(**settings)
        self.reference = Enricher(**settings)
        self.blocks = Blocks(self.enricher, lambda line, place, error: b"!%d\n" % place)

    def alone(self, *lines: bytes) -> list[bytes]:
        """Enrich a block and return which of its lines took the record path."""
        self.enricher.lines.clear()
        written = self.blocks.enrich(b"".join(line + b"\n" for line in lines))
        assert written == b"".join(self._expected(line, place) for place, line in enumerate(lines))
        return self.enricher.lines[:]

    def _expected(self, line: bytes, place: int) -> bytes:
        if not line.strip():
            return b""
        try:
            return self.reference.enrich_json(line) + b"\n"
        except InvalidRecord:
            return b"!%d\n" % place

    @property
    def table(self) -> dict[Any, Any]:
        """The cache of the block path."""
        return self.blocks._planner._gains

    @property
    def plan(self) -> Any:
        """What was learned, None for nothing."""
        return self.blocks._planner._plan


def many(form: bytes, count: int = 50) -> list[bytes]:
    """Return lines of one kind, numbered."""
    return [form % number if b"%d" in form else form for number in range(count)]


@pytest.fixture
def twin() -> Twin:
    """Both paths, with the default settings."""
    return Twin()


@pytest.fixture
def taught(twin: Twin) -> Twin:
    """Both paths, after a plan was learned from generic call logs."""
    twin.alone(*many(BUSY))
    assert twin.plan is not None
    assert not twin.alone(*many(BUSY))
    return twin


class TestPlan:
    def test_is_learned(self, twin: Twin) -> None:
        """After a block of call logs no line of that kind takes the record path any more."""
        twin.alone(*many(BUSY))
        assert twin.alone(*many(BUSY)) == []

    def test_few_lines(self, twin: Twin) -> None:
        """A plan is not worth its price for a handful of lines, so that the first line of a stream is not late."""
        assert twin.alone(*many(BUSY, 15)) == many(BUSY, 15)
        assert twin.plan is None

    def test_strangers_teach_nothing(self, twin: Twin) -> None:
        """No plan is made for records that are no call logs, and none is widened for them."""
        twin.alone(*many(STRANGER))
        assert twin.plan is None
        twin.alone(*many(BUSY))
        learned = twin.plan
        for _ in range(3):
            twin.alone(*many(STRANGER))
        assert twin.plan is learned

    def test_strangers_in_between_teach_nothing(self) -> None:
        """A plan is not widened for the strangers of a stream, though each of them asks for all paths."""
        twin = Twin(profiles=["generic"])
        twin.alone(*many(BUSY))
        learned = twin.plan
        twin.alone(*many(BUSY), *many(STRANGER))
        assert twin.plan is learned

    def test_two_profiles(self, taught: Twin) -> None:
        """A second kind of call log in the stream is learned as well; then both are fast."""
        mixed = [line for pair in zip(many(BUSY), many(YETI), strict=True) for line in pair]
        assert taught.alone(*mixed)
        assert taught.alone(*mixed) == []
        assert taught.alone(*many(BUSY)) == []

    def test_rare_kind(self, taught: Twin) -> None:
        """A kind that is one line in a hundred takes the record path, alone, and the plan stays as narrow as it is."""
        learned = taught.plan
        assert taught.alone(*many(BUSY, 99), YETI) == [YETI]
        assert taught.plan is learned

    def test_stream_that_changes(self, twin: Twin) -> None:
        """Whatever came before, what comes for long enough is learned, though no plan holds all kinds."""
        files = sorted(CASES.glob("*/examples.jsonl"))
        for file in files:
            twin.alone(*file.read_bytes().splitlines()[:1] * 20)
            assert len(twin.plan.paths) <= WIDEST
        for _ in range(66):
            twin.alone(*many(YETI, 20))
        assert twin.alone(*many(YETI)) == []


class TestOddLines:
    def test_errors_in_the_middle(self, taught: Twin) -> None:
        """Lines that do not decode take the record path; all others in the block do not."""
        good = many(BUSY, 40)
        odd = [b"bad", b"[1]", b'{"a":1', b"", b"  ", b'{"sip_code":486.0}', b'{"sip_code":true}']
        lines = [line for place, line in enumerate(good) for line in (odd[place % len(odd)], line)]
        assert set(taught.alone(*lines)) <= set(odd)

    @pytest.mark.parametrize("first", [True, False])
    def test_error_at_the_edge(self, taught: Twin, first: bool) -> None:
        """An error in the first or in the last line of a block hides no other line."""
        good = many(BUSY, 3)
        lines = [b"bad", *good] if first else [*good, b"bad"]
        assert taught.alone(*lines) == [b"bad"]
        assert taught.alone(b"bad") == [b"bad"]

    def test_all_errors(self, taught: Twin) -> None:
        """A block without a record is wrapped line by line."""
        taught.alone(*[b"bad"] * 40)
        tally = taught.blocks.counted()
        assert tally.invalid == 40

    @pytest.mark.parametrize(
        "value",
        [
            b"486.0",
            b"true",
            b"486.5",
            b"1e2",
            b"1e400",
            b"12345678901234567890123",
            b"-1",
            b"null",
            b"[486]",
            b'{"a":1}',
        ],
    )
    def test_odd_code(self, taught: Twin, value: bytes) -> None:
        """A code that is no integer and no text is not mistaken for one, in either order of coming."""
        line = b'{"sip_code":%b,"sip_reason":"Busy Here"}' % value
        integers = [b'{"sip_code":1,"sip_reason":"Busy Here"}', b'{"sip_code":486,"sip_reason":"Busy Here"}']
        taught.alone(*integers, line, *integers, line)
        taught.alone(line, *integers)

    def test_true_is_not_one(self, taught: Twin) -> None:
        """As an initiator, 1 and 1.0 and "1" are System and `true` is nobody, whichever comes first."""
        form = b'{"sip_code":480,"disconnect_initiator":%b}'
        for values in ((b"true", b"1", b"1.0", b'"1"', b"false", b"0"), (b"0", b"false", b"1.0", b"1", b"true")):
            taught.alone(*(form % value for value in values))

    def test_evidence(self, taught: Twin) -> None:
        """Where connect evidence matters each record is looked at for itself."""
        form = b'{"sip_code":408,"disconnect_initiator":"system","duration":%d}'
        lines = [form % duration for duration in (0, 1, 0, 2, 0)]
        assert taught.alone(*lines) == lines

    def test_trailing_space(self, taught: Twin) -> None:
        """A line that ends in white space, or in CRLF, is enriched before its brace."""
        taught.alone(*many(BUSY, 20), BUSY % 1 + b" ", *many(BUSY, 20))
        taught.alone(*(line + b"\r" for line in many(BUSY, 20)))

    def test_target_is_there(self, taught: Twin) -> None:
        """A record that has the target key takes the record path."""
        line = b'{"sip":{"x":1},"sip_code":486}'
        assert taught.alone(*many(BUSY), line, line) == [line, line]

    def test_flat_key_is_there(self) -> None:
        """With flat keys, a record that has one of them, or our match, takes the record path."""
        twin = Twin(flat=True, target="call", fields=("reason",))
        twin.alone(*many(BUSY))
        lines = [(BUSY % 1)[:-1] + b',"call_%b":1}' % key for key in (b"reason", b"match")]
        assert twin.alone(*many(BUSY), *lines) == lines

    def test_duplicate_keys(self, taught: Twin) -> None:
        """Of duplicate keys the last one counts on both paths."""
        assert taught.alone(b'{"sip_code":404,"sip_code":486,"sip_reason":1,"sip_reason":"Busy Here"}') == []

    def test_not_utf8(self, taught: Twin) -> None:
        """A byte that is not UTF-8, in a value that nobody reads, makes its line one that is no record."""
        taught.alone(*many(BUSY, 20), (BUSY % 1)[:-1] + b',"x":"\xff"}', *many(BUSY, 20))
        assert taught.blocks.counted().invalid == 1


class TestCache:
    def test_is_bounded(self, taught: Twin) -> None:
        """Many more different texts than it holds leave a cache of bounded size."""
        blocks = taught.blocks
        for start in range(0, 2 * CACHE_ENTRIES, 1000):
            lines = (b'{"sip_code":480,"sip_reason":"text %d"}\n' % number for number in range(start, start + 1000))
            assert blocks.enrich(b"".join(lines)).count(b'"match":"code"') == 1000
            assert len(taught.table) <= CACHE_ENTRIES
            assert len(taught.enricher._explanations) <= CACHE_ENTRIES
        assert taught.alone(*many(BUSY)) == []

    @pytest.mark.parametrize("path", ["sip_code", "sip_reason", "disconnect_initiator"])
    def test_long_texts_are_left_out(self, taught: Twin, path: str) -> None:
        """A text that is long never goes into a cache, wherever it stands."""
        taught.alone(b'{"%b":"x"}' % path.encode(), *many(BUSY))
        before = len(taught.table), len(taught.enricher._explanations)
        for number in range(20):
            record = {"sip_code": 486, path: f"{number} {'x' * CACHED_LENGTH}"}
            taught.alone(json.dumps(record).encode())
        assert len(taught.table) <= before[0]
        assert len(taught.enricher._explanations) <= before[1] + 1  # a text that is no code is none, however long

    def test_results_are_right_after_it_was_emptied(self, taught: Twin) -> None:
        """What the cache forgot is found again."""
        for start in range(0, 2 * CACHE_ENTRIES, 2048):
            texts = [b'{"sip_code":480,"sip_reason":"text %d"}' % number for number in range(start, start + 2048)]
            taught.alone(*texts[:4], *many(BUSY, 4), *texts[4:], *many(BUSY, 4))


class TestTally:
    def test_counts(self, twin: Twin) -> None:
        """All lines are counted, those of the record path and those of the block path, by what they gained."""
        lines = [*many(BUSY), *many(STRANGER, 3), b"bad", b"", b'{"sip_code":486,"sip":1}', b'{"sip_code":"x"}']
        for _ in range(3):
            twin.alone(*lines)
        tally = twin.blocks.counted()
        assert (tally.lines, tally.blank, tally.invalid, tally.conflicts) == (171, 3, 3, 3)
        degrees = Counter({added.explanation.match if added.explanation else "": n for added, n in tally.added.items()})
        assert degrees["none"] == 3
        assert degrees[""] == 9
        assert sum(tally.added.values()) == 165

    def test_is_complete_each_time(self, taught: Twin) -> None:
        """It can be asked for at any time, and counts nothing twice."""
        first = sum(taught.blocks.counted().added.values())
        assert sum(taught.blocks.counted().added.values()) == first == 100
        taught.alone(*many(BUSY, 7))
        assert sum(taught.blocks.counted().added.values()) == 107

    def test_without(self) -> None:
        """Without `count` lines are counted, but not what they gained."""
        blocks = Blocks(Enricher(), lambda *_: b"", count=False)
        for _ in range(2):
            blocks.enrich(b"".join(line + b"\n" for line in [*many(BUSY), b"bad"]))
        assert (blocks.counted().lines, blocks.counted().invalid) == (102, 2)

    def test_add(self) -> None:
        """Two tallies add up."""
        one, two = Tally(), Tally()
        one.lines, two.lines, two.blank, two.invalid, two.conflicts = 1, 2, 3, 4, 5
        one.add(two)
        assert (one.lines, one.blank, one.invalid, one.conflicts) == (3, 3, 4, 5)
