"""Fluentd, Fluent Bit or another server of the forward protocol as a sink."""

import time
from collections.abc import Callable, Sequence

import msgspec

from filters.batch import nobody
from filters.codecs.convert import entries_of, json_of
from filters.delivery.counts import Counts
from filters.delivery.pauses import Pauses
from filters.endpoints import Context
from filters.errors import OutputFailed
from filters.forward.target import Failure, GivenUp, Target
from filters.forward.wire import new_chunk, packed_forward, split
from filters.messages import warn

# Seconds between two rounds through all targets.
_LONGEST_PAUSE = 10.0

# Fluentd closes the connection over an event that is larger than its chunks, and does the same while its buffers are
# full. So heavy messages are tried a few times, then in halves; light ones are tried until they are taken.
_HEAVY = 256 * 1024
_TRIES = 6


class _TooHeavy(Exception):
    """The targets have got a message several times and did not take it."""


class Settings(msgspec.Struct, frozen=True):
    """How a sink delivers.

    Args:
        tag: makes the tag of what it is for events, and of nothing for lines.
        acks: whether a message counts as delivered when the target says so, or when it is sent.
        gzip: whether messages are compressed.
        drain: seconds that are left for delivery when a signal asks for the end.
    """

    tag: Callable[[str], str]
    acks: bool = True
    gzip: bool = False
    drain: float = 10.0


class Forward:
    """Delivers events in batches; the next target takes the place of one that fails.

    Args:
        connect: makes the targets, given what tells how many seconds are left.
    """

    def __init__(
        self,
        connect: Callable[[Callable[[], float | None]], Sequence[Target]],
        settings: Settings,
        context: Context,
    ) -> None:
        self.counts = Counts()
        self._settings = settings
        self._signals = context.signals
        self._dead_letter = context.dead_letter
        self._due: float | None = None
        self._targets = connect(self._left)
        self._now = 0

    def write(self, data: bytes, ack: Callable[[], None] = nobody) -> None:
        """Deliver JSON lines; their time is now.

        Raises:
            OutputFailed: they could not be delivered, and there is no other place for them.
        """
        entries, count = entries_of(data, time.time_ns())
        self.write_events("", entries, count, ack)

    def write_events(self, tag: str, entries: bytes, count: int, ack: Callable[[], None]) -> None:
        """Deliver the entries of events, then call `ack`.

        Raises:
            OutputFailed: they could not be delivered, and there is no other place for them.
        """
        if count:
            begin = time.monotonic()
            self.counts.records += count
            self._hand_over(self._settings.tag(tag), entries, count, tries=_TRIES if len(entries) > _HEAVY else 0)
            self.counts.latency_seconds.observe(time.monotonic() - begin)
        ack()

    def close(self) -> None:
        """Leave the targets."""
        for target in self._targets:
            target.close()

    def finish(self) -> None:
        """Say what is left.

        Raises:
            OutputFailed: something is.
        """
        left = self.counts.refused + self.counts.undelivered
        if left:
            where = f"they are in {self._dead_letter.path}" if self._dead_letter else "they were not taken"
            raise OutputFailed(f"{left} records were not delivered: {where}")

    def _hand_over(self, tag: str, entries: bytes, count: int, *, tries: int) -> None:
        """Deliver entries; what is too heavy for the targets in smaller parts, and one event that is, not at all."""
        chunk = new_chunk() if self._settings.acks else ""
        message = packed_forward(tag, entries, count, chunk, gzip=self._settings.gzip)
        try:
            self._deliver(message, chunk, tries)
            self.counts.delivered += count
            self.counts.batch_records.observe(count)
        except GivenUp:
            self._give_up(entries, count, "not_delivered")
        except _TooHeavy:
            if count == 1:
                self._give_up(entries, count, "refused")
                return
            pairs = list(map(bytes.__add__, *split(entries, count)))
            for part in (pairs[: count // 2], pairs[count // 2 :]):
                self._write_part(tag, part)

    def _write_part(self, tag: str, pairs: Sequence[bytes]) -> None:
        """Deliver entries under a tag that is made already."""
        entries = b"".join(pairs)
        may_end = len(pairs) > 1 or self._dead_letter is not None
        self._hand_over(tag, entries, len(pairs), tries=_TRIES if may_end and len(entries) > _HEAVY else 0)

    def _deliver(self, message: Sequence[bytes], chunk: str, tries: int) -> None:
        """Hand the message to a target, to each in turn, until one has taken it.

        Args:
            tries: how often one after the other it may be sent whole without being taken; 0 for without end.

        Raises:
            GivenUp: there is no time left.
            _TooHeavy: it was sent so often.
        """
        pauses = Pauses(longest=_LONGEST_PAUSE)
        failures = handed = 0
        while True:
            left = self._left()
            if left is not None and left <= 0:
                raise GivenUp
            target = self._targets[self._now]
            self.counts.requests += 1
            self.counts.retries += failures > 0
            try:
                target.deliver(message, chunk)
            except Failure as failure:
                self._note(target, failure)
                handed = handed + 1 if failure.handed else 0
                if tries and handed >= tries:
                    raise _TooHeavy from None
            else:
                self._delivered(target)
                return
            self._now = (self._now + 1) % len(self._targets)
            failures += 1
            self.counts.failures += 1
            if failures % len(self._targets) == 0:
                self._signals.sleep(self._at_most(pauses.next()))

    def _at_most(self, seconds: float) -> float:
        left = self._left()
        return seconds if left is None else max(0.0, min(seconds, left))

    def _left(self) -> float | None:
        """Return how many seconds are left, None while nobody asked for the end."""
        if self._due is None:
            if not self._signals.stop:
                return None
            self._due = time.monotonic() + self._settings.drain
        return self._due - time.monotonic()

    def _note(self, target: Target, failure: Failure) -> None:
        if target.failing != str(failure):
            target.failing = str(failure)
            warn(f"{target.name}: did not take what was sent: {failure}; it is sent again until it is taken")

    def _delivered(self, target: Target) -> None:
        if target.failing:
            target.failing = ""
            warn(f"{target.name}: takes records again")

    def _give_up(self, entries: bytes, count: int, kind: str) -> None:
        if self._dead_letter is None:
            self.counts.undelivered += count
            self.finish()
            return
        self.counts.refused += count
        names = ", ".join(target.name for target in self._targets)
        why = next((target.failing for target in self._targets if target.failing), "there was no time left")
        _, records = split(entries, count)
        self._dead_letter.keep([(json_of(record), f"{names}: {why}") for record in records], kind)
