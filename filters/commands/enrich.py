"""`sipsense enrich`, or just `sipsense`: the stream from standard input or files to standard output or a file."""

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any

from enricher.enrich import Enricher
from enricher.errors import SettingsError
from filters import endpoints, messages, options
from filters.batch import Sink, Source
from filters.errors import Stop, Stopped
from filters.forward.options import add_arguments as add_forward_arguments
from filters.invalid import MODES, DeadLetter, Invalid
from filters.memory import keep_memory
from filters.messages import warn
from filters.pipeline import Outlet, Stage
from filters.pipeline import run as run_pipeline
from filters.reload import Reload
from filters.signals import Signals
from filters.sinks.descriptor import Descriptor
from filters.sources.files import STDIN, Files
from filters.stats import Clock, Statistics, Summary

HELP = "add the meaning of the SIP code to each call-log record (what `sipsense` alone does)"
EPILOG = """\
examples:
  sipsense < calls.jsonl > enriched.jsonl
  zcat cdr-*.gz | sipsense --stats | jq -c .sip
  sipsense --jobs 2 -o enriched.jsonl acc.jsonl.zst
  sipsense --input forward://127.0.0.1:24224 --output forward://log1:24224,log2:24224 --dead-letter left.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="what to read: plain, gzip or Zstandard; `-` or none: standard input"
    )
    parser.add_argument(
        "-i",
        "--input",
        metavar="URL",
        help="listen instead of reading: forward://HOST:PORT (without HOST: 127.0.0.1), forward+tls://HOST:PORT or "
        "forward+unix:///PATH",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write here instead of standard output: a file, or forward://HOST:PORT[,HOST2:PORT2][/TAG], "
        "forward+tls://..., forward+unix:///PATH",
    )
    options.add_settings(parser)
    bad = parser.add_argument_group("bad input")
    bad.add_argument(
        "--invalid",
        choices=MODES,
        default="wrap",
        help="a line that is no JSON object is wrapped in one (default), passed as it is, dropped, or ends the run",
    )
    bad.add_argument(
        "--dead-letter",
        metavar="FILE",
        help="append such lines here, wrapped, instead; and records that were not delivered (see `sipsense unwrap`)",
    )
    bad.add_argument(
        "--max-line", metavar="SIZE", default="16MiB", help="longest line that is read whole (default: 16MiB)"
    )
    running = parser.add_argument_group("running")
    running.add_argument(
        "--jobs", metavar="N", default="1", help="processes that share the work; the order is kept (default: 1)"
    )
    running.add_argument(
        "--watch", action="store_true", help="load --catalog and --profile-file anew when they change, as on SIGHUP"
    )
    running.add_argument("--stats", action="store_true", help="print a closing table on standard error")
    running.add_argument("--stats-json", metavar="FILE", help="write the same as JSON")
    options.add_messages(parser)
    add_forward_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the stream."""
    plan = _Plan(args)
    keep_memory()
    with Signals() as signals:
        clock = Clock()
        try:
            summary, stop = plan.run(signals)
        finally:
            plan.close()
            messages.close()
        summary.seconds = clock.seconds
        _report(args, summary)
        if stop:
            raise stop
        if signals.stop:
            raise Stopped(signals.stop)
    return 0


class _Plan:
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
        self._events = self._lines_of and self._write_as_lines
        self._remote: list[endpoints.RemoteSource | endpoints.RemoteSink] = []

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
        self._lines_of = _lines_of(args) if args.input and not remote else None
        checked(lambda: options.open_messages(args), None)
        problems.found += endpoints.problems(args) + _check_paths(self.paths, args)

    def stage(self) -> Stage:
        """Return the stage; the enricher that was made for the check is its first."""
        made = [self._first] if self._first else []
        invalid = Invalid(self._args.invalid, apart=self.dead_letter is not None)
        args = self._args
        counts = bool(args.stats or args.stats_json or args.log_to or args.log_file)
        return Stage(lambda: made.pop() if made else self.make(), invalid, self.max_line, count=counts)

    def outlet(self) -> Outlet:
        """Return the outlet."""
        return Outlet(self.sink, self.dead_letter, self._events)

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
            source = self._source(signals, on_read)
            sink = self._connect(signals)
            stage, stop = self.stage(), None
            statistics = Statistics(lambda: stage.tally) if self._args.log_to or self._args.log_file else None
            try:
                run_pipeline(source, stage, self.outlet(), self.reload(signals), statistics)
                if sink:
                    sink.finish()
            except Stop as reason:
                stop = reason
            if statistics:
                statistics.tell()
        if isinstance(source, Files) and source.unfinished:
            warn(f"stopped inside a line: its first {source.unfinished} bytes were not written")
        return Summary.of(stage.tally), stop

    def close(self) -> None:
        """Close input and output."""
        for end in self._remote:
            end.close()
        if self._fd != 1:
            os.close(self._fd)

    def _source(self, signals: Signals, on_read: Callable[[int], None] | None) -> Source:
        if self._open_source:
            source = self._open_source(signals)
            self._remote.append(source)
            return source
        return Files(self.paths, self.max_line, signals, pause=1.0 if self._args.watch else None, on_read=on_read)

    def _connect(self, signals: Signals) -> endpoints.RemoteSink | None:
        """Put a remote sink in the place of standard output, if there is to be one."""
        if not self._open_sink:
            return None
        sink = self._open_sink(signals, self.dead_letter)
        self._remote.append(sink)
        self.sink, self._events = sink, sink.write_events
        return sink

    def _write_as_lines(self, tag: str, entries: bytes, count: int) -> None:
        if self._lines_of:
            self.sink.write(self._lines_of(tag, entries, count))


def _lines_of(args: argparse.Namespace) -> Callable[[str, bytes, int], bytes]:
    from filters.codecs.convert import lines_of

    return lines_of(args.tag_key or "", args.time_key or "")


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


def _report(args: argparse.Namespace, summary: Summary) -> None:
    if args.stats:
        from filters.stats import print_table

        print_table(summary)
    if args.stats_json:
        import orjson

        with open(args.stats_json, "wb") as file:
            file.write(orjson.dumps(summary.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
