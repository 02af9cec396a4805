"""Signals: the stream ends between two lines, and loads its settings anew while it runs."""

import fcntl
import gzip
import os
import select
import signal
import struct
import subprocess
import termios
import threading
from pathlib import Path

import pytest
from spawn import BUSY, STRANGER, enriched, start

JOBS = pytest.mark.parametrize("jobs", [1, 2])
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])

ASKED = b'{"sip_code":480,"sip_reason":"Number is full","hangup_by":"system"}'
ROW = """
[[row]]
code = 480
reason = "Capacity limit for DID exceeded"
aliases = [{ text = "Number is full" }]
"""


class TestStop:
    @JOBS
    @SIGNALS
    def test_idle(self, jobs: int, number: int) -> None:
        """A stream that waits for more ends at once, with exit code 128 + N, and says what of a line it leaves out."""
        with start("--jobs", jobs) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            process.stdin.write(BUSY + b"\n" + BUSY + b"\n" + BUSY[:10])
            assert process.stdout.readline() + process.stdout.readline() == enriched(BUSY, BUSY)
            process.send_signal(number)
            assert (process.stdout.read(), process.wait()) == (b"", 128 + number)
            assert process.stderr.read() == b"sipsense: stopped inside a line: its first 10 bytes were not written\n"

    def test_terminal(self) -> None:
        """A terminal sends SIGINT to all processes of the stream; each stops once, and none is cut off."""
        for _ in range(5):
            with start("--jobs", 2, start_new_session=True) as process:
                assert process.stdin
                assert process.stdout
                assert process.stderr
                process.stdin.write(BUSY + b"\n" + BUSY[:10])
                assert process.stdout.readline() == enriched(BUSY)
                os.killpg(process.pid, signal.SIGINT)
                assert (process.stdout.read(), process.wait()) == (b"", 130)
                assert process.stderr.read().count(b"\n") == 1

    def test_feeder(self, tmp_path: Path) -> None:
        """Nothing stays behind where one process decompresses for the others and waits for its input."""
        (tmp_path / "a").write_bytes(gzip.compress(BUSY))
        with start("--jobs", 2, "a", "-", cwd=tmp_path, start_new_session=True) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(STRANGER + b"\n")
            assert process.stdout.readline() + process.stdout.readline() == enriched(BUSY, STRANGER)
            process.send_signal(signal.SIGTERM)
            assert (process.stdout.read(), process.wait()) == (b"", 143)
            with pytest.raises(ProcessLookupError):
                os.killpg(process.pid, 0)

    @JOBS
    @SIGNALS
    def test_busy(self, jobs: int, number: int) -> None:
        """A stream in full flow writes all that it has read, and only whole lines."""
        reader, writer = os.pipe()
        process = start("--jobs", jobs, stdin=reader)
        assert process.stdout
        assert process.stderr
        line = b'{"sip_code":486,"id":%d}\n'
        written = bytearray()
        over = threading.Event()

        def write() -> None:
            number, rest = 0, b""
            while not over.is_set():
                if not rest:
                    rest, number = b"".join(line % n for n in range(number, number + 500)), number + 500
                # Nobody reads when the process has gone, and this test must not wait for ever.
                if select.select([], [writer], [], 0.01)[1]:
                    count = os.write(writer, rest[: select.PIPE_BUF])
                    written.extend(rest[:count])
                    rest = rest[count:]

        thread = threading.Thread(target=write)
        thread.start()
        out = process.stdout.read(1 << 20)
        process.send_signal(number)
        while piece := process.stdout.read(1 << 20):
            out += piece
        code = process.wait()
        over.set()
        thread.join()
        left = struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4))[0]
        os.close(reader)
        os.close(writer)
        read = bytes(written[: len(written) - left])
        whole, rest = read[: read.rfind(b"\n") + 1], read[read.rfind(b"\n") + 1 :]
        assert (out, code) == (enriched(*whole.splitlines()), 128 + number)
        said = b"sipsense: stopped inside a line: its first %d bytes were not written\n" % len(rest)
        assert process.stderr.read() == (said if rest else b"")
        process.stdout.close()
        process.stderr.close()


def says(process: "subprocess.Popen[bytes]") -> str:
    """Return the next line of standard error."""
    assert process.stderr
    return process.stderr.readline().decode().removesuffix("\n")


def answer(process: "subprocess.Popen[bytes]") -> bytes:
    """Return what the running stream makes of the line that is asked about."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(ASKED + b"\n")
    return process.stdout.readline()


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog file that says nothing yet."""
    file = tmp_path / "my.toml"
    file.write_text("# nothing\n")
    return file


class TestReload:
    def test_hangup(self, catalog: Path) -> None:
        """SIGHUP loads the catalog anew; a broken file leaves the old one in place and says so."""
        with start("--catalog", catalog) as process:
            before = answer(process)
            assert b'"match":"code"' in before
            assert b'"reason":"Temporarily Unavailable"' in before
            catalog.write_text(ROW)
            process.send_signal(signal.SIGHUP)
            assert says(process).startswith("sipsense: reloaded: catalog ")
            after = answer(process)
            assert b'"reason":"Capacity limit for DID exceeded"' in after
            assert b'"match":"alias"' in after
            catalog.write_text(ROW + "owner = 'me'\n")
            process.send_signal(signal.SIGHUP)
            wrong = "row 480 'Capacity limit for DID exceeded': owner 'me' is unknown, expected one of"
            assert says(process).startswith(f"sipsense: not reloaded: {catalog}: {wrong} ")
            assert answer(process) == after
            catalog.write_text("# nothing again")
            process.send_signal(signal.SIGHUP)
            assert says(process).startswith("sipsense: reloaded: ")
            assert answer(process) == before
            assert process.stdin
            process.stdin.close()
            assert process.wait() == 0

    def test_hangup_with_jobs(self, catalog: Path) -> None:
        """With several processes SIGHUP reaches all of them, before they enrich what comes next."""
        with start("--jobs", 2, "--catalog", catalog) as process:
            before = [answer(process) for _ in range(4)]
            catalog.write_text(ROW)
            process.send_signal(signal.SIGHUP)
            after = []
            while len(after) < 4 or after[-1] == before[0]:
                after.append(answer(process))
            assert b'"match":"alias"' in after[-1]
            assert [says(process)[:19] for _ in range(2)] == ["sipsense: reloaded:"] * 2
            assert process.stdin
            process.stdin.close()
            assert process.wait() == 0

    @JOBS
    def test_watch(self, jobs: int, catalog: Path) -> None:
        """With `--watch` a change of the file is enough."""
        with start("--watch", "--jobs", jobs, "--catalog", catalog) as process:
            before = answer(process)
            catalog.write_text("row = 7\n")
            while (now := answer(process)) == before and not ready(process):
                pass
            assert now == before
            assert says(process).startswith("sipsense: not reloaded: ")
            catalog.write_text(ROW)
            while (now := answer(process)) == before:
                pass
            assert b'"match":"alias"' in now
            assert process.stdin
            process.stdin.close()
            assert process.wait() == 0

    def test_watch_while_idle(self, catalog: Path) -> None:
        """With `--watch` a change is seen even while no record comes."""
        with start("--watch", "--catalog", catalog) as process:
            answer(process)
            catalog.write_text(ROW)
            assert says(process).startswith("sipsense: reloaded: ")
            assert process.stdin
            process.stdin.close()
            assert process.wait() == 0


def ready(process: "subprocess.Popen[bytes]") -> bool:
    """Return whether something was said."""
    assert process.stderr
    return struct.unpack("i", fcntl.ioctl(process.stderr, termios.FIONREAD, b"\0" * 4))[0] > 0
