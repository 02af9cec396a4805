"""The numbers of a run as Prometheus reads them: made when they are asked for, of what the stream counts anyway."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from enricher.blocks import Tally
from enricher.catalog import Catalog
from enricher.lookup import Explanation
from filters import __version__
from filters.delivery.counts import Counts, Histogram
from filters.pipeline import State
from filters.stats import DEGREES

if TYPE_CHECKING:
    from prometheus_client.core import Metric

UNKNOWN, OTHER = "unknown", "other"


class Collector:
    """Gives the metrics of a run to prometheus-client.

    Args:
        state: gives the state, from any thread.
        flow: what was handed to the sink, and what of it waits.
        sink: what became of it, by a sink that counts itself; else the same.
    """

    def __init__(self, state: Callable[[], State], flow: Counts, sink: Counts) -> None:
        self._state = state
        self._flow = flow
        self._sink = sink

    def collect(self) -> "Iterator[Metric]":
        """Give all metrics."""
        state = self._state()
        yield from _of_records(state.tally)
        yield from _of_calls(state.tally, state.catalog)
        yield from _of_delivery(self._flow, self._sink)
        yield from _of_process(state)


def _of_records(tally: Tally) -> "Iterator[Metric]":
    matched: Counter[tuple[str, ...]] = Counter({(degree,): 0 for degree in DEGREES})
    unmatched = 0
    for added, count in tally.added.items():
        if added.explanation is None:
            unmatched += count
        else:
            matched[added.explanation.match,] += count
    yield _counter("records", "Records that were read, also those that are none.", tally.lines - tally.blank)
    yield _counters("matched_records", "Records with a SIP code or reason, by how sure the match is.", matched, "match")
    yield _counter("unmatched_records", "Records that are no call logs; they pass unchanged.", unmatched)
    yield _counter("invalid_records", "Lines that are no records.", tally.invalid)
    yield _counter("conflict_records", "Records whose target key holds something that is no object.", tally.conflicts)


def _of_calls(tally: Tally, catalog: Catalog) -> "Iterator[Metric]":
    # A counter that comes into being with its first call has no growth then: what can be foreseen begins with 0.
    calls, reasons = Counter(_foreseen_calls(catalog)), Counter(_foreseen_reasons(catalog))
    for added, count in tally.added.items():
        explanation = added.explanation
        if explanation and explanation.final:
            sides = (explanation.outcome, explanation.category, explanation.initiator)
            calls[tuple(side or UNKNOWN for side in sides)] += count
            reasons[_code(explanation, catalog), explanation.reason or OTHER] += count
    labels = ("outcome", "category", "initiator")
    yield _counters("calls", "Records that tell how a call ended.", calls, *labels)
    text = "The same by canonical reason; other where only the class of the code is known."
    yield _counters("reasons", text, reasons, "code", "reason")


def _foreseen_calls(catalog: Catalog) -> dict[tuple[str, ...], int]:
    """Return the outcomes of the rows by who can end a call so, and those of the decisions."""
    foreseen = [
        (row.code, row.outcomes.get(initiator, row.outcome), initiator)
        for row in catalog.rows
        for initiator in row.initiators or ("",)
    ]
    decided = [(cell.code, cell.outcome, cell.initiator) for cell in catalog.cells.values() if cell.outcome]
    return {
        (outcome, catalog.categories[code // 100].name, initiator or UNKNOWN): 0
        for code, outcome, initiator in (*foreseen, *decided)
    }


def _foreseen_reasons(catalog: Catalog) -> dict[tuple[str, ...], int]:
    return {(str(row.code), row.reason): 0 for row in catalog.rows}


def _code(explanation: Explanation, catalog: Catalog) -> str:
    """Return the code as the value of a label; of a code that nobody knows only its class, so that there are few."""
    code = explanation.code
    if code is None:
        return UNKNOWN
    return str(code) if code in catalog.names or code in catalog.rows_by_code else f"{code // 100}xx"


def _of_delivery(flow: Counts, sink: Counts) -> "Iterator[Metric]":
    yield _counter("output_records", "Records that were handed to the output.", flow.records)
    yield _counter("delivered_records", "Records that the output's target has taken.", sink.delivered)
    yield _counter("present_records", "Records that the target had already.", sink.present)
    refused = sink.refused if sink is flow else sink.refused + flow.refused
    yield _counter("dead_letter_records", "Lines and records that went to the dead letter.", refused)
    yield _counter(
        "undelivered_records", "Records that are neither delivered nor in the dead letter.", sink.undelivered
    )
    yield _counter("retries", "Requests to the target that repeat one.", sink.retries)
    yield _counter("requests", "Requests to the target.", sink.requests)
    yield _counter("request_failures", "Requests without a usable answer.", sink.failures)
    yield _histogram("batch_records", "Records in a batch, as it goes to the target.", sink.batch_records)
    yield _histogram("delivery_seconds", "From taking a batch over to its acknowledgement.", sink.latency_seconds)
    yield _gauge("queue_records", "Records that are read and not acknowledged.", flow.waiting_records)
    yield _gauge("queue_bytes", "Their bytes.", flow.waiting_bytes)
    yield _gauge("requests_in_flight", "Requests that wait for their answer.", sink.in_flight)


def _of_process(state: State) -> "Iterator[Metric]":
    yield _info("catalog", "The catalog in use.", state.catalog.version)
    yield _gauge("last_reload_timestamp_seconds", "When the catalog and the profiles in use were loaded.", state.loaded)
    yield _gauge("last_reload_successful", "Whether the last try to load them anew succeeded.", int(state.reloaded))
    yield _info("build", "The version of sipsense.", __version__)


def _counter(name: str, text: str, value: float) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(f"sipsense_{name}", text, value=value)


def _counters(name: str, text: str, values: Mapping[tuple[str, ...], int], *labels: str) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"sipsense_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _gauge(name: str, text: str, value: float) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"sipsense_{name}", text, value=value)


def _info(name: str, text: str, version: str) -> "Metric":
    from prometheus_client.core import InfoMetricFamily

    return InfoMetricFamily(f"sipsense_{name}", text, value={"version": version})


def _histogram(name: str, text: str, histogram: Histogram) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily
    from prometheus_client.utils import floatToGoString

    bounds = map(floatToGoString, (*histogram.bounds, math.inf))
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(f"sipsense_{name}", text, buckets=buckets, sum_value=histogram.sum)
