"""`sipsense enrich`, or just `sipsense`: the stream from standard input or files to standard output or a file."""

import argparse

from filters import messages, options
from filters.delivery.options import add_arguments as add_delivery_arguments
from filters.elastic.options import add_arguments as add_elastic_arguments
from filters.endpoints import ENCODERS
from filters.errors import Stopped
from filters.forward.options import add_arguments as add_forward_arguments
from filters.invalid import MODES
from filters.loki.options import add_arguments as add_loki_arguments
from filters.memory import keep_memory
from filters.run import Plan
from filters.signals import Signals
from filters.stats import Clock, Summary

HELP = "add the meaning of the SIP code to each call-log record (what `sipsense` alone does)"
EPILOG = """\
examples:
  sipsense < calls.jsonl > enriched.jsonl
  zcat cdr-*.gz | sipsense --stats | jq -c .sip
  sipsense --jobs 2 -o enriched.jsonl acc.jsonl.zst
  sipsense --output https://elastic@search.example:9200 --password-file secret --dead-letter left.jsonl calls.jsonl
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
        help="write here instead of standard output: a file; forward://HOST:PORT[,HOST2:PORT2][/TAG], "
        "forward+tls://..., forward+unix:///PATH; https://[USER@]HOST:PORT[,HOST2:PORT2][/PATH] or http://... for "
        "Elasticsearch and OpenSearch; loki+https://... or loki+http://...",
    )
    parser.add_argument(
        "--to",
        choices=("json", *ENCODERS),
        default="json",
        help="what is written to standard output or a file: JSON lines (default), or bodies of requests for curl: bulk "
        "for _bulk of Elasticsearch, loki for Loki, one line a push",
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
    running.add_argument(
        "--metrics",
        metavar="[HOST:]PORT",
        help="serve metrics for Prometheus there, and /healthz and /readyz (without HOST: 127.0.0.1)",
    )
    running.add_argument("--stats", action="store_true", help="print a closing table on standard error")
    running.add_argument("--stats-json", metavar="FILE", help="write the same as JSON")
    options.add_messages(parser)
    add_forward_arguments(parser)
    add_delivery_arguments(parser)
    add_elastic_arguments(parser)
    add_loki_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the stream."""
    plan = Plan(args)
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


def _report(args: argparse.Namespace, summary: Summary) -> None:
    if args.stats:
        from filters.stats import print_table

        print_table(summary)
    if args.stats_json:
        import orjson

        with open(args.stats_json, "wb") as file:
            file.write(orjson.dumps(summary.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
