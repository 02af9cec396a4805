"""Records as entries of a push: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs."""

import time as clock
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

import orjson

from filters.codecs.convert import rfc3339
from filters.delivery.target import Item
from filters.invalid import Rejected, wrapped
from filters.loki.kinds import Kinds, More, named, pair
from filters.loki.settings import CALL_ID, LONGEST_METADATA, TIME, Settings
from filters.loki.streams import NOWHERE, Stream, late

if TYPE_CHECKING:
    from enricher.identity import Identity

_LONGEST_CALL = LONGEST_METADATA // 4  # in characters
_BY_TIME = attrgetter("time")
# The server's clock is another one, and entries wait for their turn: the last sixtieth of a limit is not used.
_MARGIN = 60
_SECOND = 10**9
_CALL = named(CALL_ID)


class Entry(Item, gc=False):
    """A record in its stream.

    Args:
        time: in nanoseconds since 1970.
        text: time, line and structured metadata as a push says them.
        raw: the record as it came, where that cannot be said.
    """

    stream: Stream = NOWHERE
    time: int = 0
    text: bytes = b""
    raw: bytes = b""

    @property
    def record(self) -> bytes:
        """Return the record as it came, without its newline."""
        return self.raw or bytes(orjson.loads(self.text)[1], "utf-8")


class Encoder:
    """Makes entries of records; one batch at a time.

    Args:
        identify: tells a record's time and call.
        now: tells the time, in nanoseconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        identify: "Callable[[Sequence[bytes]], list[Identity]]",
        now: Callable[[], int] = clock.time_ns,
    ) -> None:
        self.late = 0  # records that had a time that the server would refuse
        self.arrival_time = 0  # that bear the time of their arrival for want of their own
        self._identify = identify
        self._now = now
        self._mode = settings.late
        self._kind_of = Kinds(settings).of
        self._more = More(settings.metadata) if settings.metadata else None
        self._call = bool(settings.meaning)
        self._distinct = _Distinct()
        self._line = settings.limits.line + 1  # with the newline
        limits = settings.limits
        self._age, self._ahead, self._behind = map(_within, (limits.age, limits.ahead, limits.behind))

    def entries(self, lines: Sequence[bytes], times: Iterable[int], refused: list[tuple[bytes, str]]) -> list[Entry]:
        """Return the entries of records, for each stream in the order of their time.

        Args:
            lines: each with its newline.
            times: when each arrived, or its event happened, in nanoseconds since 1970.
            refused: gets the records that the server would not take, without the newline, and why.
        """
        known = self._identify(lines)
        own = [when if one.time is None else one.time for one, when in zip(known, times, strict=False)]
        self.arrival_time += sum([one.time is None for one in known])
        self._distinct = _Distinct()
        now = self._now()
        found = []
        for place in sorted(range(len(lines)), key=own.__getitem__):
            try:
                found.append(self._entry(lines[place], known[place].call, own[place], now))
            except _Refused as why:
                refused.append((lines[place][:-1], str(why)))
        return found

    def _entry(self, line: bytes, call: str | None, time: int, now: int) -> Entry:
        """Return the entry of a record.

        Raises:
            _Refused: the server would not take it.
        """
        if len(line) > self._line:
            raise _Refused(f"line_too_long: expected at most {self._line - 1} bytes (--max-entry), got {len(line) - 1}")
        kind, end = self._kind_of(line)
        stream, metadata = kind.stream, kind.metadata
        if call and self._call and len(call) <= _LONGEST_CALL:
            metadata += _CALL + orjson.dumps(call)
        if self._more:
            metadata += self._more(line)
        if time < now - self._age or time < stream.newest - self._behind or time > now + self._ahead:
            self.late += 1
            if self._mode == "now":
                metadata += pair(TIME, rfc3339(*divmod(time, _SECOND)))
                time = max(now, stream.newest - self._behind)
            else:
                stream = self._late_stream(stream, time, now)
        time = self._distinct(line, time)
        if time > stream.newest:  # noqa: PLR1730  # a call costs more
            stream.newest = time
        raw = b""
        try:
            said, rest = orjson.dumps(line[:end].decode())[:-1], kind.end
        except UnicodeDecodeError as error:
            said, rest, raw = _wrapped(line, error), b"", line[:-1]
        text = b"".join((b'["', b"%d" % time, b'",', said, rest, b",{", metadata[1:], b"}]"))
        return Entry(len(text) + 1, stream=stream, time=time, text=text, raw=raw)

    def _late_stream(self, stream: Stream, time: int, now: int) -> Stream:
        """Return where an entry goes that comes too late for its stream, or too early.

        Raises:
            _Refused: nowhere.
        """
        written = rfc3339(*divmod(time, _SECOND))
        if self._mode == "label":
            if time >= late(stream).newest - self._behind:
                return late(stream)
            raise _Refused(f"too_far_behind: {written} is behind other late records: sort them, see --late-behind")
        if time < now - self._age:
            raise _Refused(f"too_old: {written} is older than --late-age allows")
        if time > now + self._ahead:
            raise _Refused(f"too_new: {written} is further ahead than --late-ahead allows")
        raise _Refused(f"too_far_behind: {written} is further behind than --late-behind allows")


class _Refused(Exception):
    """The server would not take a record; the text says why."""


class _Distinct:
    """Gives equal lines of a batch different times: of two with the same time, Loki would keep one."""

    def __init__(self) -> None:
        self._seen: dict[int, bytes | set[bytes]] = {}  # by time; most times have one line, which is not hashed then

    def __call__(self, line: bytes, time: int) -> int:
        """Return the time, or the next that this line does not have."""
        while (seen := self._seen.get(time)) is not None:
            if isinstance(seen, bytes):
                seen = self._seen[time] = {seen}
            if line not in seen:
                seen.add(line)
                return time
            time += 1
        self._seen[time] = line
        return time


def spans(entries: Sequence[Entry], behind: int | None) -> list[Sequence[Entry]]:
    """Return entries in parts, of each of which a stream takes every entry also after it took all of them.

    So a part can be sent again when nobody knows what became of it.

    Args:
        behind: how far an entry may be behind the newest of its stream.
    """
    if behind is None or not entries:
        return [entries]
    times = [entry.time for entry in entries]
    if max(times) - min(times) <= behind:
        return [entries]
    parts: list[Sequence[Entry]] = []
    first, oldest = 0, dict[Stream, int]()
    for place, entry in enumerate(entries):
        if entry.time - oldest.setdefault(entry.stream, entry.time) > behind:
            parts.append(entries[first:place])
            first, oldest = place, {entry.stream: entry.time}
        oldest[entry.stream] = min(entry.time, oldest[entry.stream])
    return [*parts, entries[first:]]


def push_body(entries: Iterable[Entry]) -> bytes:
    """Return the body of a push, each stream in the order of time."""
    streams: dict[Stream, list[Entry]] = {}
    for entry in entries:
        streams.setdefault(entry.stream, []).append(entry)
    pieces = [b'{"streams":[']
    for stream, several in streams.items():
        several.sort(key=_BY_TIME)
        between = [b","] * (2 * len(several))
        between[::2] = [entry.text for entry in several]
        between[-1] = b"]},"
        pieces += [stream.head, *between]
    pieces[-1] = b"]}]}" if streams else b'{"streams":[]}'
    return b"".join(pieces)  # at one go: bodies are large


def _within(limit: int | None) -> int:
    """Return how far a time may be off; without a limit, further than any is."""
    return 2**63 if limit is None else limit - limit // _MARGIN


def _wrapped(line: bytes, error: UnicodeDecodeError) -> bytes:
    """Return what stands for a line that JSON cannot say; only `--invalid pass` lets one come here."""
    message = f"expected UTF-8, got byte 0x{line[error.start]:02x} at {error.start}"
    return orjson.dumps(wrapped(Rejected(0, line[:-1], "not_utf8", message)).decode().rstrip("\n"))
