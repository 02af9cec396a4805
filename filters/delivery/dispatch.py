"""Delivers records in requests: several at a time, each again and again until the target has taken it.

The thread of the flow makes items of the records and puts them in a queue; it waits while that is full. Workers take
what fills a request, or what has waited long enough, prepare it, send it when it is its turn and look at the answer for
each item. There is one worker more than there are turns, so that the next request is ready when an answer comes.
Whatever comes of a request is noted under one lock, so that each record is counted once, even if the time is over in
that moment.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from itertools import repeat
from typing import Any, Generic

import msgspec

from filters.batch import nobody
from filters.delivery.http import Unreachable
from filters.delivery.ledger import Acks, Ledger
from filters.delivery.pauses import Pauses
from filters.delivery.target import Receipt, T, Target, Verdict
from filters.endpoints import Context

# Seconds between two looks at the signals.
_LOOK = 0.1
# How often a target may turn down the first request before that ends the run; it may have just been started.
_TRIES = 4
# While the time is running out, pauses are no longer than this.
_HASTE = 1.0
# Seconds after which a thread that makes items lets the one go on that has an answer in hand; with Python's 5 ms the
# target waits for the next request a third of the time.
_SWITCH = 0.0005


class Settings(msgspec.Struct, frozen=True):
    """How requests are made.

    Args:
        records: how many records are in one, at most.
        size: how many bytes, at most; a single record may have more.
        seconds: how long one that is not full waits for more records.
        in_flight: how many are under way at a time, at most; with 1 the order is kept.
        drain: seconds that are left for delivery when a signal asks for the end.
    """

    records: int = 2000
    size: int = 4 << 20
    seconds: float = 0.1
    in_flight: int = 4
    drain: float = 10.0


class _Flight(Generic[T]):
    """What a worker has in hand: requests that it has still to bring to their end, the next one last."""

    def __init__(self, items: list[T], size: int) -> None:
        self.parts = [items]
        self.size = size
        self.request: Any = None  # the next one, when it is ready

    @property
    def items(self) -> list[T]:
        """Return those of the next request, none if all came to their end."""
        return self.parts[-1] if self.parts else []

    def replace(self, *parts: list[T]) -> None:
        """Put others in the place of the next request."""
        self.parts[-1:] = parts
        self.request = None

    def take(self) -> list[T]:
        """Return all items, in order, and keep none."""
        parts, self.parts = self.parts, []
        return [item for part in reversed(parts) for item in part]


class Dispatch(Generic[T]):
    """A sink that delivers to a target; what is common to all targets."""

    def __init__(self, target: Target[T], settings: Settings, context: Context) -> None:
        self._target = target
        self._settings = settings
        self._signals = context.signals
        self._ledger = Ledger(target.name, context.dead_letter)
        self.counts = self._ledger.counts
        self._waiting: deque[T] = deque()
        self._size = 0  # bytes that wait
        self._flights: list[_Flight[T]] = []  # the first ones have their turn
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._news = threading.Condition(lock)  # for a worker with empty hands; each wake-up takes the flow's time
        self._started = False
        self._closed = threading.Event()
        self._finishing = False  # no more comes
        self._hasty = False  # the time is running out
        self._over = False  # it is over: what comes now is given up at once
        self._accepted = False  # the target has taken something

    # What the flow calls

    def write(self, data: bytes, ack: Callable[[], None] = nobody) -> None:
        """Take JSON lines; their time is now.

        Raises:
            OutputFailed: the run cannot go on.
        """
        self._take_in(list(BytesIO(data)), repeat(time.time_ns()), ack)

    def write_events(self, tag: str, entries: bytes, count: int, ack: Callable[[], None]) -> None:
        """Take the entries of events.

        Raises:
            OutputFailed: the run cannot go on.
        """
        from filters.codecs.convert import json_of, nanoseconds_of
        from filters.forward.wire import split

        heads, records = split(entries, count)
        self._take_in([json_of(record) + b"\n" for record in records], map(nanoseconds_of, heads), ack)

    def finish(self) -> None:
        """Wait until everything is delivered; after a signal until the time is over, and then give the rest up.

        Raises:
            OutputFailed: records were not delivered.
        """
        with self._changed:
            self._finishing = True
            self._tell()
            self._changed.wait_for(lambda: self._failed or not (self._waiting or self._flights))
            # What is under way may still arrive; nothing new is sent.
            self._changed.wait_for(lambda: not self._flights, self._settings.drain)
        self._give_up()
        self._ledger.close()

    def close(self) -> None:
        """Close the connections; what is not delivered by now is not."""
        self._closed.set()
        with self._changed:
            self._over = True
            self._tell()
        self._target.close()

    @property
    def _failed(self) -> bool:
        return self._ledger.failure is not None

    def _take_in(self, lines: Sequence[bytes], times: Iterable[int], ack: Callable[[], None]) -> None:
        if not lines:
            ack()
            return
        refused: list[tuple[bytes, str]] = []
        items = self._target.items(lines, times, refused)
        self.counts.arrival_time = self._target.arrival_time
        receipt = Receipt(len(lines), ack, time.monotonic())
        for item in items:
            item.receipt = receipt
        with self._changed:
            self._start()
            self.counts.records += len(lines)
            self._changed.wait_for(lambda: self._failed or self._over or self._has_room())
            acks = self._ledger.keep(refused, [receipt] * len(refused), "refused") if refused else []
            if self._failed or self._over:
                acks += self._left(items)
            else:
                self._put(items)
        _call(acks)
        if self._ledger.failure:
            raise self._ledger.failure

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        sys.setswitchinterval(_SWITCH)
        for work in (*[self._work] * (self._settings.in_flight + 1), self._watch):
            threading.Thread(target=work, daemon=True).start()

    def _has_room(self) -> bool:
        """Return whether less waits for its turn than what two requests can take."""
        counts, settings = self.counts, self._settings
        return counts.waiting_records < 2 * settings.records and counts.waiting_bytes < 2 * settings.size

    def _put(self, items: list[T]) -> None:
        news = not self._waiting  # a worker has to look at the clock from now on
        self._waiting.extend(items)
        size = sum([item.size for item in items])
        self._size += size
        self.counts.waiting_records += len(items)
        self.counts.waiting_bytes += size
        if news or self._is_full():
            self._news.notify()

    def _tell(self) -> None:
        self._changed.notify_all()
        self._news.notify_all()

    # What the workers do

    def _work(self) -> None:
        """Deliver until nothing more comes."""
        try:
            while flight := self._next():
                self._deliver(flight)
        except Exception as error:
            with self._changed:
                self._ledger.fail(f"internal error: {type(error).__name__}: {error}")
                self._tell()
            raise

    def _next(self) -> _Flight[T] | None:
        """Wait for what fills a request, or has waited long enough and can be sent now; None if nothing more comes."""
        with self._changed:
            while not (self._over or self._failed):
                if not self._waiting:
                    if self._finishing:
                        return None
                    self._news.wait()
                    continue
                left = self._waiting[0].receipt.begun + self._settings.seconds - time.monotonic()
                can_wait = left > 0 and not self._finishing
                if self._is_full() or not (can_wait or len(self._flights) >= self._settings.in_flight):
                    flight = self._taken()
                    if self._waiting:
                        self._news.notify()  # another one looks after the rest
                    return flight
                self._news.wait(left if can_wait else None)
        return None

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._settings.records or self._size >= self._settings.size

    def _taken(self) -> _Flight[T]:
        """Take what goes into one request, at least one item."""
        waiting = self._waiting
        items = [waiting.popleft() for _ in range(min(self._settings.records, len(waiting)))]
        size = sum([item.size for item in items])
        while len(items) > 1 and size > self._settings.size:
            waiting.appendleft(items.pop())
            size -= waiting[0].size
        self._size -= size
        flight = _Flight(items, size)
        self._flights.append(flight)
        return flight

    def _await_turn(self, flight: _Flight[T]) -> None:
        """Wait until the flights before it are few enough."""
        first = self._settings.in_flight
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._failed or flight in self._flights[:first])
            if flight.parts:
                self.counts.waiting_records -= len(flight.items)
                self.counts.waiting_bytes -= flight.size
                self._changed.notify_all()

    def _deliver(self, flight: _Flight[T]) -> None:
        """Bring all of a flight to its end, unless the run ends before."""
        pauses, tries = Pauses(), 0
        flight.request = self._target.prepare(flight.items)
        self._await_turn(flight)
        while flight.parts and not (self._over or self._failed):
            items = flight.items
            verdict = self._ask(flight, items, tries)
            with self._changed:
                # It may have been given up meanwhile.
                acks = self._settle(flight, items, verdict, tries) if flight.parts else []
            _call(acks)
            if flight.parts and (verdict.again or verdict.whole in ("retry", "denied")):
                tries += 1
                self._pause(pauses.next(verdict.retry_after), verdict.retry_after or 0.0)
            else:
                tries = 0
                pauses.reset()
        with self._changed:
            self._waiting.extendleft(reversed(flight.take()))  # the run ends for a reason of its own
            if flight in self._flights:
                self._flights.remove(flight)
            self._tell()

    def _ask(self, flight: _Flight[T], items: list[T], tries: int) -> Verdict:
        """Send the next request of a flight; return what became of it."""
        with self._changed:
            self.counts.requests += 1
            self.counts.retries += tries > 0
            self.counts.in_flight += 1
            self.counts.batch_records.observe(len(items))
        if flight.request is None:
            flight.request = self._target.prepare(items)
        try:
            return self._target.judge(items, self._target.send(flight.request))
        except Unreachable as error:
            return Verdict("retry", f"no answer: {error}")
        finally:
            with self._changed:
                self.counts.in_flight -= 1

    def _settle(self, flight: _Flight[T], items: list[T], verdict: Verdict, tries: int) -> Acks:
        """Note what became of the first part of a flight; return what is to be acknowledged."""
        if verdict.whole != "sent":
            self.counts.failures += 1
        if verdict.whole == "split":
            return self._split(flight, items, verdict.why)
        if verdict.whole == "denied" and not self._accepted and tries + 1 >= _TRIES:
            self._ledger.fail(verdict.why)
        self._ledger.note(verdict.why)
        if verdict.whole != "sent":
            return []
        again, refused = verdict.again, verdict.refused
        flight.replace(*([[items[place] for place in again]] if again else []))
        acks = self._refused(items, refused) if refused else []
        left_out = {*again, *refused}
        taken = [item for place, item in enumerate(items) if place not in left_out] if left_out else items
        self._accepted = self._accepted or bool(taken)
        self.counts.present += verdict.present
        self.counts.delivered += len(taken) - verdict.present
        return acks + self._ledger.settled([item.receipt for item in taken])

    def _split(self, flight: _Flight[T], items: list[T], why: str) -> Acks:
        """Make two requests of one; a single record that is not taken is refused."""
        middle = len(items) // 2
        if not middle:
            flight.replace()
            return self._refused(items, {0: why})
        flight.replace(items[middle:], items[:middle])
        return []

    def _refused(self, items: Sequence[T], refused: Mapping[int, str]) -> Acks:
        records = [(self._target.record(items[place]), why) for place, why in refused.items()]
        return self._ledger.keep(records, [items[place].receipt for place in refused], "refused")

    def _pause(self, seconds: float, asked: float) -> None:
        """Wait; less, unless the target asked for it, when the time is running out."""
        begin = time.monotonic()
        with self._changed:
            while not (self._over or self._failed):
                most = max(min(seconds, _HASTE), asked) if self._hasty else seconds
                left = begin + most - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    # The end

    def _watch(self) -> None:
        """Give up what is not delivered when so long has passed since a signal."""
        while not self._signals.stop:
            if self._closed.wait(_LOOK):
                return
        with self._changed:
            self._hasty = True
            self._tell()
        if not self._closed.wait(self._settings.drain):
            self._give_up()

    def _give_up(self) -> None:
        """Take no more, and put what is left where it is kept."""
        with self._changed:
            self._over = True
            left = [item for flight in self._flights for item in flight.take()] + list(self._waiting)
            self._waiting.clear()
            self._size = 0
            self._flights.clear()
            self.counts.waiting_records = self.counts.waiting_bytes = 0
            acks = self._left(left)
            self._tell()
        _call(acks)

    def _left(self, items: Sequence[T]) -> Acks:
        if not items:
            return []
        why = f"{self._target.name}: {self._ledger.trouble or 'there was no time left'}"
        records = [(self._target.record(item), why) for item in items]
        return self._ledger.keep(records, [item.receipt for item in items], "not_delivered")


def _call(acks: Acks) -> None:
    for ack in acks:
        ack()
