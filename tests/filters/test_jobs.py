"""Several processes give the same bytes as one: order, line numbers, messages and counts."""

import json
import random
from pathlib import Path

import pytest
from spawn import BUSY, STRANGER, sipsense

CASES = Path(__file__).resolve().parents[1] / "cases"
POOL = [line for file in sorted(CASES.glob("*/*.jsonl")) for line in file.read_bytes().splitlines()]
ODD = [b"bad", b"", b"[1]", b'{"a":"\xff"}', b"  ", BUSY + b"\r", b'{"sip_code":486,"sip":1}', b"x" * 3000]


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """Lines for many rounds of the ring, some of them no records, some too long for `--max-line 2000`."""
    chance = random.Random(486)
    numbered = (b'{"sip_code":%d,"id":%d}' % (chance.randrange(200, 700), number) for number in range(6_000))
    return [chance.choice(ODD) if chance.random() < 0.03 else chance.choice([line, *POOL]) for line in numbered]


@pytest.fixture
def big(lines: list[bytes], tmp_path: Path) -> Path:
    """A file of these lines, without a last newline."""
    file = tmp_path / "big"
    file.write_bytes(b"\n".join(lines))
    return file


def stats(folder: Path) -> dict[str, object]:
    """Return the counts that the run wrote."""
    numbers: dict[str, object] = json.loads((folder / "stats").read_bytes())
    return {name: count for name, count in numbers.items() if "second" not in name}


class TestSame:
    @pytest.mark.parametrize(("mode", "jobs"), [("wrap", 2), ("pass", 3), ("drop", 5)])
    def test_output(self, mode: str, jobs: int, big: Path, tmp_path: Path) -> None:
        """Bytes and counts are those of one process, from a file and from standard input."""
        options = ("--invalid", mode, "--max-line", 2000, "--stats-json", "stats")
        one = sipsense(*options, big, cwd=tmp_path)
        counts = stats(tmp_path)
        many = sipsense(*options, "--jobs", jobs, big, cwd=tmp_path)
        assert stats(tmp_path) == counts
        piped = sipsense(*options, "--jobs", jobs, stdin=big.read_bytes(), cwd=tmp_path)
        assert stats(tmp_path) == counts
        assert one.stdout == many.stdout == piped.stdout
        assert one.returncode == many.returncode == piped.returncode == 0
        assert one.stderr == many.stderr == piped.stderr == b""

    def test_fail(self, lines: list[bytes], tmp_path: Path) -> None:
        """`--invalid fail` stops at the same line with the same bytes and the same message, wherever it is."""
        good = [line for line in lines if line.startswith(b"{") and b"\xff" not in line and len(line) < 3000]
        (tmp_path / "good").write_bytes(b"\n".join(good[:2000]))
        (tmp_path / "bad").write_bytes(b"\n".join([*good[:1500], b"", b"bad", *good, b"bad"]))
        one, many = (sipsense("--invalid", "fail", "--jobs", n, "good", "bad", cwd=tmp_path) for n in (1, 3))
        assert one.stdout.count(b"\n") == 3_500
        assert one.stderr.startswith(b"sipsense: bad:1502: expected a JSON object")
        assert (one.stdout, one.stderr, one.returncode) == (many.stdout, many.stderr, many.returncode)
        assert one.returncode == 3

    def test_dead_letter(self, lines: list[bytes], big: Path, tmp_path: Path) -> None:
        """The dead letters are the same, number by number, and each number is that of its line."""
        (tmp_path / "more").write_bytes(b"\n".join(reversed(lines)))
        letters = []
        for jobs in (1, 3):
            name = f"dead{jobs}"
            sipsense("--dead-letter", name, "--max-line", 2000, "--jobs", jobs, "big", "more", cwd=tmp_path)
            letters.append((tmp_path / name).read_bytes())
        assert letters[0] == letters[1]
        where = {"big": lines, "more": lines[::-1]}
        found = [json.loads(letter) for letter in letters[0].splitlines()]
        assert len(found) > 50
        for letter in found:
            line = where[letter["log"]["file"]["path"]][letter["event"]["sequence"] - 1]
            assert line.decode(errors="replace") == letter["event"]["original"]

    def test_more_processes_than_lines(self) -> None:
        """Processes without work do no harm."""
        one, many = (sipsense("--jobs", n, stdin=BUSY + b"\n" + STRANGER) for n in (1, 8))
        assert (one.stdout, one.returncode) == (many.stdout, many.returncode)

    @pytest.mark.parametrize("size", [1, 100, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_000_000])
    def test_line_over_many_chunks(self, size: int) -> None:
        """A line of any length is one line, whatever the chunks are that it is read in."""
        line = b'{"sip_code":486,"x":"%b"}' % (b"x" * size)
        given = b"\n".join([BUSY, line, BUSY, line])
        one, many = (sipsense("--jobs", n, "--flat", "--fields", "code,match", stdin=given) for n in (1, 3))
        assert (one.stderr, many.stderr) == (b"", b"")
        added = b',"sip_match":"%b"}\n'
        busy = BUSY[:-1] + added % b"reason"
        assert one.stdout == many.stdout == (busy + line[:-1] + added % b"code") * 2
