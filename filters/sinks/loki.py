"""Loki as a sink: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs."""

import argparse
import time
from collections.abc import Callable
from io import BytesIO
from itertools import repeat
from typing import TYPE_CHECKING

from enricher.errors import SettingsError
from filters.delivery.access import Access, access_of
from filters.delivery.options import settings_of as delivery_settings_of
from filters.endpoints import Context, Encode, Identify
from filters.errors import OutputFailed
from filters.loki.entries import Encoder, Entry, push_body
from filters.loki.settings import settings_of, tenant_of
from filters.options import Problems

if TYPE_CHECKING:
    from filters.delivery.dispatch import Dispatch

PORT = 3100
# The largest message that the parts of Loki send each other by default; what is larger gets 500 for ever. JSON takes
# more bytes than they do.
_LARGEST = 4 << 20


def open_sink(url: str, args: argparse.Namespace) -> Callable[[Context], "Dispatch[Entry]"]:
    """Return what opens the sink.

    Raises:
        SettingsError: with everything that is wrong.
    """
    try:
        from filters.delivery import dispatch
        from filters.delivery.http import Http
        from filters.loki.target import Loki
    except ImportError:
        raise SettingsError(["--output: HTTP needs one package more: pip install 'sipsense[http]'"]) from None
    with Problems() as problems:
        access = problems.check(lambda: access_of(url, args, port=PORT), Access(()))
        tenant = problems.check(lambda: tenant_of(args), "")
        settings = problems.check(lambda: settings_of(args), None)
        # With one at a time, all entries of a stream come in the order in which they were read.
        delivery = problems.check(lambda: delivery_settings_of(args, in_flight=1), dispatch.Settings())
        if delivery.size > _LARGEST:
            problems.found.append(f"--batch-size: expected at most 4MiB with Loki, got {args.batch_size}")
        if args.late == "drop" and not args.dead_letter:
            problems.found.append("--late drop: expected --dead-letter FILE beside it")
    assert settings, "else there is a problem"
    headers = {"X-Scope-OrgID": tenant} if tenant else {}
    gzip = args.compress == "gzip"

    def open_it(run: Context) -> dispatch.Dispatch[Entry]:
        target = Loki(str(access), Http(access), settings, run.identify, headers=headers, gzip=gzip)
        return dispatch.Dispatch(target, delivery, run)

    return open_it


def open_encoder(args: argparse.Namespace) -> Callable[[Identify], Encode]:
    """Return what makes `--to loki`: from JSON lines to the body of a push, in one line.

    Raises:
        SettingsError: with everything that is wrong.
    """
    with Problems() as problems:
        settings = problems.check(lambda: settings_of(args), None)
        if args.late == "drop":
            problems.found.append("--late: expected now or label with --to loki, got drop")
    assert settings, "else there is a problem"
    return lambda identify: _Lines(Encoder(settings, identify))


class _Lines:
    """Makes the body of a push of JSON lines."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def arrival_time(self) -> int:
        """Return how many records bear the time of their arrival."""
        return self._encoder.arrival_time

    def __call__(self, data: bytes) -> bytes:
        """Return the body.

        Raises:
            OutputFailed: Loki would not take a record.
        """
        refused: list[tuple[bytes, str]] = []
        entries = self._encoder.entries(list(BytesIO(data)), repeat(time.time_ns()), refused)
        if refused:
            raise OutputFailed(f"a record would be refused by Loki: {refused[0][1]}")
        return push_body(entries) + b"\n" if entries else b""
