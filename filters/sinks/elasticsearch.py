"""Elasticsearch and OpenSearch as a sink: `_bulk` into a data stream or an index."""

import argparse
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import repeat
from typing import TYPE_CHECKING
from urllib.parse import quote

from enricher.errors import SettingsError
from filters.delivery.access import Access, access_of
from filters.delivery.content import Content, content
from filters.delivery.options import settings_of
from filters.elastic.bulk import FILTER_PATH, BulkItem, Encoder, judge
from filters.elastic.index import STREAM, TEMPLATE_FILTER, check_name, makes_stream, name_maker
from filters.endpoints import Context, Encode, Identify
from filters.messages import warn
from filters.options import Problems

if TYPE_CHECKING:
    from filters.delivery.dispatch import Dispatch
    from filters.delivery.http import Answer, Http
    from filters.delivery.target import Verdict

PORT = 9200
# Those of HTTP have a port of their own.
_SCHEMES = ("elasticsearch", "opensearch")
_NOWHERE: tuple[str, Callable[[int], str] | None] = (STREAM, None)
# Seconds for each question before the first record.
_PATIENCE = 10.0
_TEMPLATES = f"/_index_template?filter_path={TEMPLATE_FILTER}"
_HEADERS = {"Content-Type": "application/x-ndjson"}


class Bulk:
    """A server that takes `_bulk`.

    Args:
        path: that of its requests, with the name of the stream or index if that is always the same.
    """

    def __init__(self, name: str, http: "Http", path: str, encoder: Encoder, *, gzip: bool) -> None:
        self.name = name
        self.items = encoder.items
        self._encoder = encoder
        self._http = http
        self._path = f"{path}/_bulk?filter_path={FILTER_PATH}"
        self._gzip = gzip

    @property
    def arrival_time(self) -> int:
        """Return how many records bear the time of their arrival."""
        return self._encoder.arrival_time

    def record(self, item: BulkItem) -> bytes:
        """Return the record of an item as it came."""
        return item.record

    def prepare(self, items: Sequence[BulkItem]) -> Content:
        """Return a request with these items."""
        return content(b"".join([item.data for item in items]), _HEADERS, gzip=self._gzip)

    def send(self, request: Content) -> "Answer":
        """Send it."""
        return self._http.request("POST", self._path, *request)

    def judge(self, items: Sequence[BulkItem], answer: "Answer") -> "Verdict":
        """Return what the answer says of each."""
        return judge(len(items), answer)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def open_sink(url: str, args: argparse.Namespace) -> Callable[[Context], "Dispatch[BulkItem]"]:
    """Return what opens the sink.

    Raises:
        SettingsError: with everything that is wrong.
    """
    try:
        from filters.delivery.dispatch import Dispatch, Settings
        from filters.delivery.http import Http
    except ImportError:
        raise SettingsError(["--output: HTTP needs one package more: pip install 'sipsense[http]'"]) from None
    with Problems() as problems:
        port = PORT if url.partition("://")[0].partition("+")[0] in _SCHEMES else None
        access = problems.check(lambda: access_of(url, args, port=port), Access(()))
        settings = problems.check(lambda: settings_of(args), Settings())
        place, made = problems.check(lambda: _place(args, "--output"), _NOWHERE)
    name, gzip = str(access), args.compress == "gzip"
    path = "" if made else f"/{quote(place, safe='')}"

    def open_it(run: Context) -> Dispatch[BulkItem]:
        http = Http(access)
        _look(http, name)
        if not args.index:
            _look_at_stream(http, name, place)
        return Dispatch(Bulk(name, http, path, Encoder(run.identify, made), gzip=gzip), settings, run)

    return open_it


def open_encoder(args: argparse.Namespace) -> Callable[[Identify], Encode]:
    """Return what makes `--to bulk`: from JSON lines to the body of a request."""
    with Problems() as problems:
        template, made = problems.check(lambda: _place(args, "--to bulk"), _NOWHERE)

    def encoder(identify: Identify) -> Encode:
        return _Lines(Encoder(identify, made or (lambda _: template)))

    return encoder


class _Lines:
    """Makes the body of a request of JSON lines."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def arrival_time(self) -> int:
        """Return how many records bear the time of their arrival."""
        return self._encoder.arrival_time

    def __call__(self, data: bytes) -> bytes:
        items = self._encoder.items(list(BytesIO(data)), repeat(time.time_ns()), [])
        return b"".join([item.data for item in items])


def _place(args: argparse.Namespace, option: str) -> tuple[str, Callable[[int], str] | None]:
    """Return where records go, and what names it for each of them where that differs.

    Args:
        option: what asks for it.

    Raises:
        SettingsError: with everything that is wrong.
    """
    place = args.index or args.data_stream or STREAM
    with Problems() as problems:
        if args.invalid == "pass":
            problems.found.append(
                f"--invalid: expected wrap, drop or fail with {option}, which takes only JSON objects"
            )
        if args.index and args.data_stream:
            problems.found.append(f"--index: expected no --data-stream beside it, got {args.data_stream!r}")
        elif args.index:
            return place, problems.check(lambda: name_maker(place), None)
        else:
            problems.check(lambda: check_name(place, "--data-stream"), None)
    return place, None


def _look(http: "Http", name: str) -> None:
    """Ask who is there; a server that is away is waited for later, with the records.

    Raises:
        SettingsError: it does not know us.
    """
    answer = _asked(http, "/")
    if answer and answer.status == 401:
        http.close()
        why = "the credentials are wrong" if http.authorized else "expected --user, --api-key-file or --bearer-file"
        raise SettingsError([f"--output: {name}: 401: {why}"])


def _look_at_stream(http: "Http", name: str, stream: str) -> None:
    """Say so when records would make an ordinary index, as far as we may know."""
    answer = _asked(http, f"/_data_stream/{quote(stream, safe='')}")
    if answer is None or answer.status != 404:
        return
    answer = _asked(http, _TEMPLATES)
    if answer and answer.status == 200 and not makes_stream(answer.body, stream):
        warn(
            f"{name}: no template makes a data stream of {stream}, so that it becomes an index whose types the server "
            "guesses: stop, and run `sipsense setup elasticsearch` first"
        )


def _asked(http: "Http", path: str) -> "Answer | None":
    from filters.delivery.http import Unreachable

    try:
        return http.request("GET", path, seconds=_PATIENCE)
    except Unreachable:
        return None
