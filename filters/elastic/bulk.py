"""`_bulk` of Elasticsearch and OpenSearch: records as action and source lines, and what an answer says of each.

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from filters.delivery.target import TAKEN, Item, Verdict, by_status

if TYPE_CHECKING:
    from enricher.identity import Identity
    from filters.delivery.http import Answer

# https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-id-field
_LONGEST_ID = 512
# What of an answer is looked at.
FILTER_PATH = "errors,error,status,items.*.status,items.*.error"
_LONGEST_REASON = 500
# What most times end in, made beforehand: bytes are slow to format.
_THOUSANDTHS = [(b".%03d" % number).rstrip(b".0") + b'Z",' for number in range(1000)]
# Seconds are remembered; a record can name any.
_REMEMBERED = 4096
# These are about the state of an index, not about the document, whatever their status: a full disk, a closed index.
_PASSING = ("cluster_block_exception",)
_DENIED = ("security_exception",)

_quoted = msgspec.json.Encoder().encode


class BulkItem(Item, gc=False):
    """A record with its action line.

    Args:
        data: both lines.
        behind: where in them the record goes on behind its brace.
    """

    data: bytes = b""
    behind: int = 0

    @property
    def record(self) -> bytes:
        """Return the record as it came, without its newline."""
        return b"{" + self.data[self.behind : -1]


class Encoder:
    """Makes items; a record that comes without a time gets that of its arrival, one without an id an id of this run.

    Args:
        identify: tells what tells a record from others.
        index: gives the index for a time; None to leave it to the URL.
    """

    def __init__(
        self, identify: "Callable[[Sequence[bytes]], list[Identity]]", index: Callable[[int], str] | None
    ) -> None:
        self._identify = identify
        self._index = index
        self._run = f"~{secrets.token_urlsafe(12)}:"
        self._number = count()
        self._seconds: dict[int, bytes] = {}
        self.arrival_time = 0

    def items(self, lines: Sequence[bytes], times: Iterable[int], refused: list[tuple[bytes, str]]) -> list[BulkItem]:
        """Return an item for each record.

        Args:
            lines: JSON objects, each with its newline.
            times: when each of them arrived.
            refused: gets lines that are no objects, and why.
        """
        items = []
        stamped = self._stamp
        for line, arrival, identity in zip(lines, times, self._identify(lines), strict=False):
            record = line[1:] if line.startswith(b'{"') else _opened(line)
            if record is None:
                refused.append((line.removesuffix(b"\n"), "expected a JSON object"))
                continue
            stamp = b"" if identity.timestamp else stamped(identity.time, arrival)
            if record[:1] != b'"':
                stamp = _before(record, stamp)
            place = self._place(line, identity, arrival) if self._index else b""
            name = _quoted(document_id(identity) if identity.id else f"{self._run}{next(self._number)}")
            data = b"".join((b'{"create":{', place, b'"_id":', name, b"}}\n{", stamp, record))
            items.append(BulkItem(len(data), data=data, behind=len(data) - len(record)))
        return items

    def _stamp(self, nanoseconds: int | None, arrival: int) -> bytes:
        """Return the member that says when the call was."""
        if nanoseconds is None:
            self.arrival_time += 1
            nanoseconds = arrival
        second, fraction = divmod(nanoseconds, 10**9)
        prefix = self._seconds.get(second) or self._prefix(second)
        thousandth, finer = divmod(fraction, 10**6)
        if finer:
            return b'%b.%bZ",' % (prefix, (b"%09d" % fraction).rstrip(b"0"))
        return prefix + _THOUSANDTHS[thousandth]

    def _prefix(self, second: int) -> bytes:
        if len(self._seconds) >= _REMEMBERED:
            self._seconds.clear()
        text = time.strftime('"@timestamp":"%Y-%m-%dT%H:%M:%S', time.gmtime(second))
        prefix = self._seconds[second] = text.encode()
        return prefix

    def _place(self, line: bytes, identity: "Identity", arrival: int) -> bytes:
        nanoseconds = identity.time
        if nanoseconds is None and identity.timestamp:
            nanoseconds = _own_time(line)
        assert self._index
        return b'"_index":%b,' % _quoted(self._index(arrival if nanoseconds is None else nanoseconds))


def _opened(line: bytes) -> bytes | None:
    """Return what is behind the first brace, None for what is no object."""
    text = line.lstrip(b" \t\r")
    return text[1:] if text.startswith(b"{") else None


def _before(record: bytes, stamp: bytes) -> bytes:
    """Return a member as it goes before what is behind a brace: nothing may follow it."""
    return stamp[:-1] if stamp and record.lstrip(b" \t\r").startswith(b"}") else stamp


def document_id(identity: "Identity") -> str:
    """Return the `_id` of a record: profile, attempt and id; no two identities give the same.

    One that is too long is a digest of that text.
    """
    attempt = identity.attempt or ""
    if ":" in attempt or "%" in attempt:
        attempt = attempt.replace("%", "%25").replace(":", "%3A")
    text = f"{identity.profile}:{attempt}:{identity.id}"
    if len(text) * 4 <= _LONGEST_ID or len(text.encode()) <= _LONGEST_ID:
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class _Timed(msgspec.Struct):
    timestamp: Any = msgspec.field(name="@timestamp")


def _own_time(line: bytes) -> int | None:
    from datetime import UTC

    from enricher.times import read_time

    try:
        return read_time(msgspec.json.decode(line, type=_Timed).timestamp, UTC)
    except (msgspec.DecodeError, RecursionError):
        return None


# The answer


class _Result(msgspec.Struct, gc=False):
    status: int = 0
    error: msgspec.Raw = msgspec.Raw()


class _Item(msgspec.Struct, gc=False):
    create: _Result


class _Answer(msgspec.Struct):
    items: list[_Item]


class _Failure(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw()


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_failure = msgspec.json.Decoder(_Failure).decode


def judge(sent: int, answer: "Answer") -> Verdict:
    """Return what an answer says of each item.

    Args:
        sent: how many items there were.
    """
    if answer.status != 200:
        reason = _whole_reason(answer.body)
        return by_status(answer, reason) or Verdict("split", f"{answer.status}: {reason}")
    try:
        results = [item.create for item in _decode_answer(answer.body).items]
    except (msgspec.DecodeError, RecursionError):
        return Verdict("retry", "200: expected an answer to _bulk, got something else, or a part of one")
    if len(results) != sent:
        return Verdict("retry", f"200: expected an answer for each of {sent} records, got {len(results)}")
    if all(200 <= result.status < 300 for result in results):
        return TAKEN
    return _by_item(results, answer.retry_after)


def _by_item(results: Sequence[_Result], retry_after: float | None) -> Verdict:
    present, again, why = 0, [], ""
    refused: dict[int, str] = {}
    for place, (status, kind, reason) in enumerate(map(_told, results)):
        if 200 <= status < 300:
            continue
        if status == 409:
            present += 1
        elif kind in _DENIED:
            return Verdict("denied", f"{status}: {kind}: {reason}")
        elif status < 400 or status in (408, 429) or status >= 500 or kind in _PASSING:
            again.append(place)
            why = f"{status} {kind}: {reason}"
        else:
            refused[place] = _sentence(kind, reason) or f"status {status}"
    return Verdict(why=why, retry_after=retry_after, present=present, again=again, refused=refused)


def _told(result: _Result) -> tuple[int, str, str]:
    kind, reason = _error(bytes(result.error)) if result.status >= 400 else ("", "")
    return result.status, kind, reason


def _whole_reason(body: bytes) -> str:
    try:
        kind, reason = _error(bytes(_decode_failure(body).error))
    except (msgspec.DecodeError, RecursionError):
        return _line(body.decode(errors="replace"))
    return _sentence(kind, reason)


def _sentence(kind: str, reason: str) -> str:
    return ": ".join(filter(None, (kind, reason)))


def _error(raw: bytes) -> tuple[str, str]:
    """Return the type and the reason of an error, with what caused it."""
    try:
        error = msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, RecursionError):
        error = None
    if not isinstance(error, dict):
        return "", _line(str(error or ""))
    cause = error.get("caused_by")
    inner = f" ({cause['reason']})" if isinstance(cause, dict) and cause.get("reason") else ""
    return str(error.get("type", "")), _line(f"{error.get('reason', '')}{inner}")


def _line(text: str) -> str:
    """Return a text in one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
