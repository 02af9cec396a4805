"""Delivery to a target over HTTP: what it never takes, and how a run ends."""

import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lines_target import Lines, Run, Store, numbers, until
from servers import faults
from servers.faults import Asked, Faults, HttpServer, Reply

from filters.delivery import dispatch
from filters.delivery.pauses import Pauses
from filters.errors import OutputFailed


@pytest.fixture(autouse=True)
def haste(monkeypatch):
    """Make pauses short."""
    monkeypatch.setattr(dispatch, "Pauses", lambda: Pauses(0.01, 0.02))


class TestRefused:
    def test_dead_letter(self, tmp_path):
        """What the target never takes lies in the dead letter with its reason; the rest arrives, all is acked."""
        store = Store(lambda line: 422 if line == b"5" else 200)
        with HttpServer(store) as server:
            run = Run(server.port, tmp_path / "letter")
            run.write(*range(10))
            with pytest.raises(OutputFailed, match=f"1 records were not delivered: they are in {tmp_path / 'letter'}"):
                run.finish()
        assert sorted(numbers(store)) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
        assert run.kept == [("5", "refused")]
        assert run.acks == [0]
        assert (run.counts.delivered, run.counts.refused) == (9, 1)

    def test_by_the_encoder(self, tmp_path):
        """The same goes for what cannot be sent to such a target at all."""
        with HttpServer(Store()) as server:
            run = Run(server.port, tmp_path / "letter")
            run.write(1, 10**60, 2)
            run.write(10**61)
            with pytest.raises(OutputFailed, match="2 records"):
                run.finish()
        assert run.kept == [(str(10**60), "refused"), (str(10**61), "refused")]
        assert sorted(run.acks) == [1, 10**61]

    def test_too_large_alone(self, tmp_path):
        """A record that is too large by itself is refused."""
        store = Store()
        with HttpServer(store) as server, Faults(server.url, lambda _: None, largest=10) as spoiler:
            run = Run(spoiler.port, tmp_path / "letter")
            run.write(1, 10**12, 2)
            with pytest.raises(OutputFailed):
                run.finish()
        assert run.kept == [(str(10**12), "refused")]
        assert sorted(numbers(store)) == [1, 2]

    def test_one_that_spoils_the_request(self, tmp_path):
        """Where a whole request is called bad, the record to blame is found."""
        store = Store()

        def answer(asked: Asked) -> Reply:
            return Reply(400) if b"13" in asked.body.split(b"\n") else store(asked)

        with HttpServer(answer) as server:
            run = Run(server.port, tmp_path / "letter")
            run.write(*range(20))
            with pytest.raises(OutputFailed):
                run.finish()
        assert run.kept == [("13", "refused")]
        assert run.counts.delivered == 19

    def test_without_a_dead_letter(self):
        """The run ends with the reason and an advice, and the batch is not acknowledged."""
        store = Store(lambda line: 422 if line == b"5" else 200)
        with HttpServer(store) as server:
            run = Run(server.port, in_flight=1)
            run.write(*range(10))
            until(lambda: store.lines)
            with pytest.raises(OutputFailed, match="lines: a record was refused: never; give --dead-letter FILE"):
                run.write_until_it_fails()
            with pytest.raises(OutputFailed, match=r"a record was refused: never;.*; \d+ records were not delivered"):
                run.finish()
        assert 0 not in run.acks
        assert run.counts.undelivered >= 1

    def test_a_dead_letter_that_cannot_be_written(self):
        """The run ends, and nothing of it is acknowledged."""
        with HttpServer(Store(lambda line: 422)) as server:
            run = Run(server.port, "/dev/full")
            run.write(1)
            with pytest.raises(OutputFailed, match="/dev/full: cannot be written: No space left on device"):
                run.finish()
        assert run.acks == []
        assert run.counts.undelivered == 1


class TestDenied:
    def test_from_the_start(self):
        """A target that turns down the first requests ends the run."""
        with HttpServer(lambda _: Reply(401, b"who are you?")) as server:
            run = Run(server.port)
            run.write(1)
            with pytest.raises(OutputFailed, match=r"lines: 401: who are you\?; 1 records were not delivered"):
                run.finish()
        assert len(server.asked) == 4

    def test_a_few_times(self):
        """Not so if it changes its mind soon, as one does that has just started."""
        store = Store()
        with HttpServer(lambda asked: store(asked) if asked.number > 2 else Reply(403)) as server:
            run = Run(server.port)
            run.write(1)
            run.finish()
        assert numbers(store) == [1]

    def test_later(self, capsys):
        """Later, records wait until it takes them again."""
        store, denied = Store(), threading.Event()
        with HttpServer(lambda asked: Reply(401) if denied.is_set() else store(asked)) as server:
            run = Run(server.port)
            run.write(1)
            until(lambda: run.acks)
            denied.set()
            run.write(2)
            until(lambda: len(server.asked) > 10)
            denied.clear()
            run.finish()
        assert numbers(store) == [1, 2]
        assert capsys.readouterr().err == (
            "sipsense: lines: 401; it is sent again until it is taken\nsipsense: lines: takes records again\n"
        )


class TestTheEnd:
    def test_in_time(self):
        """What was read before a signal is still delivered."""
        store, held = Store(), threading.Event()
        with HttpServer(lambda asked: held.wait(20) and store(asked)) as server:
            run = Run(server.port, drain=20.0)
            run.write(*range(30))
            run.signals.stop = 15
            held.set()
            run.finish()
        assert run.counts.delivered == 30

    @pytest.mark.parametrize("letter", [True, False])
    def test_out_of_time(self, tmp_path, letter):
        """What is not delivered then lies in the dead letter, acknowledged, or is counted and nothing else."""
        with HttpServer(lambda _: Reply(503)) as server:
            run = Run(server.port, tmp_path / "letter" if letter else None)
            run.write(*range(15))
            until(lambda: run.counts.in_flight)
            run.signals.stop = 15
            where = "they are in" if letter else "they were not taken"
            with pytest.raises(OutputFailed, match=f"^15 records were not delivered: {where}"):
                run.finish()
            with pytest.raises(OutputFailed, match=r"^15 records"):
                run.sink.finish()
        if letter:
            assert sorted(int(text) for text, kind in run.kept if kind == "not_delivered") == list(range(15))
            assert "lines: 503" in (tmp_path / "letter").read_text()
        assert (run.acks, run.counts.refused, run.counts.undelivered) == (([0], 15, 0) if letter else ([], 0, 15))

    def test_it_goes_on_without_the_flow(self, tmp_path):
        """Time runs out also while the flow still waits for its source, which waits for the acks."""
        with HttpServer(lambda _: Reply(503)) as server:
            run = Run(server.port, tmp_path / "letter")
            run.write(1)
            run.signals.stop = 15
            until(lambda: run.acks == [1])
            run.write(2)
            assert run.acks == [1, 2]
            with pytest.raises(OutputFailed, match=r"^2 records"):
                run.finish()

    def test_an_answer_that_comes_too_late(self, tmp_path):
        """A record is counted once, even if it was taken after it was given up."""
        held, store, late = threading.Event(), Store(), threading.Event()

        def answer(asked: Asked) -> Reply:
            held.wait(20)
            late.set()
            return store(asked)

        with HttpServer(answer) as server:
            run = Run(server.port, tmp_path / "letter")
            run.write(1)
            until(lambda: run.counts.in_flight)
            run.signals.stop = 15
            with pytest.raises(OutputFailed):
                run.finish()
            held.set()
            until(lambda: not run.counts.in_flight)
        assert late.is_set()
        assert (run.counts.delivered, run.counts.refused) == (0, 1)
        assert run.acks == [1]

    def test_haste(self, monkeypatch):
        """A long pause is cut short when the time is running out."""
        monkeypatch.setattr(dispatch, "Pauses", lambda: Pauses(1000.0, 1000.0))
        monkeypatch.setattr(dispatch, "_HASTE", 0.01)
        store = Store()
        with HttpServer(store) as server, Faults(server.url, faults.in_turn(faults.cut, None)) as spoiler:
            run = Run(spoiler.port, in_flight=1, drain=60.0)
            run.write(1)
            until(lambda: spoiler.faults)
            run.signals.stop = 15
            run.finish()
        assert numbers(store) == [1]

    def test_a_fault_of_our_own(self, monkeypatch):
        """Where delivery itself fails the run ends instead of waiting for ever."""
        monkeypatch.setattr(threading, "excepthook", lambda *_: None)
        monkeypatch.setattr(Lines, "judge", lambda *_: 1 / 0)
        with HttpServer(Store()) as server:
            run = Run(server.port)
            run.write(1)
            with pytest.raises(OutputFailed, match="lines: internal error: ZeroDivisionError"):
                run.finish()
        assert run.counts.undelivered == 1


FAULTS = {
    "none": None,
    "429": faults.status(429),
    "500": faults.status(500),
    "413": faults.status(413),
    "cut": faults.cut,
    "cut after": faults.cut_after,
    "half": faults.half,
    "garbage": faults.garbage,
}


@settings(max_examples=25)
@given(
    order=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=12).filter(lambda names: "none" in names),
    statuses=st.lists(st.sampled_from([200, 200, 200, 422, 429]), min_size=1, max_size=9),
    batches=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    in_flight=st.integers(1, 4),
)
def test_counts_add_up(tmp_path_factory, order, statuses, batches, in_flight):
    """Whatever goes wrong: each record is in one place, once; what is counted is what is there; all is acknowledged."""
    tries: Counter[bytes] = Counter()

    def status(line: bytes) -> int:
        tries[line] += 1
        wanted = statuses[int(line) % len(statuses)]
        return 200 if wanted == 429 and tries[line] > 1 else wanted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "Pauses", lambda: Pauses(0.001, 0.002))
        store = Store(status)
        choose = faults.in_turn(*(FAULTS[name] for name in order))
        with HttpServer(store) as server, Faults(server.url, choose) as spoiler:
            run = Run(spoiler.port, tmp_path_factory.mktemp("run") / "letter", in_flight=in_flight, seconds=0.001)
            number = 0
            for size in batches:
                run.write(*range(number, number + size))
                number += size
            try:
                run.finish()
            except OutputFailed:
                assert run.counts.refused
    kept = [int(text) for text, _ in run.kept]
    # A single record with 413 is refused, though the target might have had it from a try before that was cut off.
    assert set(numbers(store)) | set(kept) == set(range(number))
    assert len(kept) == len(set(kept)) == run.counts.refused
    assert set(store.lines.values()) <= {1}
    assert run.counts.delivered + run.counts.present == number - len(kept)
    assert len(run.acks) == len(batches)
