"""The acknowledgement on its way through the flow."""

import os

import pytest

from enricher.enrich import Enricher
from enricher.profiles import custom_profile
from filters.batch import Batch
from filters.errors import InvalidLine, OutputFailed
from filters.invalid import DeadLetter, Invalid
from filters.pipeline import Outlet, Stage
from filters.sinks.descriptor import Descriptor


class Later:
    """A sink that acknowledges when it is told to."""

    def __init__(self) -> None:
        self.acks = []

    def write(self, data, ack):
        self.acks.append(ack)


def stage(mode="wrap", *, apart=False, make=Enricher) -> Stage:
    """Return a stage."""
    return Stage(make, Invalid(mode, apart=apart), 1000, count=False)


def test_a_sink_that_takes_its_time():
    """A batch is acknowledged when the sink says so, not when it was handed over."""
    sink, heard = Later(), []
    Outlet(sink, None).write(stage().process(Batch(b"{}\n")), lambda: heard.append(1))
    assert heard == []
    sink.acks[0]()
    assert heard == [1]


def test_a_descriptor():
    """A file takes a batch at once, or not at all."""
    reader, writer = os.pipe()
    heard = []
    Descriptor(writer, "x").write(b"{}\n", lambda: heard.append(1))
    assert (os.read(reader, 10), heard) == (b"{}\n", [1])
    os.close(reader)
    os.close(writer)
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OutputFailed):
        Descriptor(full, "x").write(b"{}\n", lambda: heard.append(2))
    os.close(full)
    assert heard == [1]


def test_nothing_but_lines_that_are_no_records(tmp_path):
    """A batch that lies in the dead letter as a whole is acknowledged by the sink, which gets nothing of it."""
    sink, letter = Later(), DeadLetter(str(tmp_path / "letter"))
    Outlet(sink, letter).write(stage(apart=True).process(Batch(b"oops\n")), lambda: None)
    assert len(sink.acks) == 1
    assert b"oops" in (tmp_path / "letter").read_bytes()


def test_a_batch_that_ends_the_run():
    """It is never acknowledged, since not all of it was written."""
    sink, heard = Later(), []
    with pytest.raises(InvalidLine):
        Outlet(sink, None).write(stage("fail").process(Batch(b"{}\noops\n")), lambda: heard.append(1))
    sink.acks[0]()
    assert heard == []


def test_identity_after_a_reload():
    """What tells records apart follows from the profiles that are loaded now."""
    enrichers = [Enricher(), Enricher(custom=custom_profile(["c"], [], []))]
    running = stage(make=lambda: enrichers.pop(0))
    assert running.identify([b'{"sip_code":486}'])[0].profile == "generic"
    running.reload()
    assert running.identify([b'{"sip_code":486}'])[0].profile is None
    assert running.identify([b'{"c":486}'])[0].profile
