"""Sources and sinks by the scheme of their URL; a new kind is one line here and a module that makes it."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from enricher.errors import SettingsError
from filters.batch import Sink, Source
from filters.invalid import DeadLetter
from filters.signals import Signals

if TYPE_CHECKING:
    from enricher.identity import Identity
    from filters.delivery.counts import Counts

# The module has `open_source(url, args)`, `open_sink(url, args)` or `open_encoder(args)`.
SOURCES = {
    "forward": "filters.forward.settings",
    "forward+tls": "filters.forward.settings",
    "forward+unix": "filters.forward.settings",
}
_ELASTIC = "filters.sinks.elasticsearch"
SINKS = {
    **SOURCES,
    **dict.fromkeys(("https", "http"), _ELASTIC),
    **dict.fromkeys(("elasticsearch", "elasticsearch+https", "elasticsearch+http"), _ELASTIC),
    **dict.fromkeys(("opensearch", "opensearch+https", "opensearch+http"), _ELASTIC),
    **dict.fromkeys(("loki+https", "loki+http"), "filters.sinks.loki"),
}
# What is written to standard output or a file; `json` needs no module.
ENCODERS = {"bulk": _ELASTIC, "loki": "filters.sinks.loki"}


class RemoteSource(Source, Protocol):
    """A source with connections."""

    def close(self) -> None:
        """Close them."""


class RemoteSink(Sink, Protocol):
    """A sink that takes lines and events, and counts what becomes of them."""

    counts: "Counts"

    def write_events(self, tag: str, entries: bytes, count: int, ack: Callable[[], None]) -> None:
        """Take the entries of events, as `write` takes lines."""

    def finish(self) -> None:
        """Wait until all is delivered, on a signal for so long as it may; a second call says the same.

        Raises:
            OutputFailed: records were not delivered.
        """

    def close(self) -> None:
        """Close the connections."""


class Context(msgspec.Struct, frozen=True):
    """What a sink gets from the run that it is part of.

    Args:
        dead_letter: where what the target does not take goes; None for nowhere.
        identify: tells what tells a record from others, by the profiles that are loaded at that moment.
    """

    signals: Signals
    dead_letter: DeadLetter | None
    identify: "Identify"


Identify: TypeAlias = "Callable[[Sequence[bytes]], list[Identity]]"


class Encode(Protocol):
    """Makes what is written of JSON lines."""

    @property
    def arrival_time(self) -> int:
        """Return how many records bear the time of their arrival for want of their own."""

    def __call__(self, data: bytes) -> bytes:
        """Return what is written."""


OpenSource: TypeAlias = Callable[[Signals], RemoteSource]
OpenSink: TypeAlias = Callable[[Context], RemoteSink]
OpenEncoder: TypeAlias = Callable[[Identify], Encode]


def scheme(text: str | None) -> str:
    """Return the scheme of a URL, "" for the name of a file."""
    head, separator, _ = (text or "").partition("://")
    return head if separator and "/" not in head else ""


def source_of(url: str, args: argparse.Namespace) -> OpenSource:
    """Return what opens the source.

    Raises:
        SettingsError: with everything that is wrong with it.
    """
    opener: OpenSource = import_module(_module(SOURCES, url, "--input")).open_source(url, args)
    return opener


def sink_of(url: str, args: argparse.Namespace) -> OpenSink:
    """Return what opens the sink.

    Raises:
        SettingsError: with everything that is wrong with it.
    """
    opener: OpenSink = import_module(_module(SINKS, url, "--output")).open_sink(url, args)
    return opener


def encoder_of(name: str, args: argparse.Namespace) -> OpenEncoder:
    """Return what opens an encoder.

    Raises:
        SettingsError: with everything that is wrong with it.
    """
    opener: OpenEncoder = import_module(ENCODERS[name]).open_encoder(args)
    return opener


def _module(known: Mapping[str, str], url: str, option: str) -> str:
    if scheme(url) not in known:
        raise SettingsError([f"{option}: expected {', '.join(f'{name}://...' for name in known)}, got {url!r}"])
    return known[scheme(url)]


def problems(args: argparse.Namespace) -> list[str]:
    """Return what does not fit together."""
    found = []
    remote_input, remote_output = bool(args.input), bool(scheme(args.output))
    if remote_input and args.files:
        found.append(f"--input: expected no FILE beside it, got {args.files[0]}")
    if args.jobs != "1" and (remote_input or remote_output):
        where = "--input" if remote_input else "--output"
        found.append(f"--jobs: expected 1 with a URL for {where}, got {args.jobs}: one process serves the connections")
    keys = [option for option, key in (("--tag-key", args.tag_key), ("--time-key", args.time_key)) if key]
    if keys and (not remote_input or remote_output):
        found.append(f"{keys[0]}: expected a URL for --input and none for --output: only there events become lines")
    if args.to != "json" and remote_output:
        found.append(f"--to: expected no URL for --output beside it, got {args.to}")
    if args.tag and not (remote_output or args.tag_key):
        found.append("--tag: expected a URL for --output, or --tag-key: nothing else has a tag")
    return found
