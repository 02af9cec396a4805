"""A target of the simplest kind: it takes lines and answers with a status for each; its server remembers them."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

from servers.faults import Asked, Reply, reply

from filters.delivery.access import Access
from filters.delivery.dispatch import Dispatch, Settings
from filters.delivery.http import Http
from filters.delivery.target import TAKEN, Item, Verdict, by_status
from filters.forward.address import Tcp
from filters.invalid import DeadLetter


class Line(Item):
    text: bytes = b""


class Lines:
    """Sends lines; 200 for what was taken, 409 for what was there."""

    arrival_time = 0
    name = "lines"

    def __init__(self, port: int) -> None:
        self.http = Http(Access((Tcp("127.0.0.1", port),), timeout=(5.0, 20.0)))

    def items(self, lines, times, refused):
        refused += [(line[:-1], "too long") for line in lines if len(line) > 50]
        return [Line(len(line), text=line[:-1]) for line in lines if len(line) <= 50]

    def record(self, item):
        return item.text

    def prepare(self, items):
        return b"\n".join(item.text for item in items)

    def send(self, request):
        return self.http.request("POST", "/", request)

    def judge(self, items, answer):
        verdict = by_status(answer, answer.body.decode())
        if verdict or not answer.body:
            return verdict or Verdict("split", "400: bad")
        try:
            statuses = json.loads(answer.body)
        except ValueError:
            statuses = ()
        if len(statuses) != len(items):
            return Verdict("retry", "half an answer")
        if set(statuses) == {200}:
            return TAKEN
        places = {status: [place for place, own in enumerate(statuses) if own == status] for status in set(statuses)}
        return Verdict(
            why="some are busy" if 429 in places else "",
            present=len(places.get(409, ())),
            again=places.get(429, ()),
            refused=dict.fromkeys(places.get(422, ()), "never"),
        )

    def close(self):
        self.http.close()


class Store:
    """Takes each line once.

    Args:
        status: what is answered for a line that is not there yet.
    """

    def __init__(self, status: Callable[[bytes], int] = lambda line: 200) -> None:
        self.lines: Counter[bytes] = Counter()
        self.sizes: list[int] = []
        self.status = status
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Reply:
        return reply([self.take(line) for line in asked.body.split(b"\n")])

    def take(self, line: bytes) -> int:
        with self._lock:
            status = 409 if line in self.lines else self.status(line)
            if status == 200:
                self.lines[line] += 1
        return status


class Run:
    """A sink and what surrounds it."""

    def __init__(self, port: int, letter=None, **options) -> None:
        self.signals = SimpleNamespace(stop=0)
        self.acks: list[int] = []
        self.letter = letter
        dead_letter = DeadLetter(str(letter)) if letter else None
        options = {"records": 10, "seconds": 0.02, "in_flight": 2, "drain": 0.3} | options
        context = SimpleNamespace(signals=self.signals, dead_letter=dead_letter, identify=None)
        self.sink = Dispatch(Lines(port), Settings(**options), context)
        self.counts = self.sink.counts

    def write(self, *numbers: int) -> None:
        data = b"".join(b"%d\n" % number for number in numbers)
        self.sink.write(data, lambda: self.acks.append(numbers[0]))

    def write_until_it_fails(self) -> None:
        for number in range(100, 10_000):
            self.write(number)

    def finish(self) -> None:
        try:
            self.sink.finish()
        finally:
            self.sink.close()
            self.add_up()

    def add_up(self) -> None:
        counts = self.counts
        assert counts.records == counts.delivered + counts.present + counts.refused + counts.undelivered
        assert (counts.waiting_records, counts.waiting_bytes) == (0, 0)

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Return what lies in the dead letter, with its kind."""
        letters = map(json.loads, self.letter.read_text().splitlines())
        return [(one["event"]["original"], one["error"]["type"]) for one in letters]


def until(reached: Callable[[], object]) -> None:
    """Wait until it is so."""
    due = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < due
        time.sleep(0.005)


def numbers(store: Store) -> list[int]:
    """Return the numbers of the lines that arrived, in their order."""
    return [int(line) for line in store.lines]
