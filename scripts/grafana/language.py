"""The two query languages: the same questions about calls, asked of Loki's lines and of the metrics."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


@dataclass(frozen=True)
class Is:
    """The value of a field is one of these, or none of them."""

    field: str
    values: tuple[str, ...]
    negated: bool = False

    def matcher(self, name: str) -> str:
        """Return it as both languages write it."""
        if len(self.values) == 1:
            return f'{name}{"!=" if self.negated else "="}"{self.values[0]}"'
        values = "|".join(_SPECIAL.sub(r"\\\1", value) for value in self.values)
        quote = "`" if "\\" in values else '"'
        return f"{name}{'!~' if self.negated else '=~'}{quote}{values}{quote}"


# A set of calls: each is in one of several ways all that the way asks for.
Calls = tuple[tuple[Is, ...], ...]


def reason(*values: str) -> Calls:
    """Return the calls with such a reason."""
    return ((Is("reason", values),),)


def known(field: str) -> Calls:
    """Return the calls of which a field is known."""
    return ((Is(field, ("",), negated=True),),)


class Language(Protocol):
    """A query language.

    Args:
        name: what its parser is called.
        group: the label that tells one stream of calls from another.
    """

    name: str
    group: str

    def label(self, field: str) -> str:
        """Return the label of a field."""

    def count(self, window: str, *wanted: Calls, by: Sequence[str] = (), offset: str = "") -> str:
        """Return how many calls there were in a window.

        Args:
            window: such as `5m` or a variable of Grafana.
            wanted: sets that a call has to be in, all of them.
            by: the fields or labels that stay.
            offset: how long ago.
        """

    def count_each(self, window: str, wanted: Calls, *, by: str) -> str:
        """Return how many calls there were for each value of a field, `unknown` among them."""


class LogQL:
    """Asks Loki: `sip_category` is a label, the rest is structured metadata of the lines.

    Args:
        selector: finds the streams.
        filters: what all lines have to be beside that.
    """

    name, group = "logql", "service_name"
    # What the sink calls the fields; others, such as trunk, are called what --metadata calls them.
    labels: Mapping[str, str] = {
        "category": "sip_category",
        "code": "sip_code",
        "reason": "sip_reason",
        "initiator": "sip_initiator",
        "outcome": "sip_outcome",
    }

    def __init__(self, selector: str, filters: str = "") -> None:
        self._head = selector + filters

    def label(self, field: str) -> str:
        """Return the name that the sink gives the field."""
        return self.labels.get(field, field)

    def lines(self, *wanted: Calls) -> str:
        """Return what gives the lines of such calls."""
        return "".join([self._head, *(f" | {self._filter(calls)}" for calls in wanted)])

    def count(self, window: str, *wanted: Calls, by: Sequence[str] = (), offset: str = "") -> str:
        """Return how many calls there were in a window."""
        return f"{_sum(map(self.label, by))}(count_over_time({self.lines(*wanted)} [{window}]{_offset(offset)}))"

    def count_each(self, window: str, wanted: Calls, *, by: str) -> str:
        """Return how many calls there were for each value of a field; without a value it is `unknown`."""
        label = self.label(by)
        return f'label_replace({self.count(window, wanted, by=(label,))}, "{label}", "unknown", "{label}", "")'

    def _filter(self, calls: Calls) -> str:
        ways = [" and ".join(one.matcher(self.label(one.field)) for one in way) for way in calls]
        return " or ".join(f"({text})" if " and " in text and len(ways) > 1 else text for text in ways)


class PromQL:
    """Asks Prometheus: calls by outcome, category and initiator, or reasons by code.

    Args:
        both: matchers of both metrics.
        calls: matchers of the labels that only the metric of the calls has.
        function: `increase`, or `rate` for calls a second.
    """

    name, group = "promql", "job"
    _of_reasons = ("reason", "code")

    def __init__(self, both: str = "", *, calls: str = "", function: str = "increase") -> None:
        self._both = both
        self._calls = calls
        self._function = function

    def label(self, field: str) -> str:
        """Return the label of the metrics, which is called like the field."""
        return field

    def count(self, window: str, *wanted: Calls, by: Sequence[str] = (), offset: str = "") -> str:
        """Return how many calls there were in a window."""
        asked = {*by, *(one.field for calls in wanted for way in calls for one in way)}
        of_reasons = not asked.isdisjoint(self._of_reasons)
        metric = "sipsense_reasons_total" if of_reasons else "sipsense_calls_total"
        common = [text for text in (self._both, "" if of_reasons else self._calls) if text]
        series = [
            f"{self._function}({metric}{_braces([*common, *matchers])}[{window}]{_offset(offset)})"
            for matchers in self._ways(wanted)
        ]
        return f"{_sum(by)}({' or '.join(series)})"

    def count_each(self, window: str, wanted: Calls, *, by: str) -> str:
        """Return how many calls there were for each value of a field."""
        return self.count(window, wanted, by=(by,))

    def _ways(self, wanted: Sequence[Calls]) -> list[list[str]]:
        """Return the lists of matchers that together find what is wanted: there is no `or` inside a selector."""
        ways: list[list[str]] = [[]]
        for calls in wanted:
            ways = [[*one, *(part.matcher(part.field) for part in way)] for one in ways for way in calls]
        return ways


def _sum(by: Sequence[str]) -> str:
    labels = ", ".join(by)
    return f"sum by ({labels}) " if labels else "sum"


def _offset(offset: str) -> str:
    return f" offset {offset}" if offset else ""


def _braces(matchers: Sequence[str]) -> str:
    return f"{{{', '.join(matchers)}}}" if matchers else ""


def ratio(part: str, whole: str) -> str:
    """Return the part of the whole, 0 where there is no part, nothing where there is no whole."""
    return f"({part} or vector(0)) / {whole}"
