from servers.process import free_port

from filters.batch import nobody
from filters.monitor import PATIENCE, Monitor
from filters.watch import Watch


class Clock:
    """A time that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_acknowledgements_in_any_order():
    """A batch counts as delivered when it is acknowledged, whichever comes first, and its source hears of it."""
    watch, heard = Watch(), []
    first = watch.begin(3, 30, 0, lambda: heard.append("first"))
    second = watch.begin(5, 50, 1, lambda: heard.append("second"))
    counts = watch.counts
    assert (counts.records, counts.delivered, counts.waiting_records, counts.waiting_bytes) == (8, 0, 8, 80)
    second()
    assert (counts.delivered, counts.waiting_records, counts.waiting_bytes, counts.refused) == (5, 3, 30, 1)
    first()
    assert (counts.delivered, counts.waiting_records, counts.waiting_bytes) == (8, 0, 0)
    assert heard == ["second", "first"]
    assert counts.batch_records.count == counts.latency_seconds.count == 2


def test_latency_is_from_handing_over_to_acknowledgement():
    """The time of a batch is counted from its begin to its acknowledgement."""
    clock = Clock()
    watch = Watch(clock)
    ack = watch.begin(1, 10, 0, nobody)
    clock.now = 7.0
    ack()
    assert watch.counts.latency_seconds.sum == 7.0


def test_a_sink_stands_only_while_something_waits():
    """A sink stands from the last acknowledgement on, and not at all while nothing waits."""
    clock = Clock()
    watch = Watch(clock)
    clock.now = 1000.0
    assert watch.stands == 0
    first, second = watch.begin(1, 10, 0, nobody), watch.begin(1, 10, 0, nobody)
    clock.now = 1005.0
    assert watch.stands == 5
    first()
    clock.now = 1006.0
    assert watch.stands == 1
    second()
    clock.now = 2000.0
    assert watch.stands == 0


def test_readiness():
    """It is not ready while a sink stands for long, nor after a signal; each reason is a line."""
    monitor, clock = Monitor(f":{free_port()}"), Clock()
    monitor.watch = Watch(clock)
    obstacles = monitor.obstacles
    try:
        assert obstacles(lambda: 0) == []
        monitor.watch.begin(1, 10, 0, nobody)
        clock.now = PATIENCE
        assert obstacles(lambda: 0) == []
        clock.now = PATIENCE + 1
        assert obstacles(lambda: 0) == ["the output has taken nothing for 61 seconds, and records wait"]
        assert obstacles(lambda: 15)[0] == "a signal asked for the end"
    finally:
        monitor.close()
