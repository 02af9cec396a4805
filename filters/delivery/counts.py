"""What became of the records that a sink took, in numbers that anyone may read at any time."""

from bisect import bisect_left
from collections.abc import Sequence

BATCHES = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Histogram:
    """How often values fell into each of a few ranges.

    Args:
        bounds: the largest value of each range but the last, ascending.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """Return how many values there were."""
        return sum(self.counts)

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Counts:
    """The counts of one sink; at its end `records` is the sum of delivered, present, refused and undelivered.

    Only the sink writes them, under its own lock.
    """

    def __init__(self) -> None:
        self.records = 0  # taken from the flow
        self.delivered = 0
        self.present = 0  # were there already
        self.refused = 0  # lie in the dead letter
        self.undelivered = 0  # are nowhere
        self.arrival_time = 0  # bear the time of their arrival for want of their own
        self.requests = 0
        self.retries = 0  # requests that repeat one
        self.failures = 0  # requests without a usable answer
        self.waiting_records = 0
        self.waiting_bytes = 0
        self.in_flight = 0  # requests without an answer so far
        self.batch_records = Histogram(BATCHES)  # of each request
        self.latency_seconds = Histogram(SECONDS)  # of each batch of the source, from its arrival to the last answer

    def as_dict(self) -> dict[str, int]:
        """Return what `--stats-json` writes."""
        return {
            "delivered": self.delivered,
            "present": self.present,
            "dead_letter": self.refused,
            "undelivered": self.undelivered,
            "requests": self.requests,
            "retries": self.retries,
            "failures": self.failures,
        }
