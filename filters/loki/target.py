"""Loki as a target of delivery."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from filters.delivery.content import Content, content
from filters.delivery.http import Answer, Http, Unreachable
from filters.delivery.target import TAKEN, Verdict
from filters.endpoints import Identify
from filters.loki.answers import judge
from filters.loki.entries import Encoder, Entry, push_body, spans
from filters.loki.settings import Settings
from filters.messages import warn

PUSH = "/loki/api/v1/push"
_FATES = {
    "now": "they get the time of now and keep their own as sip_time",
    "label": 'they go into streams with the label late="true"',
    "drop": "they go into the dead letter",
}


class Push(NamedTuple):
    """Entries that are sent together, and how."""

    entries: Sequence[Entry]
    content: Content


class PartAnswer(Answer, frozen=True, kw_only=True):
    """An answer that says that something is wrong with a part of what was to be sent.

    Args:
        taken: how many entries were taken before that part.
        size: how many are in it; those behind it were not sent.
    """

    taken: int
    size: int


class Loki:
    """A server that takes pushes.

    Args:
        settings: what becomes of records.
        identify: tells a record's time and call.
        headers: go with each push.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        settings: Settings,
        identify: Identify,
        *,
        headers: Mapping[str, str],
        gzip: bool,
    ) -> None:
        self.name = name
        self._http = http
        self._encoder = Encoder(settings, identify)
        self._behind = settings.limits.behind
        self._fate = _FATES[settings.late]
        self._headers = {"Content-Type": "application/json", **headers}
        self._gzip = gzip
        self._told = False

    @property
    def arrival_time(self) -> int:
        """Return how many records bear the time of their arrival."""
        return self._encoder.arrival_time

    def items(self, lines: Sequence[bytes], times: Iterable[int], refused: list[tuple[bytes, str]]) -> list[Entry]:
        """Return an entry for each record, for each stream in the order of their time."""
        entries = self._encoder.entries(lines, times, refused)
        if self._encoder.late and not self._told:
            self._told = True
            warn(f"{self.name}: it would refuse records for their time: {self._fate}, see --late")
        return entries

    def record(self, item: Entry) -> bytes:
        """Return the record of an entry as it came."""
        return item.record

    def prepare(self, items: Sequence[Entry]) -> list[Push]:
        """Return pushes of the entries, one for each span of time."""
        return [
            Push(part, content(push_body(part), self._headers, gzip=self._gzip)) for part in spans(items, self._behind)
        ]

    def send(self, request: Sequence[Push]) -> Answer:
        """Send one push after the other, until an answer says that something is wrong."""
        taken = 0
        answer = Answer(204, b"")
        for push in request:
            try:
                answer = self._http.request("POST", PUSH, *push.content)
            except Unreachable as error:
                if not taken:
                    raise
                answer = Answer(503, str(error).encode())
            if judge(push.entries, answer) != TAKEN:
                return PartAnswer(**msgspec.structs.asdict(answer), taken=taken, size=len(push.entries))
            taken += len(push.entries)
        return answer

    def judge(self, items: Sequence[Entry], answer: Answer) -> Verdict:
        """Return what the answer says of each."""
        if not isinstance(answer, PartAnswer):
            return TAKEN
        end = answer.taken + answer.size
        verdict = judge(items[answer.taken : end], answer)
        if verdict.whole == "sent":
            again = [*(place + answer.taken for place in verdict.again), *range(end, len(items))]
            refused = {place + answer.taken: why for place, why in verdict.refused.items()}
            return Verdict(why=verdict.why, retry_after=verdict.retry_after, again=again, refused=refused)
        if answer.taken:  # what was taken is not to be sent again
            return Verdict(why=verdict.why, retry_after=verdict.retry_after, again=range(answer.taken, len(items)))
        return verdict

    def close(self) -> None:
        """Close the connections."""
        if self._encoder.late:
            warn(f"{self.name}: it would have refused {self._encoder.late} records for their time: {self._fate}")
        self._http.close()
