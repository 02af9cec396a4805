"""Sources and sinks by the scheme of their URL; a new kind is one line here and a module that makes it."""

import argparse
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, TypeAlias

from enricher.errors import SettingsError
from filters.batch import Source
from filters.invalid import DeadLetter
from filters.signals import Signals

# The module has `open_source(url, args)` or `open_sink(url, args)`.
SOURCES = {
    "forward": "filters.forward.settings",
    "forward+tls": "filters.forward.settings",
    "forward+unix": "filters.forward.settings",
}
SINKS = {
    "forward": "filters.forward.settings",
    "forward+tls": "filters.forward.settings",
    "forward+unix": "filters.forward.settings",
}


class RemoteSource(Source, Protocol):
    """A source with connections."""

    def close(self) -> None:
        """Close them."""


class RemoteSink(Protocol):
    """A sink that takes lines and events."""

    def write(self, data: bytes) -> None:
        """Return when the target has taken JSON lines."""

    def write_events(self, tag: str, entries: bytes, count: int) -> None:
        """Return when the target has taken the entries of events."""

    def finish(self) -> None:
        """Say what could not be delivered, as an error."""

    def close(self) -> None:
        """Close the connections."""


OpenSource: TypeAlias = Callable[[Signals], RemoteSource]
OpenSink: TypeAlias = Callable[[Signals, DeadLetter | None], RemoteSink]


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
    if args.tag and not (remote_output or args.tag_key):
        found.append("--tag: expected a URL for --output, or --tag-key: nothing else has a tag")
    return found
