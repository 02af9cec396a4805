"""A stand-in for Loki in tests: it speaks the push protocol over a real socket and enforces Loki's documented limits.

The real one is left out on purpose, for its licence. What it refuses, in which order and with which sentences, follows
https://grafana.com/docs/loki/latest/operations/request-validation-rate-limits/ and the sources of Loki 3 (distributor,
validator, stream): checks of all entries come first, with their sentences grouped; good entries are stored; what a
stream refuses hides all that.
"""

import json
import re
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from servers.faults import Asked, HttpServer, Reply

SECOND = 10**9
HOUR = 3600 * SECOND
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Of a stream's refusals, only so many are told.
TOLD = 10


class Limits(NamedTuple):
    """Loki's defaults; in bytes and nanoseconds."""

    age: int = 7 * 24 * HOUR
    ahead: int = HOUR // 6
    behind: int = HOUR
    line: int = 256 * 1024
    labels: int = 15
    label_value: int = 2048
    metadata: bool = True
    metadata_size: int = 64 * 1024
    metadata_count: int = 128
    body: int = 64 << 20
    users: Mapping[str, str] = {}
    tenants: tuple[str, ...] = ()  # with some, each request has to name one


class Stored(NamedTuple):
    """An entry that was taken."""

    labels: Mapping[str, str]
    time: int
    line: str
    metadata: Mapping[str, str]


class Problem(Exception):
    """A request that is refused as a whole."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] = {}) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


class Loki:
    """What was pushed, and what is refused.

    Args:
        before: called with the number of a push before it is looked at; raises a Problem to refuse it.
        after: called with that number when it was stored; raises a Problem to answer something else.
    """

    def __init__(self, limits: Limits, before: Callable[[int], None], after: Callable[[int], None]) -> None:
        self.entries: list[Stored] = []
        self.streams: dict[str, dict[tuple[int, str], Stored]] = {}
        self.pushes: list[tuple[Mapping[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = ""
        self._limits = limits
        self._before = before
        self._after = after
        self._lock = threading.Lock()

    @property
    def lines(self) -> list[str]:
        return [entry.line for entry in self.entries]

    def push(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take a push; raise a Problem for each answer that is not 204."""
        with self._lock:
            self.pushes.append((headers, body))
            self._before(len(self.pushes) - 1)
            self._check_sender(path, headers)
            if len(body) > self._limits.body:
                raise Problem(413, f"request body too large: {len(body)} bytes, limit: {self._limits.body} bytes")
            streams = parse(body)
            errors: Counter[str] = Counter()
            good = [(name_of(labels), labels, entries) for labels, entries in self._checked(streams, errors)]
            last = [error for stream in good if (error := self._store(*stream))]
            self._after(len(self.pushes) - 1)
            if last:
                raise Problem(400, last[-1])
            if errors:
                raise Problem(400, grouped(errors))

    def _check_sender(self, path: str, headers: Mapping[str, str]) -> None:
        limits = self._limits
        if headers.get("content-type") != "application/json":
            raise Problem(400, "expected JSON")
        if path != "/loki/api/v1/push":
            raise Problem(404, "404 page not found")
        if limits.users:
            kind, _, token = headers.get("authorization", "").partition(" ")
            user, _, password = b64decode(token).decode().partition(":") if kind == "Basic" else ("", "", "")
            if limits.users.get(user) != password:
                raise Problem(401, "unauthorized")
        if limits.tenants and headers.get("x-scope-orgid") not in limits.tenants:
            raise Problem(401, "no org id")

    def _checked(self, streams: list, errors: Counter[str]) -> Iterator[tuple[dict[str, str], list]]:
        """Give the entries that pass the checks of the distributor."""
        for labels, entries in streams:
            if error := self._of_labels(labels):
                errors[error] += 1
                continue
            good = []
            for entry in entries:
                if error := self._of_entry(name_of(labels), *entry):
                    errors[error] += 1
                else:
                    good.append(entry)
            if good:
                yield labels, good

    def _of_labels(self, labels: Mapping[str, str]) -> str:
        name, limits = name_of(labels), self._limits
        if not labels:
            return "error at least one label pair is required per stream"
        if not all(map(NAME.fullmatch, labels)):
            return f"Error parsing labels '{name}' with error: parse error at line 1, col 2: syntax error"
        count = len(labels) - ("service_name" in labels)
        if count > limits.labels:
            return f"entry for stream '{name}' has {count} label names; limit {limits.labels}"
        for value in labels.values():
            if len(value.encode()) > limits.label_value:
                return f"stream '{name}' has label value too long: '{value}'"
        return ""

    def _of_entry(self, name: str, when: int, line: str, metadata: Mapping[str, str]) -> str:
        limits, now = self._limits, time.time_ns()
        if when < now - limits.age:
            oldest = rfc3339(now - limits.age)
            return (
                f"entry for stream '{name}' has timestamp too old: {rfc3339(when)}, "
                f"oldest acceptable timestamp is: {oldest}"
            )
        if when > now + limits.ahead:
            return f"entry for stream '{name}' has timestamp too new: {rfc3339(when)}"
        length = len(line.encode())
        if length > limits.line:
            return (
                f"Max entry size '{limits.line}' bytes exceeded for stream '{name}' "
                f"while adding an entry with length '{length}' bytes"
            )
        return self._of_metadata(name, metadata) if metadata else ""

    def _of_metadata(self, name: str, metadata: Mapping[str, str]) -> str:
        limits = self._limits
        size = sum(len(text.encode()) for pair in metadata.items() for text in pair)
        see = "Please see `limits_config` or contact your Loki administrator"
        if not limits.metadata:
            return f"stream '{name}' includes structured metadata, but this feature is disallowed. {see} to enable it."
        if size > limits.metadata_size:
            most = f"'{size}' bytes, limit: '{limits.metadata_size}' bytes"
            return f"stream '{name}' has structured metadata too large: {most}. {see} to increase it."
        if len(metadata) > limits.metadata_count:
            most = f"'{len(metadata)}', limit: '{limits.metadata_count}'"
            return f"stream '{name}' has too many structured metadata labels: {most}. {see} to increase it."
        return ""

    def _store(self, name: str, labels: dict[str, str], entries: list) -> str:
        """Store what the stream takes; return what the ingester says of the rest."""
        stream = self.streams.setdefault(name, {})
        newest = max((when for when, _ in stream), default=0)
        refused = []
        for when, line, metadata in entries:
            oldest = newest - self._limits.behind
            if when < oldest:
                refused.append((when, oldest))
                continue
            newest = max(newest, when)
            if (when, line) not in stream:  # as its head block does
                stream[when, line] = Stored(labels, when, line, metadata)
                self.entries.append(stream[when, line])
        if not refused:
            return ""
        told = [
            f"entry with timestamp {datetime.fromtimestamp(when // SECOND, UTC)} +0000 UTC ignored, "
            f"reason: 'entry too far behind, entry timestamp is: {rfc3339(when)}, "
            f"oldest acceptable timestamp is: {rfc3339(oldest)}',\n"
            for when, oldest in refused[:TOLD]
        ]
        return f"{''.join(told)}user 'fake', total ignored: {len(refused)} out of {len(entries)} for stream: {name}"


def parse(body: bytes) -> list[tuple[dict[str, str], list[tuple[int, str, dict[str, str]]]]]:
    """Return the streams of a push, as strictly as Loki reads it."""
    try:
        pushed: Any = json.loads(body)
        return [(_texts(one["stream"]), [_entry(*value) for value in one["values"]]) for one in pushed["streams"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Problem(400, f"couldn't parse push request: {error}") from None


def _entry(when: Any, line: Any, metadata: Any = None) -> tuple[int, str, dict[str, str]]:
    if not isinstance(when, str) or not isinstance(line, str):
        raise TypeError("Value is not a string")
    return int(when), line, _texts({} if metadata is None else metadata)


def _texts(values: dict[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in values.values()):
        raise TypeError("Value is not a string")
    return values


def grouped(errors: Counter[str]) -> str:
    """Return sentences as Loki groups them."""
    if errors.total() == 1:
        return next(iter(errors))
    return "; ".join(f"{count} errors like: {error}" for error, count in errors.items())


def name_of(labels: Mapping[str, str]) -> str:
    """Return labels as Loki writes them."""
    return f"{{{', '.join(f'{name}={json.dumps(value)}' for name, value in sorted(labels.items()))}}}"


def rfc3339(when: int) -> str:
    """Return a time as Loki writes it: the second that it lies in."""
    return datetime.fromtimestamp(when // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def nothing(number: int) -> None:
    """Let a push be."""


@contextmanager
def run_loki(
    limits: Limits = Limits(),  # noqa: B008  # it cannot be changed
    before: Callable[[int], None] = nothing,
    after: Callable[[int], None] = nothing,
) -> Iterator[Loki]:
    """Run the stand-in until the block is left."""
    loki = Loki(limits, before, after)

    def answer(asked: Asked) -> Reply:
        try:
            loki.push(asked.path, {name.lower(): text for name, text in asked.headers.items()}, asked.body)
        except Problem as problem:
            loki.answers.append(problem.status)
            return Reply(problem.status, f"{problem}\n".encode(), problem.headers)
        loki.answers.append(204)
        return Reply(204)

    with HttpServer(answer) as server:
        loki.url = f"loki+{server.url}"
        yield loki
