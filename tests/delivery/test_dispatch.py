"""Delivery to a target over HTTP: requests, acknowledgement, and what is sent again."""

import threading
import time
from collections import Counter

import pytest
from lines_target import Lines, Run, Store, numbers, until
from servers import faults
from servers.faults import Asked, Faults, HttpServer, Reply

from filters.delivery import dispatch
from filters.delivery.pauses import Pauses


@pytest.fixture(autouse=True)
def haste(monkeypatch):
    """Make pauses short."""
    monkeypatch.setattr(dispatch, "Pauses", lambda: Pauses(0.01, 0.02))


class TestRequests:
    def test_order(self):
        """With one request at a time the order is kept, and none is larger than asked."""
        store = Store()
        with HttpServer(store) as server:
            run = Run(server.port, in_flight=1)
            for begin in range(0, 1000, 7):
                run.write(*range(begin, begin + 7))
            run.finish()
        assert numbers(store) == list(range(1001))
        assert max(asked.body.count(b"\n") + 1 for asked in server.asked) == 10
        assert run.counts.delivered == run.counts.records == 1001
        assert run.counts.batch_records.sum == 1001
        assert run.acks == list(range(0, 1000, 7))

    def test_size(self):
        """A request holds so many bytes, or one record."""
        with HttpServer(Store()) as server:
            run = Run(server.port, records=1000, size=20)
            run.write(*range(10, 40), 10**30)
            run.finish()
        assert max(len(asked.body) for asked in server.asked if len(asked.body) < 30) <= 20
        assert run.counts.delivered == 31

    def test_time(self):
        """What does not fill a request is sent when it has waited long enough."""
        store = Store()
        with HttpServer(store) as server:
            run = Run(server.port)
            run.write(1, 2, 3)
            until(lambda: len(store.lines) == 3)
            until(lambda: run.acks)
            assert len(server.asked) == 1
            run.finish()

    def test_together(self):
        """Several requests are under way at the same time, and no more than asked."""
        barrier, most = threading.Barrier(3), []
        store = Store()

        def answer(asked: Asked) -> Reply:
            if asked.number < 3:
                barrier.wait(20)
            most.append(run.counts.in_flight)
            return store(asked)

        with HttpServer(answer) as server:
            run = Run(server.port, in_flight=3)
            run.write(*range(100))
            run.finish()
        assert max(most) == 3
        assert len(store.lines) == 100

    def test_next_one_is_ready(self, monkeypatch):
        """While a request is under way the next one is prepared, and no more than that."""
        held, store, prepared = threading.Event(), Store(), []
        prepare = Lines.prepare
        monkeypatch.setattr(Lines, "prepare", lambda self, items: prepared.append(len(items)) or prepare(self, items))
        with HttpServer(lambda asked: held.wait(20) and store(asked)) as server:
            run = Run(server.port, in_flight=1)
            run.write(*range(20))
            run.write(*range(20, 35))
            until(lambda: len(prepared) == 2)
            time.sleep(0.05)
            assert (prepared, run.counts.in_flight, run.counts.waiting_records) == ([10, 10], 1, 25)
            held.set()
            run.finish()
        assert numbers(store) == list(range(35))

    def test_rest_while_busy(self):
        """What is left of records when a request is full is sent in time too, while that one is under way."""
        held, store = threading.Event(), Store()
        with HttpServer(lambda asked: (asked.number != 1 or held.wait(20)) and store(asked)) as server:
            run = Run(server.port, in_flight=2)
            run.write(99)
            until(lambda: run.acks)
            time.sleep(0.05)  # all hands are empty now
            run.write(*range(13))
            until(lambda: len(store.lines) == 4)
            held.set()
            run.finish()
        assert len(store.lines) == 14

    def test_growing_while_busy(self):
        """What does not fill a request waits for more while as many as allowed are under way, however long."""
        held, store = threading.Event(), Store()
        with HttpServer(lambda asked: held.wait(20) and store(asked)) as server:
            run = Run(server.port, in_flight=1)
            run.write(0)
            until(lambda: run.counts.in_flight)
            for number in range(1, 4):
                run.write(number)
                time.sleep(0.05)
            held.set()
            run.finish()
        assert [asked.body for asked in server.asked] == [b"0", b"1\n2\n3"]

    def test_nothing(self):
        """No records are acknowledged at once, and nobody is asked."""
        with HttpServer(Store()) as server:
            run = Run(server.port)
            run.sink.write(b"", lambda: run.acks.append(0))
            run.finish()
        assert run.acks == [0]
        assert server.asked == []


class TestAcknowledgement:
    def test_whole_batches(self):
        """A batch is acknowledged when all of its requests were answered, in whatever order they are."""
        held, store = threading.Event(), Store()

        def answer(asked: Asked) -> Reply:
            if b"15" in asked.body:
                held.wait(20)
            return store(asked)

        with HttpServer(answer) as server:
            run = Run(server.port)
            run.write(*range(15))
            run.write(*range(15, 20))
            run.write(*range(20, 30))
            until(lambda: run.acks == [20])
            assert 0 not in run.acks
            held.set()
            run.finish()
        assert sorted(run.acks) == [0, 15, 20]
        assert run.counts.latency_seconds.count == 3

    def test_room(self):
        """Who writes waits while two requests' worth of records wait."""
        held, store, written = threading.Event(), Store(), []

        def answer(asked: Asked) -> Reply:
            held.wait(20)
            return store(asked)

        def write() -> None:
            for number in range(200):
                run.write(number)
                written.append(number)

        with HttpServer(answer) as server:
            run = Run(server.port)
            writer = threading.Thread(target=write)
            writer.start()
            until(lambda: run.counts.waiting_records == 20 and run.counts.in_flight == 2)
            time.sleep(0.05)
            assert len(written) <= 40
            held.set()
            writer.join(20)
            run.finish()
        assert sorted(numbers(store)) == list(range(200))

    def test_room_in_bytes(self):
        """The same goes for bytes."""
        held, store, written = threading.Event(), Store(), []

        def write() -> None:
            for number in range(50):
                run.write(10**30 + number)
                written.append(number)

        with HttpServer(lambda asked: held.wait(20) and store(asked)) as server:
            run = Run(server.port, records=10_000, size=100)
            writer = threading.Thread(target=write)
            writer.start()
            until(lambda: run.counts.waiting_bytes >= 200 and run.counts.in_flight == 2)
            time.sleep(0.05)
            assert len(written) <= 14
            held.set()
            writer.join(20)
            run.finish()
        assert len(store.lines) == 50


class TestRetries:
    @pytest.mark.parametrize(
        "fault",
        [faults.status(429), faults.status(503), faults.cut, faults.cut_after, faults.half, faults.garbage],
        ids=["429", "503", "cut", "cut after", "half", "garbage"],
    )
    def test_whole_requests(self, fault, capsys):
        """What a server did not take, or took without saying so, is sent again, and nothing else; it is told once."""
        store = Store()
        with HttpServer(store) as server, Faults(server.url, faults.in_turn(fault, fault, None)) as spoiler:
            run = Run(spoiler.port, in_flight=1)
            run.write(*range(50))
            run.finish()
        assert numbers(store) == list(range(50))
        assert run.counts.delivered + run.counts.present == 50
        assert (run.counts.requests, run.counts.retries, run.counts.failures) == (15, 10, 10)
        said = capsys.readouterr().err
        assert said.count("it is sent again") == said.count("takes records again") == 1

    def test_items(self):
        """Of a request that was taken in part only the rest is sent again."""
        busy = Counter()

        def status(line: bytes) -> int:
            busy[line] += 1
            return 429 if line in (b"3", b"7") and busy[line] < 3 else 200

        store = Store(status)
        with HttpServer(store) as server:
            run = Run(server.port)
            run.write(*range(10))
            run.finish()
        assert [asked.body for asked in server.asked][1:] == [b"3\n7", b"3\n7"]
        assert (run.counts.delivered, run.counts.retries) == (10, 2)
        assert run.acks == [0]

    def test_retry_after(self, monkeypatch):
        """The pause that a server asks for is made."""
        asked_for = []

        class Noting(Pauses):
            def next(self, retry_after=None):
                asked_for.append(retry_after)
                return super().next()

        monkeypatch.setattr(dispatch, "Pauses", lambda: Noting(0.01, 0.02))
        store = Store()
        choose = faults.in_turn(faults.status(429, retry_after=17), faults.status(503, retry_after=19), None)
        with HttpServer(store) as server, Faults(server.url, choose) as spoiler:
            run = Run(spoiler.port, in_flight=1)
            run.write(1)
            run.finish()
        assert asked_for == [17, 19]

    def test_too_large(self):
        """A request that is too large is halved until its parts are not."""
        store = Store()
        with HttpServer(store) as server, Faults(server.url, lambda _: None, largest=10) as spoiler:
            run = Run(spoiler.port, in_flight=1)
            run.write(*range(10, 40))
            run.finish()
        assert numbers(store) == list(range(10, 40))
        assert run.counts.delivered == 30
