"""What became of each record: counted once, acknowledged when its batch is complete, told at the end."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from filters.delivery.counts import Counts
from filters.delivery.target import Receipt
from filters.errors import OutputFailed
from filters.invalid import DeadLetter
from filters.messages import warn

Acks = list[Callable[[], None]]

# Seconds before the same kind of trouble is told again.
_QUIET = 60.0


class Ledger:
    """The counts of a sink, and why its run ends. Who writes holds the sink's lock, and calls acks when it is free.

    Args:
        name: of the target, for messages.
        dead_letter: where what the target does not take goes; None for nowhere.
    """

    def __init__(self, name: str, dead_letter: DeadLetter | None) -> None:
        self.counts = Counts()
        self.failure: OutputFailed | None = None
        self.trouble = ""  # the last one
        self._name = name
        self._dead_letter = dead_letter
        self._told: dict[str, float] = {}
        self._troubled = False

    def settled(self, receipts: Sequence[Receipt]) -> Acks:
        """Take a record of each of these batches for settled; return the acks of the batches that are complete."""
        acks, now = [], time.monotonic()
        for receipt, count in Counter(receipts).items():
            receipt.left -= count
            if not receipt.left:
                self.counts.latency_seconds.observe(now - receipt.begun)
                acks.append(receipt.ack)
        return acks

    def keep(self, records: Sequence[tuple[bytes, str]], receipts: Sequence[Receipt], kind: str) -> Acks:
        """Put records into the dead letter; return what is to be acknowledged then.

        Args:
            records: each with the reason.
            kind: `refused` or `not_delivered`; without a dead letter a record that is refused ends the run.
        """
        try:
            if self._dead_letter:
                self._dead_letter.keep(records, kind)
                self.counts.refused += len(records)
                return self.settled(receipts)
            if kind == "refused":
                advice = "give --dead-letter FILE to keep such records there and go on"
                self.fail(f"a record was refused: {records[0][1]}; {advice}")
        except OutputFailed as failed:
            self.failure = self.failure or failed
        self.counts.undelivered += len(records)
        return []

    def fail(self, why: str) -> None:
        """End the run; the first reason is the one that is told."""
        self.failure = self.failure or OutputFailed(f"{self._name}: {why}")

    def close(self) -> None:
        """Say what was not delivered.

        Raises:
            OutputFailed: something was not.
        """
        left = self.counts.refused + self.counts.undelivered
        if self.failure:
            raise OutputFailed(f"{self.failure}{f'; {left} records were not delivered' if left else ''}")
        if left:
            where = f"they are in {self._dead_letter.path}" if self._dead_letter else "they were not taken"
            raise OutputFailed(f"{left} records were not delivered: {where}")

    def note(self, why: str) -> None:
        """Note why something is sent again, and say it, each kind of trouble once in a while.

        Args:
            why: its kind, a colon, and more; "" when all went well.
        """
        if why:
            self.trouble = why
            kind, now = why.partition(":")[0], time.monotonic()
            if now - self._told.get(kind, -_QUIET) >= _QUIET:
                self._told[kind] = now
                self._troubled = True
                warn(f"{self._name}: {why}; it is sent again until it is taken")
        elif self._troubled:
            self._troubled = False
            warn(f"{self._name}: takes records again")
