"""`sipsense fluentd`: the child of Fluentd's exec_filter."""

import argparse
import os
from typing import TYPE_CHECKING, Any

from enricher.enrich import Enricher
from filters import messages, options
from filters.errors import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from filters.fluentd import Child
    from filters.signals import Signals
    from filters.sinks.descriptor import Descriptor

HELP = "be the child process of Fluentd's exec_filter"
EPILOG = """\
examples:
  command sipsense fluentd                             in an exec_filter with msgpack both ways
  command sipsense fluentd --codec json --log-file /var/log/fluent/sipsense.log
"""
CODECS = ("msgpack", "json", "json:msgpack", "msgpack:json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    options.add_settings(parser)
    fluentd = parser.add_argument_group("Fluentd")
    fluentd.add_argument(
        "--codec",
        choices=CODECS,
        default="msgpack",
        help="what <format> and <parse> of the exec_filter say; a colon where they differ (default: msgpack)",
    )
    fluentd.add_argument(
        "--max-record",
        metavar="SIZE",
        default="16MiB",
        help="longest record that is enriched (default: 16MiB); of a longer JSON line the head is passed on, marked; "
        "longer MessagePack passes as it is",
    )
    fluentd.add_argument("--watch", action="store_true", help="load --catalog and --profile-file anew when they change")
    fluentd.add_argument(
        "--metrics",
        metavar="[HOST:]PORT",
        help="serve metrics for Prometheus there, and /healthz and /readyz; for one child alone (num_children 1)",
    )
    options.add_messages(parser)


def run(args: argparse.Namespace) -> int:
    """Be the child."""
    from filters.signals import Signals
    from filters.sinks.descriptor import Descriptor

    # A stray line on its standard output makes Fluentd deaf to a child for ever: what anybody prints goes to stderr.
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        with Signals(patient=True) as signals:
            _run(args, signals, Descriptor(stdout, "standard output"))
    finally:
        # Fluentd reads on until this is closed; messages may take longer.
        os.close(stdout)
        messages.close()
    return 0


def _run(args: argparse.Namespace, signals: "Signals", output: "Descriptor") -> None:
    """Be the child, with signals noted and output where it belongs.

    Raises:
        Stop: the output cannot be written.
    """
    from filters.fluentd import READ
    from filters.fluentd import run as run_child
    from filters.memory import keep_memory
    from filters.reload import Reload

    with options.Problems() as problems:
        size = problems.check(lambda: options.size(args.max_record, "--max-record"), 1)
        nothing: dict[str, Any] = {}
        settings = problems.check(lambda: options.enricher_settings(args), nothing)
        first = problems.check(lambda: Enricher(**settings), None)
        problems.check(lambda: options.open_messages(args), None)
        monitor = problems.check(lambda: options.open_monitor(args.metrics), None)
    made = [first] if first else []
    count = bool(args.log_file or args.log_to or monitor)
    child = _child(args.codec, lambda: made.pop() if made else Enricher(**settings), size, count=count)
    watched = [*(args.catalog or ()), *(args.profile_file or ())]
    keep_memory()
    if monitor:
        monitor.start(child.state, None, lambda: signals.stop)
    watch = monitor.watch if monitor else None
    reload = Reload(signals, watched if args.watch else ())
    try:
        stop = run_child(child, signals, output, reload, read=min(READ, size), watch=watch)
    finally:
        if monitor:
            monitor.close()
    if stop:
        messages.warn(str(stop) or "Fluentd has closed the pipe")
        raise Stop


def _child(codec: str, make: "Callable[[], Enricher]", size: int, *, count: bool) -> "Child":
    from filters.fluentd import JsonChild, MsgpackChild

    read, _, write = codec.partition(":")
    child = (JsonChild if read == "json" else MsgpackChild)(make, size, count=count)
    if not write:
        return child
    from filters.codecs.recode import ToJson, ToMsgpack

    return ToMsgpack(child) if write == "msgpack" else ToJson(child)
