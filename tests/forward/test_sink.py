"""The forward sink: the command on one side, targets that misbehave in every way on the other."""

import base64
import json
import subprocess
import sys

import msgpack
import pytest
from forward_messages import event_time, packed
from forward_peers import ENVIRONMENT, Target, connect, receive, sipsense, wait_for
from servers.process import free_port

LINE = '{"sip_code":486,"sip_reason":"Busy Here","n":%d}\n'


def url(*ports: int, tag: str = "") -> str:
    """Return the URL of targets."""
    return f"forward://{','.join(f'127.0.0.1:{port}' for port in ports)}{tag}"


def lines(count: int) -> bytes:
    """Return call logs with ascending numbers."""
    return b"".join((LINE % number).encode() for number in range(count))


def run(*args: object, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run the command to its end."""
    command = [sys.executable, "-m", "filters", *map(str, args)]
    return subprocess.run(command, input=stdin, capture_output=True, env=ENVIRONMENT, timeout=120, check=False)


def numbers(records: list[dict]) -> list[int]:
    """Return the numbers of records in the order in which they came."""
    return [record["n"] for record in records]


@pytest.fixture
def port():
    """Return a free port."""
    return free_port()


class TestDelivery:
    def test_lines(self, port):
        """Lines leave in order, enriched, with a tag, the time of their arrival, their number and a chunk id."""
        with Target(port) as target:
            assert run("-o", url(port, tag="/calls.x"), stdin=lines(3000)).returncode == 0
        assert numbers(target.records) == list(range(3000))
        assert {tag for tag, _, _ in target.taken} == {"calls.x"}
        assert target.records[0]["sip"]["outcome"] == "busy"
        assert all(time.code == 0 and len(time.data) == 8 for _, time, _ in target.taken)
        assert sum(options["size"] for options in target.options) == 3000
        assert all(len(base64.b64decode(options["chunk"])) == 16 for options in target.options)

    def test_odd_lines(self, port):
        """What is no record is wrapped, a number beyond 64 bits is text."""
        with Target(port) as target:
            assert run("-o", url(port), stdin=b'oops\n\n{"a":1e400}\n').returncode == 0
        assert [tag for tag, _, _ in target.taken] == ["sipsense", "sipsense"]
        assert target.records[0]["event"]["original"] == "oops"
        assert target.records[1] == {"a": "1e400"}

    @pytest.mark.parametrize(
        ("template", "tag"),
        [("${tag}.sip", "a.b.c.sip"), ("${tag[0]}-${tag[-1]}", "a-c"), ("x${tag[9]}", "x"), ("y", "y")],
    )
    def test_tags(self, tmp_path, port, template, tag):
        """A tag is made of the one that events came with."""
        source = free_port()
        with Target(port) as target:
            args = ("--input", url(source), "--output", url(port), "--tag", template)
            with sipsense(tmp_path, *args), connect(source) as client:
                client.sendall(packed(2, tag="a.b.c", chunk="x"))
                receive(client)
        assert [got for got, _, _ in target.taken] == [tag, tag]

    def test_nanoseconds_and_metadata(self, tmp_path, port):
        """Time and metadata of an event leave as they came."""
        source, times = free_port(), [event_time(), [event_time(), {"k": "v"}], 1700000000]
        with (
            Target(port) as target,
            sipsense(tmp_path, "--input", url(source), "--output", url(port)),
            connect(source) as client,
        ):
            client.sendall(msgpack.packb(["t", [[time, {"n": 1}] for time in times], {"chunk": "x"}]))
            receive(client)
        assert [time for _, time, _ in target.taken] == times

    def test_gzip(self, port):
        """On request messages are compressed."""
        with Target(port) as target:
            assert run("-o", url(port), "--compress", "gzip", stdin=lines(100)).returncode == 0
        assert numbers(target.records) == list(range(100))
        assert {options["compressed"] for options in target.options} == {"gzip"}

    def test_without_acknowledgement(self, port):
        """On request no answer is asked for."""
        with Target(port) as target:
            assert run("-o", url(port), "--no-ack", stdin=lines(100)).returncode == 0
            wait_for(lambda: len(target.taken) == 100, "100 records")
        assert all("chunk" not in options for options in target.options)


class TestFailures:
    def test_a_target_that_comes_later(self, tmp_path, port):
        """While it is away, all wait; when it comes, it gets everything."""
        with sipsense(tmp_path, "-o", url(port), stdin=subprocess.PIPE) as running:
            running.process.stdin.write(lines(10))
            running.process.stdin.close()
            running.wait_until_it_says("Connection refused; it is sent again")
            with Target(port) as target:
                assert running.process.wait(30) == 0
        assert numbers(target.records) == list(range(10))
        assert "takes records again" in running.said
        assert running.said.count("Connection refused") == 1

    def test_a_connection_that_is_lost_before_the_answer(self, port):
        """The message is sent again, and nothing else."""
        with Target(port, lambda options, number: None if number == 1 else True) as target:
            assert run("-o", url(port), stdin=lines(3000)).returncode == 0
        assert numbers(target.records) == list(range(3000))
        chunks = [options["chunk"] for options in target.options]
        assert chunks[1] == chunks[2]
        assert len(set(chunks)) == len(chunks) - 1

    def test_an_answer_that_does_not_come(self, port):
        """After some time the message is sent again."""
        with Target(port, lambda options, number: number > 0) as target:
            assert run("-o", url(port), "--ack-timeout", "0.5", stdin=lines(10)).returncode == 0
        assert numbers(target.records) == list(range(10))
        assert target.connections == 2

    def test_fail_over(self, port):
        """Where the first target is away or falls silent, the second takes its place."""
        silent, away = free_port(), free_port()
        with Target(silent, lambda *_: False) as first, Target(port) as second:
            result = run("-o", url(away, silent, port), "--ack-timeout", "0.5", stdin=lines(3000))
        assert result.returncode == 0
        assert len(first.options) == 1
        assert numbers(second.records) == list(range(3000))

    @pytest.mark.parametrize("answer", [b"\xc1", msgpack.packb({"ack": "other"}), msgpack.packb([1]), bytes(100_000)])
    def test_an_answer_that_is_none(self, port, answer):
        """It does not count as one."""

        def wrong(options: dict, number: int) -> bool | None:
            if number == 0:
                target._open[0].sendall(answer)
                return False
            return True

        with Target(port, wrong) as target:
            assert run("-o", url(port), stdin=lines(5)).returncode == 0
        assert numbers(target.records) == list(range(5))


class TestHeavyRecords:
    def test_one_that_the_target_refuses(self, tmp_path, port):
        """It goes to the dead letter, the others of its batch arrive, and the exit code says that something is left."""
        letter = tmp_path / "left.jsonl"
        heavy = json.dumps({"n": 3, "pad": "x" * 600_000}).encode() + b"\n"
        data = lines(3) + heavy + lines(6)[len(lines(4)) :]
        with Target(port, lambda options, _: True if options["bytes"] < 500_000 else None) as target:
            result = run("-o", url(port), "--dead-letter", letter, stdin=data)
        assert result.returncode == 1
        assert sorted(numbers(target.records)) == [0, 1, 2, 4, 5]
        (left,) = map(json.loads, letter.read_text().splitlines())
        assert left["error"]["type"] == "refused"
        assert json.loads(left["event"]["original"])["n"] == 3

    def test_light_ones_wait(self, tmp_path, port):
        """A target whose buffers are full for a while gets everything later."""
        with Target(port, lambda _, number: True if number > 6 else None) as target:
            assert run("-o", url(port), "--dead-letter", tmp_path / "left", stdin=lines(50)).returncode == 0
        assert numbers(target.records) == list(range(50))


class TestTheEnd:
    def test_what_is_not_delivered(self, tmp_path, port):
        """After SIGTERM and the time to drain it lies in the dead letter; `unwrap` prints it ready to be piped in."""
        letter = tmp_path / "left.jsonl"
        args = ("-o", url(port), "--drain", "0.3", "--dead-letter", letter)
        with sipsense(tmp_path, *args, stdin=subprocess.PIPE) as running:
            running.process.stdin.write(lines(10))
            running.wait_until_it_says("Connection refused")
            assert running.stop() == 1
        assert f"10 records were not delivered: they are in {letter}" in running.said
        letters = [json.loads(line) for line in letter.read_text().splitlines()]
        assert {one["error"]["type"] for one in letters} == {"not_delivered"}
        assert "Connection refused" in letters[0]["error"]["message"]
        again = run("unwrap", letter)
        assert numbers([json.loads(line) for line in again.stdout.splitlines()]) == list(range(10))
        with Target(port) as target:
            assert run("-o", url(port), stdin=again.stdout).returncode == 0
        assert numbers(target.records) == list(range(10))
        assert target.records[0]["sip"]["outcome"] == "busy"

    def test_delivered_and_left_are_what_came_in(self, tmp_path, port):
        """Of a stream that is stopped while the target is gone, each record is in one place or the other."""
        source, letter = free_port(), tmp_path / "left.jsonl"
        args = ("--input", url(source), "--output", url(port), "--drain", "0.3", "--dead-letter", letter)
        with (
            Target(port, lambda options, number: number < 5) as target,
            sipsense(tmp_path, *args) as running,
            connect(source) as client,
        ):
            for place in range(20):
                client.sendall(packed(100, 100 * place, tag=f"t{place}"))
            client.sendall(packed(1, 2000, chunk="last"))
            wait_for(lambda: len(target.options) == 6, "the sixth message")
            assert running.stop() == 1
            assert receive(client) == [{"ack": "last"}]
        left = numbers([json.loads(json.loads(line)["event"]["original"]) for line in letter.read_text().splitlines()])
        assert numbers(target.records) + left == list(range(2001))

    def test_without_a_dead_letter_nothing_is_acknowledged(self, tmp_path, port):
        """What was not delivered is left to the client, which has no answer and sends it again."""
        source = free_port()
        with (
            sipsense(tmp_path, "--input", url(source), "--output", url(port), "--drain", "0.2") as running,
            connect(source) as client,
        ):
            client.sendall(packed(7, chunk="x"))
            running.wait_until_it_says("Connection refused")
            assert running.stop() == 1
            assert receive(client) == []
        assert "7 records were not delivered: they were not taken" in running.said

    def test_a_full_disk_for_the_dead_letter(self, tmp_path, port):
        """Where not even the dead letter can be written, the client keeps its records."""
        source = free_port()
        args = ("--input", url(source), "--output", url(port), "--drain", "0.2", "--dead-letter", "/dev/full")
        with sipsense(tmp_path, *args) as running, connect(source) as client:
            client.sendall(packed(7, chunk="x"))
            running.wait_until_it_says("Connection refused")
            assert running.stop() == 1
            assert receive(client) == []
        assert "/dev/full: cannot be written" in running.said
