"""The forward source: real sockets on one side, the command on the other."""

import json
import random
import socket
import ssl
import threading
from contextlib import ExitStack

import certificates
import msgpack
import pytest
from forward_messages import RECORD, entries, event_time, packed
from forward_peers import Target, connect, ended, receive, sipsense, wait_for
from servers.process import free_port

from filters.forward.handshake import Client, Security


@pytest.fixture
def port():
    """Return a free port."""
    return free_port()


def url(port: int) -> str:
    """Return the URL to listen on."""
    return f"forward://127.0.0.1:{port}"


def until_it_fails(client: socket.socket, data: bytes) -> int:
    """Send the data again and again; return how often that went well, at most 400 times."""
    for count in range(400):
        try:
            client.sendall(data)
        except OSError:
            return count
    return 400


class TestWhatComesIn:
    def test_all_modes_by_one_connection(self, tmp_path, port):
        """Events of all modes come out in order, enriched, and a keep-alive is none."""
        with sipsense(tmp_path, "--input", url(port), "--tag-key", "tag", "--time-key", "time") as running:
            with connect(port) as client:
                client.sendall(msgpack.packb(["m", event_time(), {**RECORD, "n": 0}]) + msgpack.packb(None))
                client.sendall(msgpack.packb(["f", [[7, {**RECORD, "n": n}] for n in (1, 2)]]))
                client.sendall(packed(2, 3, "p") + packed(2, 5, "c", compressed="gzip", chunk="last"))
                assert receive(client) == [{"ack": "last"}]
            assert running.stop() == 143
        lines = list(map(json.loads, running.lines))
        assert [(line["n"], line["tag"]) for line in lines] == list(enumerate("mffppcc"))
        assert lines[0]["time"] == "2023-11-14T22:13:20.123456789Z"
        assert lines[1]["time"] == "1970-01-01T00:00:07Z"
        assert all(line["sip"]["outcome"] == "busy" for line in lines)

    def test_the_real_library(self, tmp_path, port):
        """What fluent-logger sends arrives with its tag and its time."""
        from fluent.sender import EventTime, FluentSender

        with sipsense(tmp_path, "--input", url(port), "--tag-key", "tag", "--time-key", "time") as running:
            sender = FluentSender("app", host="127.0.0.1", port=port, nanosecond_precision=True)
            for number in range(500):
                assert sender.emit_with_time("calls", EventTime(1700000000.5), {**RECORD, "n": number})
            sender.close()
            wait_for(lambda: len(running.lines) == 500, "500 lines")
        lines = list(map(json.loads, running.lines))
        assert [line["n"] for line in lines] == list(range(500))
        assert {(line["tag"], line["time"]) for line in lines} == {("app.calls", "2023-11-14T22:13:20.500000000Z")}

    def test_many_clients(self, tmp_path, port):
        """Messages of several clients at a time all arrive, each once."""

        def send(first: int) -> None:
            with connect(port) as client:
                for place in range(20):
                    client.sendall(packed(50, first + 50 * place, chunk=f"{first}-{place}"))
                    assert receive(client) == [{"ack": f"{first}-{place}"}]

        with sipsense(tmp_path, "--input", url(port)) as running:
            threads = [threading.Thread(target=send, args=(1000 * number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            running.stop()
        assert sorted(json.loads(line)["n"] for line in running.lines) == list(range(8000))

    def test_a_record_that_is_no_map(self, tmp_path, port):
        """It comes out wrapped, with the others beside it, and the chunk id goes back as it came."""
        with sipsense(tmp_path, "--input", url(port)) as running, connect(port) as client:
            client.sendall(msgpack.packb(["t", [[1, RECORD], [1, "text"], [1, RECORD]], {"chunk": b"\xff"}]))
            assert receive(client) == [{"ack": b"\xff"}]
            lines = list(map(json.loads, running.lines))
        assert lines[1]["event"] == {"kind": "pipeline_error", "original": '"text"'}
        assert "sip" in lines[0]
        assert "sip" in lines[2]

    def test_a_record_that_is_no_map_apart(self, tmp_path, port):
        """With a dead letter it goes there, and the entries around it stay whole."""
        letter = tmp_path / "dead.jsonl"
        args = ("--input", url(port), "--dead-letter", letter)
        with sipsense(tmp_path, *args) as running, connect(port) as client:
            client.sendall(
                msgpack.packb(["t", [[1, {**RECORD, "n": 0}], [1, 5], [1, {**RECORD, "n": 1}]], {"chunk": "x"}])
            )
            assert receive(client) == [{"ack": "x"}]
            assert [json.loads(line)["n"] for line in running.lines] == [0, 1]
        assert json.loads(letter.read_text())["event"] == {"kind": "pipeline_error", "original": "5", "sequence": 2}

    def test_unix_socket(self, tmp_path):
        """A unix socket is served, a stale one replaced, and it is gone at the end."""
        path = tmp_path / "in.sock"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))
        stale.close()
        with sipsense(tmp_path, "--input", f"forward+unix://{path}") as running:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(str(path))
                client.sendall(packed(3, chunk="u"))
                assert receive(client) == [{"ack": "u"}]
            running.stop()
        assert len(running.lines) == 3
        assert not path.exists()

    def test_heartbeat(self, tmp_path, port):
        """A UDP heartbeat is answered."""
        with sipsense(tmp_path, "--input", url(port)), socket.socket(type=socket.SOCK_DGRAM) as probe:
            probe.settimeout(30)
            probe.sendto(b"\x00", ("127.0.0.1", port))
            assert probe.recvfrom(16) == (b"\x00", ("127.0.0.1", port))


class TestAcknowledgement:
    def test_only_when_the_sink_has_taken_it(self, tmp_path, port):
        """While the target does not answer, the client gets no answer; then it does."""
        release, target_port = threading.Event(), free_port()
        with (
            Target(target_port, lambda *_: release.wait(30)) as target,
            sipsense(tmp_path, "--input", url(port), "--output", url(target_port)),
            connect(port) as client,
        ):
            client.sendall(packed(5, chunk="held"))
            wait_for(lambda: target.options, "the message at the target")
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.recv(100)
            client.settimeout(30)
            release.set()
            assert receive(client) == [{"ack": "held"}]
        assert [record["n"] for record in target.records] == list(range(5))

    def test_back_pressure(self, tmp_path, port):
        """While the target does not answer, a client cannot send without end."""
        release, target_port = threading.Event(), free_port()
        message = msgpack.packb(["t", [[1, {"n": 0, "pad": "x" * 1_000_000}]]])
        with (
            Target(target_port, lambda *_: release.wait(60)) as target,
            sipsense(tmp_path, "--input", url(port), "--output", url(target_port)),
            connect(port) as client,
        ):
            client.settimeout(3)
            sent = until_it_fails(client, message)
            assert 0 < sent * len(message) < 200 << 20
            release.set()
            wait_for(lambda: len(target.taken) >= sent, "all whole messages", 60)

    def test_a_stop_drains_what_was_read(self, tmp_path, port):
        """SIGTERM lets what was read go out, and acknowledges it, before the end."""
        release, target_port = threading.Event(), free_port()
        with Target(target_port, lambda *_: release.wait(30)) as target:
            args = ("--input", url(port), "--output", url(target_port))
            with sipsense(tmp_path, *args) as running, ExitStack() as stack:
                clients = [stack.enter_context(connect(port)) for _ in range(4)]
                for number, client in enumerate(clients):
                    client.sendall(packed(10, 10 * number, f"tag{number}", chunk=str(number)))
                wait_for(lambda: target.options, "the first message at the target")
                running.process.terminate()
                wait_for(lambda: refused(port), "the listener's end")
                release.set()
                answers = [receive(client) for client in clients]
                assert running.process.wait(30) == 143
        assert answers == [[{"ack": str(number)}] for number in range(4)]
        assert sorted(record["n"] for record in target.records) == list(range(40))


def refused(port: int) -> bool:
    """Return whether nobody listens any more."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass  # it was on the way when the listener was closed
    return False


class TestBadClients:
    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"\xc1", "expected MessagePack"),
            (b'{"a":1}\n', "looks like JSON"),
            (b"\x16\x03\x01\x02\x00", "looks like TLS"),
            (b"\x91" * 5000, "nested so deeply"),
            (msgpack.packb(["t", [[1]]]), "length 2"),
            (packed(3, compressed="gzip")[:-8] + bytes(8), ""),
            (packed(3)[:20], "in the middle of a message"),
        ],
    )
    def test_one_does_not_harm_another(self, tmp_path, port, data, why):
        """Its connection ends with a clear message; a client beside it goes on."""
        with sipsense(tmp_path, "--input", url(port)) as running, connect(port) as good, connect(port) as bad:
            good.sendall(packed(1, 0, chunk="a"))
            assert receive(good) == [{"ack": "a"}]
            bad.sendall(data)
            bad.shutdown(socket.SHUT_WR)
            assert ended(bad)
            running.wait_until_it_says("its connection was ended")
            good.sendall(packed(1, 1, chunk="b"))
            assert receive(good) == [{"ack": "b"}]
        assert why in running.said
        assert "Traceback" not in running.said
        assert len(running.lines) == 2

    def test_random_bytes(self, tmp_path, port):
        """Hundreds of clients that send noise end no process."""
        noise = random.Random(1)
        with sipsense(tmp_path, "--input", url(port)) as running:
            for _ in range(300):
                with connect(port) as client:
                    try:
                        client.sendall(noise.randbytes(noise.randrange(1, 400)))
                        client.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    assert ended(client)
            with connect(port) as client:
                client.sendall(packed(1, chunk="x"))
                assert receive(client) == [{"ack": "x"}]
        assert "Traceback" not in running.said

    @pytest.mark.parametrize("tail", ["header", "body"])
    def test_a_message_that_is_too_large(self, tmp_path, port, tail):
        """It is refused as soon as it is, and not kept."""
        start = b"\x92\xa1t" + (b"\xc6\x7f\xff\xff\xff" if tail == "header" else b"\xdd\x7f\xff\xff\xff")
        with sipsense(tmp_path, "--input", url(port), "--max-message", "1MiB") as running, connect(port) as client:
            client.sendall(start)
            assert until_it_fails(client, entries(1000)) < 400
            running.wait_until_it_says("expected at most 1048576 bytes in a message")

    def test_a_bomb(self, tmp_path, port):
        """A message that becomes too large when it is decompressed is refused."""
        with sipsense(tmp_path, "--input", url(port), "--max-message", "1MiB") as running, connect(port) as client:
            client.sendall(packed(100_000, compressed="gzip"))
            assert ended(client)
            running.wait_until_it_says("after decompression")

    def test_too_many(self, tmp_path, port):
        """One client more than allowed is turned away; when one has left, there is room."""
        with sipsense(tmp_path, "--input", url(port), "--max-connections", "2") as running:
            first, second = connect(port), connect(port)
            for client in (first, second):
                client.sendall(packed(1, chunk="x"))
                assert receive(client) == [{"ack": "x"}]
            with connect(port) as third:
                assert ended(third)
            running.wait_until_it_says("expected at most 2 connections")
            first.close()
            wait_for(lambda: served(port), "room for another")
            second.close()

    def test_an_idle_one(self, tmp_path, port):
        """Who is silent for too long is left."""
        with sipsense(tmp_path, "--input", url(port), "--idle", "0.3") as running, connect(port) as client:
            assert ended(client)
            running.wait_until_it_says("it was silent for too long")


def served(port: int) -> bool:
    """Return whether a client is let in."""
    try:
        with connect(port) as client:
            client.sendall(packed(1, chunk="y"))
            return bool(receive(client))
    except OSError:
        return False


class TestKeys:
    def test_with_a_key(self, tmp_path, port):
        """Who holds the key gets in, who does not is told why, who sends without it is refused."""
        key = tmp_path / "key"
        key.write_text("s3cret\n")
        with sipsense(tmp_path, "--input", url(port), "--shared-key-file", key) as running:
            assert shake_hands(port, Security(b"s3cret"))[1] is True
            assert shake_hands(port, Security(b"wrong"))[1:3] == [False, "shared key mismatch"]
            with connect(port) as client:
                client.sendall(packed(1, chunk="x"))
                assert [answer[0] for answer in receive(client, 2)] == ["HELO"]
            running.wait_until_it_says("expected PING")
        assert len(running.lines) == 1

    def test_with_users(self, tmp_path, port):
        """A user with the right password gets in; the key may come from the environment."""
        passwords = tmp_path / "passwords"
        passwords.write_text("anna:one\nbert:two:three\n")
        args = ("--input", url(port), "--password-file", passwords)
        with sipsense(tmp_path, *args, env={"SIPSENSE_SHARED_KEY": "k"}):
            assert shake_hands(port, Security(b"k", {b"bert": b"two:three"}))[1] is True
            assert shake_hands(port, Security(b"k", {b"anna": b"two"}))[1] is False

    def test_before_the_key_little_is_read(self, tmp_path, port):
        """Who has not shown the key cannot fill the memory."""
        with sipsense(tmp_path, "--input", url(port), env={"SIPSENSE_SHARED_KEY": "k"}) as running:
            with connect(port) as client:
                client.sendall(b"\x92\xa1t\xc6\x7f\xff\xff\xff")
                assert until_it_fails(client, bytes(1 << 16)) < 400
            running.wait_until_it_says("expected at most 65536 bytes")

    def test_tls(self, tmp_path, port):
        """Messages come in by TLS; a client without it is left with a message, and a stop still acknowledges."""
        certificate, key = certificates.make(tmp_path)
        args = ("--input", f"forward+tls://127.0.0.1:{port}", "--tls-cert", certificate, "--tls-key", key)
        context = ssl.create_default_context(cafile=str(certificate))
        with (
            sipsense(tmp_path, *args) as running,
            context.wrap_socket(connect(port), server_hostname="127.0.0.1") as client,
        ):
            client.sendall(packed(2000, chunk="t"))
            assert receive(client) == [{"ack": "t"}]
            with connect(port) as plain:
                plain.sendall(packed(1, chunk="x"))
                assert ended(plain)
            running.wait_until_it_says("TLS: ")
            assert running.stop() == 143
        assert len(running.lines) == 2000


def shake_hands(port: int, security: Security) -> list:
    """Return the PONG."""
    with connect(port) as connection:
        client = Client(security)
        (helo,) = receive(connection)
        connection.sendall(client.ping(msgpack.packb(helo)))
        (pong,) = receive(connection)
        if pong[1]:
            client.check(msgpack.packb(pong))
            connection.sendall(packed(1, chunk="in"))
            assert receive(connection) == [{"ack": "in"}]
        return pong
