"""Elasticsearch as an output: the command on one side, a real server on the other."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterable

import msgpack
import pytest
from sending import SECONDS, Running, call, calls, count, kept, sipsense, stats, until
from servers.faults import Faults
from servers.process import free_port

pytestmark = pytest.mark.usefixtures("patience")


@pytest.fixture
def stream(opensearch, unique):
    """Return the name of a data stream that can be made."""
    name = unique("calls")
    opensearch.ask(
        "PUT", f"/_index_template/{name}", {"index_patterns": [f"{name}*"], "data_stream": {}, "priority": 500}
    )
    return name


class TestDelivery:
    def test_a_data_stream(self, opensearch, stream):
        """Calls arrive in the data stream, byte for byte what standard output would get but for their time in front."""
        data = calls(range(3)) + b'{"odd":1.0,"odd2":1e3}\n'
        out = sipsense(stdin=data).stdout
        done = sipsense("-o", opensearch.url, "--data-stream", stream, stdin=data)
        assert (done.returncode, done.stderr) == (0, "")
        opensearch.ask("POST", f"/{stream}/_refresh")
        hits = opensearch.ask("GET", f"/{stream}/_search?sort=n:asc")["hits"]["hits"]
        assert all(hit["_index"].startswith(f".ds-{stream}-") for hit in hits)
        assert hits[1]["_id"] == "generic::c1|2026-02-03T04:05:06.001Z"
        sources = [hit["_source"] for hit in hits]
        times = [source.pop("@timestamp") for source in sources]
        assert times[:3] == [f"2026-02-03T04:05:06{end}" for end in ("Z", ".001Z", ".002Z")]
        assert sources == [json.loads(line) for line in out.splitlines()]

    def test_no_data_stream(self, opensearch, unique):
        """Where nothing makes a data stream of the name, that is said before the first record."""
        done = sipsense("-o", opensearch.url, "--data-stream", unique("plain"))
        assert done.returncode == 0
        assert "no template makes a data stream of plain" in done.stderr
        assert "sipsense setup elasticsearch" in done.stderr

    def test_twice(self, opensearch, stream, tmp_path):
        """The same file a second time doubles nothing, and that is told."""
        (tmp_path / "calls").write_bytes(calls(range(5000)))
        args = ("-o", opensearch.url, "--data-stream", stream, "--stats-json", tmp_path / "stats", tmp_path / "calls")
        for delivered in (5000, 0):
            assert sipsense(*args).returncode == 0
            found = stats(tmp_path / "stats")
            assert (found["delivered"], found["present"]) == (delivered, 5000 - delivered)
        assert count(opensearch, stream) == 5000

    def test_dates(self, opensearch, unique):
        """An index has the date of its records in its name."""
        name = unique("daily")
        data = call(1) + call(2, time_end="2026-01-31T23:59:59Z") + call(3, time_end="2026-02-01T00:30:00+01:00")
        done = sipsense("-o", opensearch.url, "--index", name + "-{%Y.%m.%d}", stdin=data)
        assert (done.returncode, done.stderr) == (0, "")
        assert count(opensearch, f"{name}-2026.01.31") == 2
        assert count(opensearch, f"{name}-2026.02.03") == 1

    def test_time_of_arrival(self, opensearch, stream, tmp_path):
        """Records without a time get that of their arrival, which the statistics tell."""
        data = b'{"sip_code":486,"n":1}\n' + call(2) + b'{"n":3,"@timestamp":"2020-01-01T00:00:00Z"}\n'
        args = ("-o", opensearch.url, "--data-stream", stream, "--stats-json", tmp_path / "stats", "--stats")
        done = sipsense(*args, stdin=data)
        assert json.loads((tmp_path / "stats").read_bytes())["arrival_time"] == 1
        assert "time of arrival" in done.stderr
        opensearch.ask("POST", f"/{stream}/_refresh")
        hits = opensearch.ask("GET", f"/{stream}/_search?sort=n:asc")["hits"]["hits"]
        times = [hit["_source"]["@timestamp"] for hit in hits]
        assert abs(time.mktime(time.strptime(times[0][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - time.time()) < 600
        assert times[1:] == ["2026-02-03T04:05:06.002Z", "2020-01-01T00:00:00Z"]

    def test_gzip(self, opensearch, stream):
        """On request it is sent compressed."""
        with Faults(opensearch.url, lambda _: None) as spoiler:
            args = ("-o", spoiler.url, "--data-stream", stream, "--compress", "gzip")
            assert sipsense(*args, stdin=calls(range(100))).returncode == 0
            sent = next(asked for asked in spoiler.asked if "_bulk" in asked.path)
        assert sent.headers["Content-Encoding"] == "gzip"
        assert int(sent.headers["Content-Length"]) < len(sent.body) / 4
        assert count(opensearch, stream) == 100

    def test_several_hosts(self, opensearch, stream):
        """Where one host is away the others take its place."""
        url = f"http://127.0.0.1:{free_port()},127.0.0.1:{opensearch.port}"
        done = sipsense("-o", url, "--data-stream", stream, "--batch-records", 50, stdin=calls(range(500)))
        assert done.returncode == 0
        assert count(opensearch, stream) == 500

    def test_bulk_on_standard_output(self, opensearch, stream, tmp_path):
        """`--to bulk` writes what curl can load, by several processes too, and curl doubles nothing either."""
        (tmp_path / "calls").write_bytes(calls(range(3000)) + b'{"n":-1}\n{"n":-2}\n')
        for jobs in (1, 2):
            args = ("--to", "bulk", "--data-stream", stream, "--jobs", jobs, "--stats-json", tmp_path / "stats")
            done = sipsense(*args, tmp_path / "calls")
            assert done.returncode == 0
            assert json.loads((tmp_path / "stats").read_bytes())["arrival_time"] == 2
            (tmp_path / "body").write_text(done.stdout)
            curl = ("curl", "-s", "-H", "Content-Type: application/x-ndjson", "--data-binary", f"@{tmp_path / 'body'}")
            answer = subprocess.run(
                [*curl, f"{opensearch.url}/_bulk"], capture_output=True, check=True, timeout=SECONDS
            )
            assert len(json.loads(answer.stdout)["items"]) == 3002
            assert json.loads(answer.stdout)["errors"] == (jobs == 2)
        assert count(opensearch, stream) == 3000 + 2 * 2


def packed(numbers: Iterable[int], chunk: str) -> bytes:
    """Return a message of the forward protocol; the time of the events is the first second of 2026."""
    at = msgpack.ExtType(0, (1767225600).to_bytes(4, "big") + (500).to_bytes(4, "big"))
    entries = [[at, {"sip_code": 486, "n": number}] for number in numbers]
    return msgpack.packb(["calls", entries, {"chunk": chunk}])


def answers(connection: socket.socket, number: int) -> list:
    """Return as many answers, fewer if the connection ends before."""
    unpacker, found = msgpack.Unpacker(), []
    while len(found) < number and (data := connection.recv(4096)):
        unpacker.feed(data)
        found += unpacker
    return found


class TestForward:
    def test_acknowledgement(self, opensearch, unique, tmp_path):
        """A client of the forward protocol hears that its events arrived when they can be counted in the server."""
        name, port = unique("forward"), free_port()
        opensearch.ask("PUT", f"/{name}", {"settings": {"index.blocks.write": True}})
        with Running(
            tmp_path, "--input", f"forward://127.0.0.1:{port}", "-o", opensearch.url, "--index", name
        ) as running:
            until(lambda: "listening on" in running.said, "the listener")
            with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
                client.settimeout(0.5)
                client.sendall(packed(range(10), "a"))
                until(lambda: "cluster_block_exception" in running.said, "the word that the index is blocked")
                with pytest.raises(TimeoutError):
                    answers(client, 1)
                client.settimeout(SECONDS)
                opensearch.ask("PUT", f"/{name}/_settings", {"index.blocks.write": None})
                assert answers(client, 1) == [{"ack": "a"}]
                assert count(opensearch, name) == 10
                client.sendall(packed(range(10, 12), "b"))
                assert answers(client, 1) == [{"ack": "b"}]
                assert count(opensearch, name) == 12
            assert running.end(signal.SIGTERM) == 128 + signal.SIGTERM
        hit = opensearch.ask("GET", f"/{name}/_search?q=n:11")["hits"]["hits"][0]
        assert hit["_source"]["@timestamp"] == "2026-01-01T00:00:00.0000005Z"

    def test_the_last_acknowledgements(self, tmp_path):
        """At the end clients hear of what was put into the dead letter."""
        port, letter = free_port(), tmp_path / "letter"
        args = ("--input", f"forward://127.0.0.1:{port}", "-o", f"http://127.0.0.1:{free_port()}")
        with Running(tmp_path, *args, "--drain", "1", "--dead-letter", letter) as running:
            until(lambda: "listening on" in running.said, "the listener")
            with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
                client.sendall(packed(range(3), "a"))
                time.sleep(0.5)
                running.process.send_signal(signal.SIGTERM)
                assert answers(client, 1) == [{"ack": "a"}]
            assert running.process.wait(SECONDS) == 1
        assert len(kept(letter)) == 3
