"""Elasticsearch as an output where things go wrong: servers, disks, mappings, networks, and the end of the run."""

import json
import signal
import time
from collections.abc import Callable

import pytest
from sending import Running, adds_up, call, calls, count, distinct, kept, sipsense, stats, took, until
from servers import faults
from servers.faults import Faults, HttpServer, Reply, reply
from servers.process import free_port

pytestmark = pytest.mark.usefixtures("patience")


class TestFaults:
    def test_killed_and_started_again(self, fresh_opensearch, tmp_path):
        """100 000 calls arrive once each, although the server is killed in the middle and comes back."""
        server = fresh_opensearch
        template = {"index_patterns": ["logs-sip.calls-*"], "data_stream": {}, "priority": 500}
        template["template"] = {"mappings": {"dynamic": False, "properties": {"n": {"type": "integer"}}}}
        server.ask("PUT", "/_index_template/calls", template)
        args = ("-o", server.url, "--stats-json", tmp_path / "stats")
        with Running(tmp_path, *args) as running:
            running.write(calls(range(50_000)))
            until(lambda: count(server, "logs-sip.calls-default") > 5_000, "the first calls")
            server.kill()
            until(lambda: "no answer: 127.0.0.1" in running.said, "the word that the server is away")
            server.start()
            running.write(calls(range(50_000, 100_000)))
            assert running.end() == 0
            assert "takes records again" in running.said
        found = stats(tmp_path / "stats")
        assert found["delivered"] + found["present"] == 100_000
        assert count(server, "logs-sip.calls-default") == 100_000

    @pytest.mark.parametrize("block", ["read_only_allow_delete", "write"])
    def test_a_full_disk(self, opensearch, unique, tmp_path, block):
        """While an index takes nothing, as on a full disk, records wait; then all of them arrive."""
        name = unique("full")
        opensearch.ask("PUT", f"/{name}", {"settings": {f"index.blocks.{block}": True}})
        letter = tmp_path / "letter"
        with Running(tmp_path, "-o", opensearch.url, "--index", name, "--dead-letter", letter) as running:
            running.write(calls(range(300)))
            until(lambda: "cluster_block_exception" in running.said, "the word that the index is blocked")
            opensearch.ask("PUT", f"/{name}/_settings", {f"index.blocks.{block}": None})
            assert running.end() == 0
            assert running.said.count("\n") == 2
        assert count(opensearch, name) == 300
        assert kept(letter) == []

    def test_a_mapping_conflict(self, opensearch, unique, tmp_path):
        """What does not fit the mapping lies in the dead letter with the server's reason, and nothing else does."""
        name, letter = unique("strict"), tmp_path / "letter"
        opensearch.ask("PUT", f"/{name}", {"mappings": {"properties": {"n": {"type": "integer"}}}})
        odd = call(500, n="many")
        args = ("-o", opensearch.url, "--index", name, "--dead-letter", letter, "--stats-json", tmp_path / "stats")
        done = sipsense(*args, stdin=calls(range(500)) + odd + calls(range(501, 1000)))
        assert done.returncode == 1
        assert f"1 records were not delivered: they are in {letter}" in done.stderr
        ((record, kind, reason),) = kept(letter)
        assert record["n"] == "many"
        assert record["sip"]["outcome"] == "busy"
        assert "@timestamp" not in record
        assert kind == "refused"
        assert reason.startswith("mapper_parsing_exception: failed to parse field [n] of type [integer]")
        assert count(opensearch, name) == 999
        assert stats(tmp_path / "stats") | {"delivered": 999, "dead_letter": 1} == stats(tmp_path / "stats")

    def test_a_mapping_conflict_without_a_dead_letter(self, opensearch, unique):
        """The run ends with the reason and an advice."""
        name = unique("strict")
        opensearch.ask("PUT", f"/{name}", {"mappings": {"properties": {"n": {"type": "integer"}}}})
        done = sipsense("-o", opensearch.url, "--index", name, stdin=call(1, n="many"))
        assert done.returncode == 1
        assert "a record was refused: mapper_parsing_exception: failed to parse field [n]" in done.stderr
        assert "give --dead-letter FILE" in done.stderr

    def test_a_proxy_that_spoils_everything(self, opensearch, unique, tmp_path):
        """Whatever it does to requests and answers, each call is there once and the counts add up."""
        name, letter = unique("proxy"), tmp_path / "letter"
        busy, away = faults.status(429, retry_after=0), faults.status(503)
        spoilt = (busy, faults.cut, faults.half, away, faults.garbage, faults.cut_after, faults.slow(0.3), _fewer)
        choose = faults.in_turn(*(fault for spoiler in spoilt for fault in (spoiler, None)))
        args = ("--index", name, "--dead-letter", letter, "--stats-json", tmp_path / "stats", "--batch-records", 300)
        with Faults(opensearch.url, choose, largest=150_000) as spoiler:
            done = sipsense("-o", spoiler.url, *args, stdin=calls(range(6000)) + call(6000, pad="x" * 200_000))
            assert spoiler.faults > 20
        assert done.returncode == 1
        found = stats(tmp_path / "stats")
        assert adds_up(found, 6001)
        assert (found["dead_letter"], found["undelivered"]) == (1, 0)
        assert found["present"] > 0
        assert [record["n"] for record, _, _ in kept(letter)] == [6000]
        assert kept(letter)[0][2] == "413: too large"
        assert (count(opensearch, name), distinct(opensearch, name)) == (6000, 6000)


def _fewer(forward: Callable[[], Reply]) -> Reply:
    """Pass the request on and leave out the last item of the answer."""
    answer = json.loads(forward().body)
    return reply({**answer, "items": answer["items"][:-1]})


class TestTheEnd:
    def test_a_signal(self, opensearch, unique, tmp_path):
        """What was read before SIGTERM is delivered; the rest of the input stays where it is."""
        name = unique("signal")
        with Running(tmp_path, "-o", opensearch.url, "--index", name, "--batch-time", "60") as running:
            running.write(calls(range(700)))
            time.sleep(1)  # it has read them, and waits for more
            assert running.end(signal.SIGTERM) == 128 + signal.SIGTERM
            assert running.said == ""
        assert count(opensearch, name) == 700

    def test_a_line_that_ends_the_run(self):
        """What came before it is delivered."""
        with HttpServer(took) as server:
            done = sipsense("-o", server.url, "--invalid", "fail", stdin=call(1) + call(2) + b"oops\n" + call(3))
        assert done.returncode == 3
        assert done.stderr.startswith("sipsense: line 3: expected a JSON object")
        assert b"".join(asked.body for asked in server.asked).count(b'"create"') == 2

    def test_a_signal_while_the_server_is_away(self, tmp_path):
        """After --drain seconds the rest lies in the dead letter; sent later it arrives once."""
        letter = tmp_path / "letter"
        args = ("-o", f"http://127.0.0.1:{free_port()}", "--drain", "0.5", "--dead-letter", letter)
        with Running(tmp_path, *args) as running:
            running.write(calls(range(100)))
            until(lambda: running.said.count("Connection refused") >= 1, "the word that the server is away")
            time.sleep(0.5)
            assert running.end(signal.SIGTERM) == 1
            assert f"100 records were not delivered: they are in {letter}" in running.said
        assert sorted(record["n"] for record, kind, _ in kept(letter) if kind == "not_delivered") == list(range(100))
        assert "Connection refused" in kept(letter)[0][2]
