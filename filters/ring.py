"""`--jobs N`: processes in a ring that read in turn, work at the same time and write in turn.

Two tokens go round in pipes. Whoever holds the reading token reads a chunk, gives the token on with the line that the
chunk ends in, and enriches what it has; then it waits for the writing token. So order is kept, each process holds one
chunk, and no record is copied from one process to another.
"""

import mmap
import os
import signal
import struct
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol, TypeVar

import msgspec

from filters.errors import OutputFailed, Stop
from filters.messages import warn
from filters.pipeline import Done, Outlet, Stage
from filters.reload import Reload
from filters.ring_input import Input, ReadTurn, read_all, shared_descriptor
from filters.signals import Signals
from filters.stats import Summary

# Seconds between two looks at the progress.
_PAUSE = 0.1
_SIZE = struct.Struct("!I")
_COUNT = struct.Struct("!q")
_T = TypeVar("_T")


class Settings(Protocol):
    """What a run is made of."""

    paths: Sequence[str]
    max_line: int
    jobs: int

    def stage(self) -> Stage:
        """Return a stage of its own."""

    def outlet(self, stage: Stage) -> Outlet:
        """Return the outlet of that stage."""

    def summary(self, stage: Stage) -> Summary:
        """Return what was done by that stage and its outlet."""

    def reload(self, signals: Signals) -> Reload:
        """Return what tells when to load anew."""


class WriteTurn(msgspec.Struct, frozen=True):
    """The writing token: which line of which input comes next.

    Args:
        over: whether nothing more is to be written.
    """

    origin: str = ""
    lines: int = 0
    over: bool = False


class Report(msgspec.Struct, frozen=True):
    """What a process says at its end."""

    summary: Summary
    unfinished: int = 0
    code: int = 0
    message: str = ""


class Token:
    """A pipe that a token comes through."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def send(self, value: msgspec.Struct) -> None:
        """Put the token in."""
        data = msgspec.msgpack.encode(value)
        rest = memoryview(_SIZE.pack(len(data)) + data)
        while rest:
            rest = rest[os.write(self.writer, rest) :]

    def take(self, kind: type[_T]) -> _T:
        """Wait for the token.

        Raises:
            OutputFailed: the process before us has died.
        """
        (size,) = _SIZE.unpack(read_all(self.reader, _SIZE.size))
        return msgspec.msgpack.decode(read_all(self.reader, size), type=kind)


def run_ring(
    settings: Settings, signals: Signals, on_read: Callable[[int], None] | None
) -> tuple[Summary, Stop | None]:
    """Run the stream in several processes; return what they did and what ended it early."""
    jobs = settings.jobs
    fd, feeder = shared_descriptor(settings.paths)
    reading, writing, results = ([Token() for _ in range(jobs)] for _ in range(3))
    progress = mmap.mmap(-1, _COUNT.size * jobs)
    children = []
    for place in range(jobs):
        child = signals.fork()
        if child == 0:
            _close_others(place, reading, writing, results)
            _Worker(place, settings, Input(settings.paths, settings.max_line, signals, fd), signals, progress).work(
                (reading[place], reading[(place + 1) % jobs]),
                (writing[place], writing[(place + 1) % jobs]),
                results[place],
            )
        children.append(child)
    reading[0].send(ReadTurn())
    writing[0].send(WriteTurn())
    for token in (*reading, *writing):
        os.close(token.reader)
        os.close(token.writer)
    for token in results:
        os.close(token.writer)
    reports = _wait(children, results, signals, progress, on_read)
    if feeder:
        os.kill(feeder, signal.SIGKILL)  # it may still wait for an input
        os.waitpid(feeder, 0)
    return _merged(reports)


def _close_others(place: int, reading: list[Token], writing: list[Token], results: list[Token]) -> None:
    """Keep only the ends that this process uses, so that a dead process is noticed."""
    after = (place + 1) % len(reading)
    for ring in (reading, writing):
        for number, token in enumerate(ring):
            if number != place:
                os.close(token.reader)
            if number != after:
                os.close(token.writer)
    for number, token in enumerate(results):
        os.close(token.reader)
        if number != place:
            os.close(token.writer)


class _Worker:
    """One process of the ring."""

    def __init__(self, place: int, settings: Settings, source: Input, signals: Signals, progress: mmap.mmap) -> None:
        self._place = place
        self._source = source
        self._progress = progress
        self._settings = settings
        self._stage = settings.stage()
        self._outlet = settings.outlet(self._stage)
        self._reload = settings.reload(signals)
        self._over = False
        self._stop: Stop | None = None
        self._unfinished = self._read = 0

    def work(self, reading: tuple[Token, Token], writing: tuple[Token, Token], result: Token) -> NoReturn:
        """Go round until there is no more to do, report and leave."""
        try:
            while self._round(reading, writing):
                pass
            _send_last(reading[1], ReadTurn(over=True))
        except Stop as stop:
            self._stop = stop
        code, message = (self._stop.exit_code, str(self._stop)) if self._stop else (0, "")
        try:
            result.send(Report(self._settings.summary(self._stage), self._unfinished, code, message))
        finally:
            os._exit(0)

    def _round(self, reading: tuple[Token, Token], writing: tuple[Token, Token]) -> bool:
        """Read, enrich and write once; return whether there may be more."""
        turn = reading[0].take(ReadTurn)
        if turn.over or self._over:
            return False
        try:
            batches, then, count = self._source.read(turn)
        except Stop:
            _send_last(reading[1], ReadTurn(over=True))
            raise
        if then.over:
            _send_last(reading[1], then)
        else:
            reading[1].send(then)
        self._unfinished = then.rest.size if then.over else 0
        self._read += count
        _COUNT.pack_into(self._progress, _COUNT.size * self._place, self._read)
        if self._reload.due():  # it may have waited for long, so that what is due is due for what came now
            self._stage.reload()
        done = [self._stage.process(batch) for batch in batches]
        write = self._written(done, writing[0].take(WriteTurn))
        self._over = write.over
        _send_last(writing[1], write)
        return not then.over

    def _written(self, done: list[Done], turn: WriteTurn) -> WriteTurn:
        """Write, unless a process before us met the end; return the token to give on."""
        outlet = self._outlet
        outlet.origin, outlet.lines = turn.origin, turn.lines
        try:
            for one in () if turn.over else done:
                outlet.write(one)
        except Stop as stop:
            self._stop = stop
            return WriteTurn(over=True)
        return WriteTurn(outlet.origin, outlet.lines, turn.over)


def _send_last(token: Token, value: msgspec.Struct) -> None:
    """Give a token to a process that may have left already."""
    try:
        token.send(value)
    except BrokenPipeError:
        pass


def _wait(
    children: list[int],
    results: list[Token],
    signals: Signals,
    progress: mmap.mmap,
    on_read: Callable[[int], None] | None,
) -> list[Report | None]:
    """Wait for all reports, hand signals on, and tell of progress; None stands for a process that died."""
    reports: list[Report | None] = []
    shown, told = 0, False
    for token in results:
        while not signals.wait(token.reader, _PAUSE if on_read else None):
            if signals.stop and not told:
                told = True
                _tell(children, signals.stop)
            if signals.reload:
                signals.reload = False
                _tell(children, signal.SIGHUP)
            if on_read:
                total = sum(count for (count,) in _COUNT.iter_unpack(progress))
                on_read(total - shown)
                shown = total
        try:
            reports.append(token.take(Report))
        except OutputFailed:
            reports.append(None)
    for child in children:
        os.waitpid(child, 0)
    return reports


def _tell(children: list[int], number: int) -> None:
    for child in children:
        try:
            os.kill(child, number)
        except ProcessLookupError:
            pass


def _merged(reports: list[Report | None]) -> tuple[Summary, Stop | None]:
    summary = Summary()
    stop: Stop | None = None
    for report in reports:
        if report is None:
            stop = stop or OutputFailed("a process of --jobs has died")
            continue
        summary.add(report.summary)
        if report.unfinished:
            warn(f"stopped inside a line: its first {report.unfinished} bytes were not written")
        if report.code and stop is None:
            stop = Stop(report.message)
            stop.exit_code = report.code
    return summary, stop
