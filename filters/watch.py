"""Follows each batch from the outlet to its acknowledgement: whether records flow, and counts for sinks without any."""

import threading
import time
from collections.abc import Callable

from filters.delivery.counts import Counts


class Watch:
    """Counts what is handed to the sink and what is acknowledged, in whatever order and by whatever thread.

    Args:
        now: the time in seconds; only differences matter.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.counts = Counts()
        self._now = now
        self._lock = threading.Lock()
        self._batches = 0
        self._since = 0.0

    def begin(self, records: int, size: int, rejected: int, ack: Callable[[], None]) -> Callable[[], None]:
        """Note that a batch is handed to the sink; return the ack to hand over with it.

        Args:
            size: its bytes.
            rejected: how many lines of it went to the dead letter instead.
        """
        begin = self._now()
        with self._lock:
            if not self._batches:
                self._since = begin
            self._batches += 1
            self.counts.records += records
            self.counts.refused += rejected
            self.counts.waiting_records += records
            self.counts.waiting_bytes += size
            if records:
                self.counts.batch_records.observe(records)

        def acknowledge() -> None:
            with self._lock:
                self._since = self._now()
                self._batches -= 1
                self.counts.delivered += records
                self.counts.waiting_records -= records
                self.counts.waiting_bytes -= size
                self.counts.latency_seconds.observe(self._since - begin)
            ack()

        return acknowledge

    @property
    def stands(self) -> float:
        """Return for how many seconds nothing was acknowledged while something waits."""
        with self._lock:
            return self._now() - self._since if self._batches else 0.0
