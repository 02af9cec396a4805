"""The child of exec_filter as a process, without Fluentd."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgpack
import pytest
from child import BUSY, COMMAND, PATIENCE, Child, environment, objects, pack, unpacked, until
from servers.cache import absent

Start = Callable[..., Child]
LINE = json.dumps(BUSY).encode() + b"\n"
RECORD = {"json": LINE, "msgpack": pack(BUSY)}
READ = {"json": objects, "msgpack": unpacked}
CODECS = ("json", "msgpack")

ROW = '[[row]]\ncode = 486\nreason = "{}"\noutcome = "busy"\nowner = "callee"\naliases = [{{ text = "Full house" }}]\n'


@pytest.mark.parametrize("codec", CODECS)
def test_records_leave_at_once(start: Start, codec: str) -> None:
    """Each record comes out before the next one goes in."""
    child = start("--codec", codec)
    for count in range(1, 6):
        child.send(RECORD[codec])
        assert child.wait_for(lambda output, count=count: output.count(b"Client Error") == count)
    assert child.finish() == 0
    assert [record["sip"]["outcome"] for record in READ[codec](bytes(child.output))] == ["busy"] * 5


def test_padding(start: Start) -> None:
    """When no more comes, the JSON that was written is a multiple of the block that Fluentd waits for."""
    child = start("--codec", "json")
    total = 0
    for count in (1, 2, 3, 40):
        child.send(LINE * count)
        total += count
        assert child.wait_for(lambda output, total=total: output.count(b"Client Error") == total)
        assert child.wait_for(lambda output: len(output) % 8192 == 0 and output.endswith(b"\n"))
    assert len(objects(bytes(child.output))) == total
    assert child.finish() == 0
    assert len(child.output) % 8192 == 0


@pytest.mark.parametrize("codec", CODECS)
def test_prints_go_elsewhere(start: Start, codec: str) -> None:
    """What any code prints or writes to descriptor 1 lands on stderr: only whole records reach standard output."""
    script = (
        "import os, sys, filters.fluentd as f\n"
        "for kind in (f.JsonChild, f.MsgpackChild):\n"
        "    def feed(self, chunk, feed=kind.feed):\n"
        "        print('stray', flush=True)\n"
        "        os.write(1, b'raw\\n')\n"
        "        return feed(self, chunk)\n"
        "    kind.feed = feed\n"
        "from filters.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    child = start("fluentd", "--codec", codec, command=[sys.executable, "-c", script])
    child.send(RECORD[codec])
    assert child.finish() == 0
    assert len(READ[codec](bytes(child.output))) == 1
    assert child.errors() == "stray\nraw\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("codec", CODECS)
def test_signals_are_noted(start: Start, codec: str, number: int) -> None:
    """SIGTERM and SIGINT, once or twice, end nothing: all that still comes is passed until the input ends."""
    child = start("--codec", codec)
    child.send(RECORD[codec])
    assert child.wait_for(lambda output: b"Client Error" in output)
    child.signal(number)
    child.signal(number)
    child.send(RECORD[codec] * 5000)
    child.signal(number)
    assert child.wait_for(lambda output: output.count(b"Client Error") == 5001)
    assert child.process.poll() is None
    assert child.finish() == 0


def test_signal_at_the_start(start: Start) -> None:
    """A SIGTERM while catalogs are loaded ends nothing either."""
    script = (
        "import os, signal, sys, enricher.enrich as e\n"
        "def load(*a, load=e.load_catalog, **k):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return load(*a, **k)\n"
        "e.load_catalog = load\n"
        "from filters.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    child = start("fluentd", command=[sys.executable, "-c", script])
    child.send(pack(BUSY))
    assert child.finish() == 0
    assert len(unpacked(bytes(child.output))) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_leaves_at_the_end(start: Start, codec: str) -> None:
    """When the input ends, it leaves in less than the second between two looks at its parent."""
    child = start("--codec", codec)
    assert child.started()
    begin = time.monotonic()
    assert child.finish() == 0
    assert time.monotonic() - begin < 0.9


def test_orphan(tmp_path: Path) -> None:
    """When the parent is killed, it leaves although somebody else holds the other end of its input; nothing is lost."""
    reader, writer = os.pipe()
    middle = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *COMMAND],
        stdin=reader,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    os.close(reader)
    try:
        os.write(writer, pack(BUSY))
        came = os.read(middle.stdout.fileno(), 1 << 16)
        middle.kill()
        middle.wait(PATIENCE)
        os.write(writer, pack(BUSY))
        ended = threading.Event()

        def rest() -> None:
            nonlocal came
            while data := os.read(middle.stdout.fileno(), 1 << 16):
                came += data
            ended.set()

        threading.Thread(target=rest, daemon=True).start()
        assert ended.wait(PATIENCE)
        assert len(unpacked(came)) == 2
    finally:
        os.close(writer)
        middle.kill()
        middle.wait(PATIENCE)
        middle.stdout.close()


@pytest.mark.parametrize("codec", CODECS)
def test_broken_pipe(codec: str, tmp_path: Path) -> None:
    """When Fluentd closes the pipe, it leaves with an error, its input still open, so that it is started anew."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [*COMMAND, "--codec", codec, "--log-file", str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=writer,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    os.close(writer)
    os.close(reader)
    try:
        process.stdin.write(RECORD[codec])
        process.stdin.flush()
        assert process.wait(PATIENCE) == 1
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdin.close()
    assert "Fluentd has closed the pipe" in (tmp_path / "log").read_text("utf-8")


def test_longest_json(start: Start) -> None:
    """Of a line above the limit its head comes out, marked; its neighbours are enriched."""
    child = start("--codec", "json", "--max-record", "1KiB")
    child.send(LINE + b'{"a":"' + b"x" * 50_000 + b'"}\n' + LINE)
    assert child.finish() == 0
    before, marked, after = objects(bytes(child.output))
    assert before == after
    assert before["sip"]["outcome"] == "busy"
    assert marked["error"]["type"] == "line_too_long"
    assert marked["event"]["original_length"] == 50_008


@pytest.mark.parametrize("codec", CODECS)
def test_large_record(start: Start, codec: str) -> None:
    """A record of 20 MB passes, enriched where the limit allows, with all that it holds."""
    record = {**BUSY, "list": list(range(1_000_000)), "text": "\u00e9\u2028" * 3_000_000}
    data = pack(record) if codec == "msgpack" else json.dumps(record, ensure_ascii=False).encode() + b"\n"
    assert len(data) > 17_000_000
    child = start("--codec", codec, "--max-record", "64MiB")
    child.send(data + RECORD[codec])
    assert child.finish() == 0
    large, small = READ[codec](bytes(child.output))
    assert large.pop("sip") == small["sip"]
    assert large == record


@pytest.mark.parametrize("codec", CODECS)
def test_memory(start: Start, codec: str) -> None:
    """The memory does not grow with what passes, nor with a record that does not end."""
    if not Path("/proc/self/status").exists():
        absent("the memory of a process can be read on Linux alone")
    child = start("--codec", codec, "--max-record", "1MiB")

    def peak() -> int:
        status = Path(f"/proc/{child.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])

    child.send(RECORD[codec])
    assert child.wait_for(lambda output: b"Client Error" in output)
    before = peak()
    for _ in range(100):
        child.send(RECORD[codec] * 2000)
    child.send(b'{"a":"' if codec == "json" else b"\x81\xa1a\xdb" + (100 << 20).to_bytes(4, "big"))
    for _ in range(100):
        child.send(b"x" * (1 << 20))
    child.send((b'"}\n' if codec == "json" else b"") + RECORD[codec])
    assert child.wait_for(lambda output: output.count(b"Client Error") == 200_002)
    assert peak() - before < 24 * 1024
    assert child.finish() == 0


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("how", ["SIGHUP", "--watch"])
def test_reload(start: Start, codec: str, how: str, tmp_path: Path) -> None:
    """A changed catalog is loaded while records pass; one that cannot be loaded leaves the old one and a message."""
    catalog, log = tmp_path / "my.toml", tmp_path / "log"
    catalog.write_text(ROW.format("First"))
    options = ["--codec", codec, "--catalog", str(catalog), "--log-file", str(log)]
    child = start(*options, *(["--watch"] if how == "--watch" else []))
    record = {"sip_code": 486, "sip_reason": "Full house"}
    data = pack(record) if codec == "msgpack" else json.dumps(record).encode() + b"\n"

    def reason() -> Any:
        size = len(child.output)
        child.send(data)
        assert child.wait_for(lambda output: b"sip" in output[size:])
        return READ[codec](bytes(child.output))[-1]["sip"]["reason"]

    assert reason() == "First"
    for text, said, expected in ((ROW.format("Second"), " reloaded: ", "Second"), ("[[ro", "not reloaded: ", "Second")):
        log.write_text("")
        catalog.write_text(text)
        if how == "SIGHUP":
            child.signal(signal.SIGHUP)
        assert until(lambda said=said: said in log.read_text("utf-8"))
        assert reason() == expected
    assert child.finish() == 0


@pytest.mark.parametrize("codec", CODECS)
def test_log_file(start: Start, codec: str, tmp_path: Path) -> None:
    """Messages and, at the end, the statistics go to the log file, each with its time."""
    log = tmp_path / "log"
    log.write_text("what was there\n")
    child = start("--codec", codec, "--log-file", str(log))
    child.send(RECORD[codec] * 3)
    assert child.finish() == 0
    first, last = log.read_text("utf-8").splitlines()
    assert first == "what was there"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} sipsense: statistics {", last)
    numbers = json.loads(last[last.index("{") :])
    assert (numbers["records"], numbers["outcome"]) == (3, {"busy": 3})


class Target:
    """A server that takes forward messages."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"forward://127.0.0.1:{self._listener.getsockname()[1]}/sipsense.log"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            unpacker = msgpack.Unpacker()
            while data := connection.recv(4096):
                unpacker.feed(data)
                self.events += unpacker

    def close(self) -> None:
        self._listener.close()


def test_log_to(start: Start) -> None:
    """Warnings and, at the end, the statistics go to Fluentd as records, with their tag and time to the nanosecond."""
    target = Target()
    child = start("--log-to", target.url)
    child.send(pack(BUSY))
    assert child.wait_for(lambda output: b"Client Error" in output)
    child.send(b"\xc1")
    assert until(lambda: target.events), "the warning comes while the child runs"
    assert child.finish() == 0
    assert until(lambda: len(target.events) == 2)
    target.close()
    (tag, when, warning), (_, _, statistics) = target.events
    assert tag == "sipsense.log"
    assert (when.code, len(when.data)) == (0, 8)
    assert (warning["level"], warning["host"]) == ("WARNING", socket.gethostname())
    assert "expected MessagePack" in warning["message"]
    assert (statistics["level"], statistics["message"]) == ("INFO", "statistics")
    assert (statistics["records"], statistics["invalid"], statistics["outcome"]) == (1, 1, {"busy": 1})


@pytest.mark.parametrize("answers", ["nobody", "nothing"])
def test_log_to_is_away(start: Start, answers: str) -> None:
    """A target that refuses, or that never answers, blocks no record and holds the end up for seconds at most."""
    with ExitStack() as sockets:
        full = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = full.getsockname()
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        if answers == "nobody":
            full.close()
        child = start("--log-to", f"forward://127.0.0.1:{address[1]}/sipsense.log")
        for count in range(1, 31):
            child.send(b"\xc1")
            assert child.wait_for(lambda output, count=count: output.count(b"not_msgpack") == count, 2)
        begin = time.monotonic()
        assert child.finish() == 0
        assert time.monotonic() - begin < 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--codec", "yaml"], "invalid choice: 'yaml'"),
        (["--max-record", "none"], "--max-record: expected a size"),
        (["--catalog", "nowhere.toml"], "nowhere.toml"),
        (["--profile", "nobody"], "nobody"),
        (["--fields", "colour"], "colour"),
        (["--log-file", "nowhere/log"], "--log-file: nowhere/log cannot be written"),
        (["--log-to", "http://127.0.0.1"], "--log-to: expected forward://HOST:PORT/TAG"),
        (["--log-to", "forward://127.0.0.1:99999/tag"], "--log-to: expected forward://HOST:PORT/TAG"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_settings(start: Start, options: list[str], said: str) -> None:
    """A wrong setting is told on stderr and ends it with 2, before it reads or writes anything."""
    child = start(*options)
    assert child.wait() == 2
    assert said in child.errors()
    assert not child.output


def test_all_wrong_settings_at_once(start: Start) -> None:
    """All wrong settings are told in one run."""
    child = start("--max-record", "none", "--fields", "colour", "--log-file", "nowhere/log")
    assert child.wait() == 2
    assert len(child.errors().splitlines()) == 3
