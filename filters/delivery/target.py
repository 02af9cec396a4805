"""What a kind of target has to say: how records become items, items a request, and an answer a verdict."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec

from filters.batch import nobody

if TYPE_CHECKING:
    from filters.delivery.http import Answer


class Receipt:
    """A batch of the source on its way to the target.

    Args:
        left: how many of its records are not settled yet.
        ack: called when none is left.
        begun: when it came, by the monotonic clock.
    """

    __slots__ = ("ack", "begun", "left")

    def __init__(self, left: int, ack: Callable[[], None], begun: float) -> None:
        self.left = left
        self.ack = ack
        self.begun = begun


_NONE = Receipt(0, nobody, 0.0)


class Item(msgspec.Struct, gc=False):
    """A record that is ready to be sent; targets add fields, each with a default.

    Args:
        size: bytes that it takes in a request.
        receipt: set by who delivers it.
    """

    size: int
    receipt: Receipt = _NONE


class Verdict(msgspec.Struct, frozen=True):
    """What a target said of a request, by the place of each item in it; what is not named was taken.

    Args:
        whole: what is to happen to the whole request, whatever else is said: `sent` for nothing, `retry`, `split` (it
            is too large, or something in it is wrong and the answer does not say what), `denied` (no such request will
            be taken: wrong credentials, wrong URL).
        why: why it is not taken, or why items are to be sent again; what is before a colon is the kind of trouble.
        retry_after: seconds that the target asks to wait.
        present: how many of the items that were taken had been there before.
        again: which items are to be sent again.
        refused: which items will never be taken, and why.
    """

    whole: Literal["sent", "retry", "split", "denied"] = "sent"
    why: str = ""
    retry_after: float | None = None
    present: int = 0
    again: Sequence[int] = ()
    refused: Mapping[int, str] = {}


TAKEN = Verdict()
T = TypeVar("T", bound=Item)


class Target(Protocol[T]):
    """A kind of target; `prepare`, `send` and `judge` are called from several threads."""

    @property
    def name(self) -> str:
        """Return what it is called in messages."""

    @property
    def arrival_time(self) -> int:
        """Return how many items bear the time of their arrival for want of their own."""

    def items(self, lines: Sequence[bytes], times: Iterable[int], refused: list[tuple[bytes, str]]) -> list[T]:
        """Return an item for each record, in their order.

        Args:
            lines: JSON objects, each with its newline.
            times: when each of them arrived, or its event happened; in nanoseconds since 1970.
            refused: gets records that cannot be sent to such a target, without the newline, and why.
        """

    def record(self, item: T) -> bytes:
        """Return the record of an item as it came, without its newline."""

    def prepare(self, items: Sequence[T]) -> Any:
        """Return a request with these items, ready to be sent, also more than once."""

    def send(self, request: Any) -> "Answer":
        """Send what was prepared.

        Raises:
            Unreachable: no host gives an answer.
        """

    def judge(self, items: Sequence[T], answer: "Answer") -> Verdict:
        """Return what the answer says."""

    def close(self) -> None:
        """Close the connections."""


def by_status(answer: "Answer", reason: str = "") -> Verdict | None:
    """Return what the status of an answer says of the whole request; None where the body has to say more.

    Args:
        reason: what the body says, in one line.
    """
    status = answer.status
    why = f"{status}: {reason}" if reason else str(status)
    if status in (408, 425, 429) or status >= 500:
        return Verdict("retry", why, answer.retry_after)
    if status == 413:
        return Verdict("split", why if reason else "413: too large")
    if status >= 300 and status != 400:
        return Verdict("denied", why)
    return None
