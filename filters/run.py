"""A run of the stream: its settings, checked at once, and its ends."""

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from enricher.enrich import Enricher
from enricher.errors import SettingsError
from filters import endpoints, options
from filters.batch import Sink, Source, nobody
from filters.errors import Stop
from filters.invalid import DeadLetter, Invalid
from filters.messages import warn
from filters.pipeline import Outlet, Stage, WriteEvents
from filters.pipeline import run as run_pipeline
from filters.reload import Reload
from filters.signals import Signals
from filters.sinks.descriptor import Descriptor
from filters.sinks.encoded import Encoded
from filters.sources.files import STDIN, Files
from filters.stats import Statistics, Summary

if TYPE_CHECKING:
    from filters.delivery.counts import Counts
    from filters.monitor import Monitor


class Plan:
    """All settings of a run, checked at once, before anything is read.

    Raises:
        SettingsError: with everything that is wrong.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        with options.Problems() as problems:
            self._check(problems)
        remote = endpoints.scheme(args.output)
        self.dead_letter = DeadLetter(args.dead_letter) if args.dead_letter else None
        self._fd = _open_output(args.output) if args.output and not remote else 1
        self.sink: Sink = Descriptor(self._fd, args.output or "standard output")
        self._events: WriteEvents | None = self._write_as_lines if self._lines_of else None
        self._remote: list[endpoints.RemoteSource | endpoints.RemoteSink] = []
        self._encode: endpoints.Encode | None = None
        self._counts: Counts | None = None

    def _check(self, problems: options.Problems) -> None:
        args, checked = self._args, problems.check
        self.paths: Sequence[str] = () if args.input else args.files or [STDIN]
        self.max_line = checked(lambda: options.size(args.max_line, "--max-line"), 1)
        self.jobs = checked(lambda: options.count(args.jobs, "--jobs"), 1)
        nothing: dict[str, Any] = {}
        settings = checked(lambda: options.enricher_settings(args), nothing)
        self.make: Callable[[], Enricher] = lambda: Enricher(**settings)
        self._first = checked(self.make, None)
        self._open_source = checked(lambda: endpoints.source_of(args.input, args), None) if args.input else None
        remote = endpoints.scheme(args.output)
        self._open_sink = checked(lambda: endpoints.sink_of(args.output, args), None) if remote else None
        self._open_encoder = checked(lambda: endpoints.encoder_of(args.to, args), None) if args.to != "json" else None
        self._lines_of = _lines_of(args) if args.input and not remote else None
        checked(lambda: options.open_messages(args), None)
        self.monitor = checked(lambda: _monitor(args), None)
        problems.found += endpoints.problems(args) + _check_paths(self.paths, args)

    def stage(self) -> Stage:
        """Return the stage; the enricher that was made for the check is its first."""
        made = [self._first] if self._first else []
        invalid = Invalid(self._args.invalid, apart=self.dead_letter is not None)
        args = self._args
        counts = bool(args.stats or args.stats_json or args.log_to or args.log_file or args.metrics)
        return Stage(lambda: made.pop() if made else self.make(), invalid, self.max_line, count=counts)

    def outlet(self, stage: Stage) -> Outlet:
        """Return the outlet of that stage."""
        if self._open_encoder:
            self._encode = self._open_encoder(stage.identify)
            self.sink = Encoded(self.sink, self._encode)
        return Outlet(self.sink, self.dead_letter, self._events, self.monitor.watch if self.monitor else None)

    def summary(self, stage: Stage) -> Summary:
        """Return what was done by that stage and what it writes to."""
        summary = Summary.of(stage.tally)
        if self._encode:
            summary.arrival_time = self._encode.arrival_time
        if self._counts:
            summary.delivery = self._counts.as_dict()
            summary.arrival_time = self._counts.arrival_time
        return summary

    def reload(self, signals: Signals) -> Reload:
        """Return what tells when to load anew."""
        files = [*(self._args.catalog or ()), *(self._args.profile_file or ())]
        return Reload(signals, files if self._args.watch else ())

    def run(self, signals: Signals) -> tuple[Summary, Stop | None]:
        """Run the stream to its end; return what it did and what ended it early."""
        from filters.progress import progress

        with progress(self.paths, hidden=not self._args.output and os.isatty(1)) as on_read:
            if self.jobs > 1:
                from filters.ring import run_ring

                return run_ring(self, signals, on_read)
            stage, stop = self.stage(), None
            source = self._source(signals, on_read)
            sink = self._connect(signals, stage)
            statistics = Statistics(lambda: self.summary(stage)) if self._args.log_to or self._args.log_file else None
            if self.monitor:
                self.monitor.start(stage.state, sink.counts if sink else None, lambda: signals.stop)
            try:
                run_pipeline(source, stage, self.outlet(stage), self.reload(signals), statistics)
            except Stop as reason:
                stop = reason
            try:
                if sink:
                    sink.finish()  # what came before the end of a run is delivered, whatever ended it
            except Stop as reason:
                stop = stop or reason
            if statistics:
                statistics.tell()
        if isinstance(source, Files) and source.unfinished:
            warn(f"stopped inside a line: its first {source.unfinished} bytes were not written")
        return self.summary(stage), stop

    def close(self) -> None:
        """Close input and output."""
        for end in (*self._remote, *([self.monitor] if self.monitor else [])):
            end.close()
        if self._fd != 1:
            os.close(self._fd)

    def _source(self, signals: Signals, on_read: Callable[[int], None] | None) -> Source:
        if self._open_source:
            source = self._open_source(signals)
            self._remote.append(source)
            return source
        return Files(self.paths, self.max_line, signals, pause=1.0 if self._args.watch else None, on_read=on_read)

    def _connect(self, signals: Signals, stage: Stage) -> endpoints.RemoteSink | None:
        """Put a remote sink in the place of standard output, if there is to be one."""
        if not self._open_sink:
            return None
        sink = self._open_sink(endpoints.Context(signals, self.dead_letter, stage.identify))
        self._remote.append(sink)
        self.sink, self._events, self._counts = sink, sink.write_events, sink.counts
        return sink

    def _write_as_lines(self, tag: str, entries: bytes, count: int, ack: Callable[[], None] = nobody) -> None:
        if self._lines_of:
            self.sink.write(self._lines_of(tag, entries, count), ack)


def _lines_of(args: argparse.Namespace) -> Callable[[str, bytes, int], bytes]:
    from filters.codecs.convert import lines_of

    return lines_of(args.tag_key or "", args.time_key or "")


def _monitor(args: argparse.Namespace) -> "Monitor | None":
    if args.metrics and args.jobs != "1":
        raise SettingsError([f"--metrics: expected --jobs 1 beside it, got {args.jobs}: each would count alone"])
    return options.open_monitor(args.metrics)


def _check_paths(paths: Sequence[str], args: argparse.Namespace) -> list[str]:
    problems = []
    for path in paths:
        if path == STDIN:
            continue
        if os.path.isdir(path):
            problems.append(f"{path}: expected a file, got a directory")
        elif not os.access(path, os.R_OK):
            problems.append(f"{path}: cannot be read: {_why_unreadable(path)}")
        elif args.output and os.path.exists(args.output) and os.path.samefile(path, args.output):
            problems.append(f"--output: expected another file than the input, got {args.output}")
    output = "" if endpoints.scheme(args.output) else args.output or ""
    if output.endswith((".gz", ".zst")):
        problems.append(
            f"--output: expected a name for plain text, got {output}; compress with a pipe: sipsense ... | gzip"
        )
    for option, path in (
        ("--output", output),
        ("--dead-letter", args.dead_letter),
        ("--stats-json", args.stats_json),
    ):
        folder = os.path.dirname(path or "") or "."
        if path and (os.path.isdir(path) or not os.access(folder, os.W_OK)):
            problems.append(f"{option}: {path} cannot be written")
    if args.dead_letter and args.invalid in ("pass", "drop", "fail"):
        problems.append(f"--dead-letter: expected no --invalid beside it, got --invalid {args.invalid}")
    return problems


def _why_unreadable(path: str) -> str:
    return "permission denied" if os.path.exists(path) else "no such file"


def _open_output(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError as error:
        raise SettingsError([f"--output: {path} cannot be written: {error.strerror}"]) from None
