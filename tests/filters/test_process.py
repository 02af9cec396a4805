"""The stream as a process: what goes in, what comes out, and how it ends."""

import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from spawn import BUSY, COMMAND, ENVIRONMENT, STRANGER, enriched, sipsense, start

from filters import __version__

JOBS = pytest.mark.parametrize("jobs", [1, 2])
BAD = b"bad"
NOT_JSON = "expected a JSON object: JSON is malformed: invalid character (byte 0)"

# Runs a command and says on stderr how many KiB of memory it took at most; what starts it must be small itself.
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def wrapped(line: bytes, kind: str = "not_json", message: str = NOT_JSON, **event: Any) -> dict[str, Any]:
    """Return the object that stands for a line that is no record."""
    return {
        "event": {"kind": "pipeline_error", "original": line.decode(), **event},
        "error": {"type": kind, "message": message},
    }


class TestInput:
    @JOBS
    def test_first_line_comes_before_the_second(self, jobs: int) -> None:
        """A record comes out as soon as it is in, while the input stays open."""
        with start("--jobs", jobs) as process:
            assert process.stdin
            assert process.stdout
            for line in (BUSY, STRANGER, BUSY):
                process.stdin.write(line + b"\n")
                assert process.stdout.readline() == enriched(line)
            process.stdin.close()
            assert (process.stdout.read(), process.wait()) == (b"", 0)

    @JOBS
    @pytest.mark.parametrize(
        ("given", "written"),
        [
            (b"", b""),
            (BUSY, enriched(BUSY)),
            (BUSY + b"\n" + BUSY, enriched(BUSY, BUSY)),
            (BUSY + b"\r\n" + STRANGER + b"\r\n", enriched(BUSY + b"\r", STRANGER + b"\r")),
            (b"\xef\xbb\xbf" + BUSY + b"\n", enriched(BUSY)),
            (b"\n\r\n  \n" + BUSY + b"\n\n\t\n" + STRANGER + b"\n\n", enriched(BUSY, STRANGER)),
            (b" " + BUSY + b"  \n", enriched(b" " + BUSY + b"  ")),
        ],
        ids=["nothing", "no newline", "last without newline", "CRLF", "byte order mark", "blank lines", "spaces"],
    )
    def test_lines(self, jobs: int, given: bytes, written: bytes) -> None:
        """Line ends, a byte order mark, blank lines and a missing last newline change no record."""
        run = sipsense("--jobs", jobs, stdin=given)
        assert (run.stdout, run.stderr, run.returncode) == (written, b"", 0)

    @JOBS
    def test_files(self, jobs: int, tmp_path: Path) -> None:
        """Plain, gzip and Zstandard files, of several parts each, and standard input are read in the order given."""
        lines = [b'{"sip_code":%d}' % code for code in range(400, 410)]
        (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + lines[0] + b"\n" + lines[1])
        (tmp_path / "b").write_bytes(gzip.compress(lines[2] + b"\n") + gzip.compress(b"\xef\xbb\xbf" + lines[3]))
        (tmp_path / "c").write_bytes(zstandard.compress(lines[4] + b"\n") + zstandard.compress(lines[5] + b"\n"))
        (tmp_path / "d").write_bytes(b"")
        run = sipsense("--jobs", jobs, "a", "b", "-", "c", "d", "a", stdin=lines[6], cwd=tmp_path)
        out = run.stdout.splitlines()
        assert out.pop(3).startswith(b'{"event"')  # a mark inside a file is no mark
        assert b"\n".join(out) + b"\n" == enriched(*(lines[n] for n in (0, 1, 2, 6, 4, 5, 0, 1)))
        assert (run.stderr, run.returncode) == (b"", 0)

    @JOBS
    @pytest.mark.parametrize(
        ("pack", "why"),
        [
            (gzip.compress, "Compressed file ended before the end-of-stream marker was reached"),
            (zstandard.compress, "Compressed file ended before the end of its last frame"),
        ],
        ids=["gzip", "zstd"],
    )
    def test_file_cut_off(self, jobs: int, pack: Any, why: str, tmp_path: Path) -> None:
        """A compressed file that was cut off ends the run with exit code 2 and a message, after what came before."""
        (tmp_path / "a").write_bytes(BUSY)
        (tmp_path / "b").write_bytes(pack(BUSY * 3)[:-9])
        run = sipsense("--jobs", jobs, "a", "b", "a", cwd=tmp_path)
        assert (run.stdout, run.returncode) == (enriched(BUSY), 2)
        assert run.stderr.decode() == f"sipsense: b: cannot be read: {why}\n"

    def test_deep(self) -> None:
        """A record of 100 000 levels gives one line, and the next record is enriched."""
        deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
        out = sipsense(stdin=deep + b"\n" + BUSY + b"\n").stdout.splitlines(keepends=True)
        assert json.loads(out[0])["event"]["original"] == deep.decode()
        assert out[1:] == [enriched(BUSY)]

    @JOBS
    def test_long_line(self, jobs: int) -> None:
        """A line of 100 MB is wrapped with its head and its length, in less than 60 MiB of memory."""
        command = [sys.executable, "-c", MEASURED, *COMMAND, "--jobs", str(jobs)]
        given = BUSY + b"\n" + b"x" * 10**8 + b"\n" + BUSY + b"\n"
        run = subprocess.run(command, input=given, capture_output=True, env=ENVIRONMENT, timeout=120, check=False)
        out = run.stdout.splitlines(keepends=True)
        message = "expected at most 16777216 bytes in a line, got 100000000"
        assert json.loads(out.pop(1)) == wrapped(b"x" * 4096, "line_too_long", message, original_length=10**8)
        assert (b"".join(out), run.returncode) == (enriched(BUSY, BUSY), 0)
        assert int(run.stderr) < 60 * 1024

    @JOBS
    def test_max_line(self, jobs: int) -> None:
        """`--max-line` is the longest line that passes; a longer one is wrapped, even where lines pass as they are."""
        fits, longer = b'{"a":"%b"}' % (b"x" * 92), b'{"a":"%b"}' % (b"x" * 93)
        run = sipsense("--max-line", 100, "--invalid", "pass", "--jobs", jobs, stdin=b"\n".join([fits, longer, fits]))
        out = run.stdout.splitlines()
        message = "expected at most 100 bytes in a line, got 101"
        assert json.loads(out.pop(1)) == wrapped(longer, "line_too_long", message, original_length=101)
        assert (out, run.returncode) == ([fits, fits], 0)


class TestInvalid:
    lines = b"\n".join([BUSY, b"", BAD, BUSY]) + b"\n"

    @JOBS
    def test_wrap(self, jobs: int) -> None:
        """A line that is no record comes out as an object with the line, the kind and the message, in its place."""
        out = sipsense("--jobs", jobs, stdin=self.lines).stdout.splitlines(keepends=True)
        assert json.loads(out.pop(1)) == wrapped(BAD)
        assert b"".join(out) == enriched(BUSY, BUSY)

    def test_kinds(self) -> None:
        """The kinds of lines that are no records can be told apart."""
        lines = [b"[1]", b'{"a":1', b'{"a":"\xff"}', b"\xef\xbb\xbf{}"]
        out = sipsense(stdin=b"{}\n" + b"\n".join(lines)).stdout.splitlines()[1:]
        assert [json.loads(line)["error"]["type"] for line in out] == ["not_object", "not_json", "not_utf8", "not_json"]
        assert json.loads(out[2])["event"]["original"] == '{"a":"\ufffd"}'

    @JOBS
    @pytest.mark.parametrize(("mode", "between"), [("pass", BAD + b"\n"), ("drop", b"")])
    def test_pass_and_drop(self, jobs: int, mode: str, between: bytes) -> None:
        """`pass` leaves such a line as it is, `drop` leaves it out."""
        run = sipsense("--invalid", mode, "--jobs", jobs, stdin=self.lines)
        assert (run.stdout, run.returncode) == (enriched(BUSY) + between + enriched(BUSY), 0)

    @JOBS
    def test_fail(self, jobs: int) -> None:
        """`fail` ends the run with exit code 3 and names the line; what came before it is out, nothing behind it."""
        run = sipsense("--invalid", "fail", "--jobs", jobs, stdin=self.lines)
        assert (run.stdout, run.returncode) == (enriched(BUSY), 3)
        assert run.stderr.decode() == f"sipsense: line 3: {NOT_JSON}\n"

    @JOBS
    def test_fail_in_a_file(self, jobs: int, tmp_path: Path) -> None:
        """`fail` names the file and the line in it."""
        (tmp_path / "a").write_bytes(BUSY + b"\n" + BUSY)
        (tmp_path / "b").write_bytes(gzip.compress(self.lines))
        run = sipsense("--invalid", "fail", "--jobs", jobs, "a", "b", cwd=tmp_path)
        assert (run.stdout, run.returncode) == (enriched(BUSY, BUSY, BUSY), 3)
        assert run.stderr.decode() == f"sipsense: b:3: {NOT_JSON}\n"

    @JOBS
    def test_dead_letter(self, jobs: int, tmp_path: Path) -> None:
        """`--dead-letter` takes such lines, with their number and file; the output has none of them."""
        (tmp_path / "a").write_bytes(self.lines)
        (tmp_path / "b").write_bytes(gzip.compress(self.lines + BAD))
        run = sipsense("--dead-letter", "dead", "--jobs", jobs, "a", "b", "-", stdin=BAD, cwd=tmp_path)
        assert (run.stdout, run.returncode) == (enriched(*[BUSY] * 4), 0)
        letters = [json.loads(line) for line in (tmp_path / "dead").read_bytes().splitlines()]
        where = [(letter.pop("log", {}).get("file", {}).get("path"), letter["event"]["sequence"]) for letter in letters]
        assert where == [("a", 3), ("b", 3), ("b", 5), (None, 1)]
        assert letters == [wrapped(BAD, sequence=number) for _, number in where]

    def test_unwrap(self, tmp_path: Path) -> None:
        """`unwrap` gives the lines of a dead-letter file again, and the file is added to, never cut."""
        bad = [b"one", b'{"a":1', b"[]", '"\u00e9"'.encode(), b"\\"]
        for line in bad:
            sipsense("--dead-letter", "dead", stdin=line, cwd=tmp_path)
        run = sipsense("unwrap", "dead", cwd=tmp_path)
        assert (run.stdout.splitlines(), run.returncode) == (bad, 0)


class TestOutput:
    def test_file(self, tmp_path: Path) -> None:
        """`-o` writes a file instead of standard output, over what was there."""
        (tmp_path / "out").write_bytes(b"x" * 10_000)
        run = sipsense("-o", "out", stdin=BUSY, cwd=tmp_path)
        assert (run.stdout, run.stderr, run.returncode) == (b"", b"", 0)
        assert (tmp_path / "out").read_bytes() == enriched(BUSY)

    @JOBS
    def test_full_disk(self, jobs: int) -> None:
        """A full disk ends the run with exit code 1 and says so, on standard output and in a file."""
        with open("/dev/full", "wb") as full:
            command = [*COMMAND, "--jobs", str(jobs)]
            run = subprocess.run(command, input=BUSY, stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
        why = "cannot be written: No space left on device"
        assert (run.returncode, run.stderr.decode()) == (1, f"sipsense: standard output: {why}\n")
        run = sipsense("-o", "/dev/full", "--jobs", jobs, stdin=BUSY)
        assert (run.returncode, run.stderr.decode()) == (1, f"sipsense: /dev/full: {why}\n")

    @JOBS
    def test_closed_pipe(self, jobs: int) -> None:
        """When the reader of the output goes, as `head` does, the run ends with exit code 1 and says nothing."""
        with start("--jobs", jobs) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            process.stdin.write(BUSY + b"\n")
            assert process.stdout.readline() == enriched(BUSY)
            process.stdout.close()
            process.stdin.write(BUSY + b"\n")
            process.stdin.close()
            assert (process.wait(), process.stderr.read()) == (1, b"")

    @JOBS
    def test_stats_json(self, jobs: int, tmp_path: Path) -> None:
        """`--stats-json` counts lines, records, degrees, categories, outcomes, initiators and reasons."""
        conflict, cancel = b'{"sip_code":404,"sip":1}', b'{"sip_code":487,"sip_reason":"x","hangup_by":"caller"}'
        lines = [BUSY] * 30 + [STRANGER, BAD, b"", conflict, cancel, b'{"sip_code":999}', b'{"sip_code":299}']
        sipsense("--stats-json", "stats", "--jobs", jobs, stdin=b"\n".join(lines), cwd=tmp_path)
        stats = json.loads((tmp_path / "stats").read_bytes())
        assert stats.pop("seconds") >= 0
        assert stats.pop("records_per_second") >= 0
        assert stats == {
            "lines": 37,
            "records": 35,
            "matched": 34,
            "unmatched": 1,
            "conflicts": 1,
            "invalid": 1,
            "blank": 1,
            "match": {"reason": 30, "alias": 0, "code": 2, "class": 1, "none": 1},
            "category": {"Client Error": 32, "Successful": 1},
            "outcome": {"busy": 30, "bad_number": 1, "cancelled": 1},
            "initiator": {"Destination": 31, "Origination": 1},
            "reason": {"Busy Here": 30, "Not Found": 1, "Request Terminated": 1},
        }

    def test_stats(self) -> None:
        """`--stats` prints a table on standard error, and standard output has the records alone."""
        run = sipsense("--stats", stdin=BUSY + b"\n" + BAD + b"\n" + STRANGER)
        assert run.stdout.count(b"\n") == 3
        table = [line.split() for line in run.stderr.decode().splitlines()]
        for row in ("records 2", "matched by reason 1 50.0%", "no call logs 1 50.0%", "invalid lines 1"):
            assert row.split() in table


class TestCommand:
    def test_version(self) -> None:
        """`--version` prints the name and the version."""
        run = sipsense("--version")
        assert (run.stdout.decode(), run.returncode) == (f"sipsense {__version__}\n", 0)

    @pytest.mark.parametrize("terminal", [True, False])
    def test_nothing_given(self, terminal: bool) -> None:
        """Without arguments it prints its help on a terminal, and reads its input elsewhere."""
        master, slave = pty.openpty()
        stdin = slave if terminal else subprocess.DEVNULL
        run = subprocess.run(
            [sys.executable, "-m", "filters"],
            stdin=stdin,
            capture_output=True,
            env=ENVIRONMENT,
            timeout=60,
            check=False,
        )
        os.close(master)
        os.close(slave)
        assert (run.returncode, run.stderr) == (0, b"")
        assert run.stdout.startswith(b"usage: sipsense ") if terminal else run.stdout == b""

    def test_enrich_is_the_default(self) -> None:
        """`sipsense enrich` is the same as `sipsense` alone."""
        assert sipsense("enrich", "--flat", stdin=BUSY).stdout == sipsense("--flat", stdin=BUSY).stdout
