"""What a run did, in numbers: for a person as a table, for machines as JSON."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from enricher.blocks import Tally
from filters.messages import warn

DEGREES = ("reason", "alias", "code", "class", "none")
TOP = 10
# What the counts of delivery are called in the table.
_LABELS = {"present": "already there", "dead_letter": "dead letter", "undelivered": "not delivered"}


class Summary(msgspec.Struct, kw_only=True):
    """The counts of a run, or of a part of it.

    Args:
        lines: all lines of input, with the blank ones.
        unmatched: records that are no call logs; they passed unchanged.
        conflicts: records whose target key holds something that is no object; they passed unchanged.
        invalid: lines that are no records.
        arrival_time: records that bear the time of their arrival for want of their own; None where none is needed.
        delivery: what became of the records on their way to a server; None where there is none.
        seconds: how long it took.
    """

    lines: int = 0
    blank: int = 0
    invalid: int = 0
    unmatched: int = 0
    conflicts: int = 0
    arrival_time: int | None = None
    delivery: dict[str, int] | None = None
    match: dict[str, int] = {}
    category: dict[str, int] = {}
    outcome: dict[str, int] = {}
    initiator: dict[str, int] = {}
    reason: dict[str, int] = {}
    seconds: float = 0.0

    @property
    def records(self) -> int:
        """Return how many lines are records."""
        return self.lines - self.blank - self.invalid

    @classmethod
    def of(cls, tally: Tally, seconds: float = 0.0) -> "Summary":
        """Return the summary of a tally."""
        counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("match", "category", "outcome", "initiator", "reason")
        }
        unmatched = 0
        for added, count in tally.added.items():
            if added.explanation is None:
                unmatched += count
                continue
            for name, counter in counts.items():
                if value := getattr(added.explanation, name):
                    counter[value] += count
        return cls(
            lines=tally.lines,
            blank=tally.blank,
            invalid=tally.invalid,
            unmatched=unmatched,
            conflicts=tally.conflicts,
            seconds=seconds,
            match=dict(counts["match"]),
            category=dict(counts["category"]),
            outcome=dict(counts["outcome"]),
            initiator=dict(counts["initiator"]),
            reason=dict(counts["reason"]),
        )

    def add(self, other: "Summary") -> None:
        """Add what another part of the run did, at the same time."""
        for name in ("lines", "blank", "invalid", "unmatched", "conflicts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("match", "category", "outcome", "initiator", "reason"):
            setattr(self, name, dict(Counter(getattr(self, name)) + Counter(getattr(other, name))))
        if other.arrival_time is not None:
            self.arrival_time = (self.arrival_time or 0) + other.arrival_time
        self.seconds = max(self.seconds, other.seconds)

    def as_dict(self) -> dict[str, Any]:
        """Return what `--stats-json` writes: counts by name, the most frequent first."""
        return {
            "lines": self.lines,
            "records": self.records,
            "matched": sum(self.match.values()),
            "unmatched": self.unmatched,
            "conflicts": self.conflicts,
            "invalid": self.invalid,
            "blank": self.blank,
            **({} if self.arrival_time is None else {"arrival_time": self.arrival_time}),
            **({"delivery": self.delivery} if self.delivery else {}),
            "match": {degree: self.match.get(degree, 0) for degree in DEGREES},
            "category": _sorted(self.category),
            "outcome": _sorted(self.outcome),
            "initiator": _sorted(self.initiator),
            "reason": _sorted(self.reason),
            "seconds": round(self.seconds, 3),
            "records_per_second": round(self.records / self.seconds) if self.seconds else 0,
        }


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


# Seconds between two statistics records.
STATISTICS = 60.0


class Statistics:
    """Sends a record of the counts to where messages go, from time to time and at the end.

    Args:
        summary: gives the counts so far.
    """

    def __init__(self, summary: Callable[[], Summary]) -> None:
        self._summary = summary
        self._due = time.monotonic() + STATISTICS

    def tick(self) -> None:
        """Send one, if it is time."""
        if time.monotonic() >= self._due:
            self._due += STATISTICS
            self.tell()

    def tell(self) -> None:
        """Send one."""
        summary = self._summary().as_dict()
        counts = ("records", "matched", "unmatched", "conflicts", "invalid", "match", "category", "outcome", "delivery")
        warn("statistics", **{name: summary[name] for name in counts if name in summary})


class Clock:
    """Measures how long a run takes."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the seconds since it was made."""
        return time.monotonic() - self._begin


def print_table(summary: Summary) -> None:
    """Print the closing table on stderr."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="dim")
    for row in _rows(summary):
        table.add_row(*row)
    Console(stderr=True, highlight=False).print(table)


def _rows(summary: Summary) -> Iterator[tuple[str, ...]]:
    """Give the rows of the closing table: name, count, share of the records."""
    numbers = summary.as_dict()

    def shared(name: str, count: int) -> tuple[str, str, str]:
        return name, f"{count:,}", f"{count / summary.records:.1%}" if summary.records else ""

    yield "records", f"{summary.records:,}"
    for degree, count in numbers["match"].items():
        if count:
            yield shared(f"  matched by {degree}", count)
    yield shared("  no call logs", summary.unmatched)
    for name, count in (
        ("conflicts", summary.conflicts),
        ("invalid lines", summary.invalid),
        ("blank lines", summary.blank),
        ("time of arrival", summary.arrival_time),
        *((_LABELS.get(name, name), count) for name, count in (summary.delivery or {}).items()),
    ):
        if count or name in ("invalid lines", "delivered"):
            yield name, f"{count:,}"
    for title in ("category", "outcome", "reason"):
        counts = numbers[title]
        if counts:
            yield "", ""
            yield (f"[bold]{title}[/bold]",)
        for name, count in list(counts.items())[:TOP]:
            yield shared(f"  {name}", count)
        if len(counts) > TOP:
            yield (f"  ({len(counts) - TOP} more)",)
    yield "", ""
    yield "records/s", f"{numbers['records_per_second']:,}"
