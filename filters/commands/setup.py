"""`sipsense setup`: makes a server ready for calls, and may be run again at any time."""

import argparse
from typing import TYPE_CHECKING, Any, cast

from enricher.errors import SettingsError
from filters import options
from filters.dashboards.export_kibana import add_arguments as add_dashboards
from filters.delivery.options import add_http
from filters.setup import layout
from filters.setup.report import Report

if TYPE_CHECKING:
    from filters.delivery.access import Access
    from filters.delivery.http import Http
    from filters.elastic.templates import Layout, Product
    from filters.setup.dashboards import Dashboards

HELP = "make Elasticsearch, OpenSearch, Kibana or OpenSearch Dashboards ready for calls"
EPILOG = """\
exit status: 1 if the server cannot be reached or refuses, 2 if a setting is wrong or something there is not ours

examples:
  sipsense setup elasticsearch https://elastic@es1:9200 --password-file pw.txt --dry-run
  sipsense setup opensearch https://os1:9200 --user admin --tls-ca ca.pem --retention 30
  sipsense setup kibana https://kibana:5601 --api-key-file key.txt --space voice
"""

CLUSTERS = ("elasticsearch", "opensearch")
DASHBOARDS = ("kibana", "opensearch-dashboards")
_SCHEMES = {
    **{name: ("https", "http", name, f"{name}+https", f"{name}+http") for name in CLUSTERS},
    **dict.fromkeys(DASHBOARDS, ("https", "http")),
}
# Of schemes that have none of their own.
_PORT = 9200
_ONLY_DASHBOARDS = ("space", "index_pattern", "trunk_field", "number_field")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("what", metavar="WHAT", choices=(*CLUSTERS, *DASHBOARDS), help=", ".join(_SCHEMES))
    parser.add_argument("url", metavar="URL", help="where it is: https://[USER@]HOST[:PORT][,HOST2[:PORT2]][/PATH]")
    running = parser.add_argument_group("running")
    running.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    running.add_argument("--json", action="store_true", help="print it as JSON; with --dry-run the documents too")
    running.add_argument("--force", action="store_true", help="replace what is not from sipsense, or from a newer one")
    layout.add_arguments(parser)
    add_dashboards(parser)
    group = parser.add_argument_group("kibana, opensearch-dashboards")
    group.add_argument("--space", metavar="NAME", help="space of Kibana, or tenant of OpenSearch Dashboards")
    options.add_settings(parser)
    add_http(parser)
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace) -> int:
    """Do it, or say what would be done."""
    from filters.dashboards.export_kibana import exported
    from filters.delivery.access import access_of

    unknown: Any = None
    with options.Problems() as problems:
        problems.found += _unused(args)
        scheme = args.url.partition("://")[0]
        if scheme not in _SCHEMES[args.what]:
            expected = " or ".join(f"{name}://..." for name in _SCHEMES[args.what][:2])
            problems.found.append(f"URL: expected {expected}, got {_without_user(args.url)!r}")
        port = None if scheme in ("https", "http") else _PORT
        access = problems.check(lambda: access_of(args.url, args, port=port, option="URL"), unknown)
        if args.what in CLUSTERS:
            wanted = problems.check(lambda: layout.layout_of(args), unknown)
        else:
            data = problems.check(lambda: exported(args.what, args).encode(), b"")
    http = _connect(access)
    try:
        if args.what in CLUSTERS:
            return _run_cluster(args, http, access, wanted)
        return _run_dashboards(args, http, access, data)
    finally:
        http.close()


def _without_user(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _unused(args: argparse.Namespace) -> list[str]:
    """Return a problem for each option that has no effect on what is set up."""
    other = _ONLY_DASHBOARDS if args.what in CLUSTERS else layout.OPTIONS
    return [
        f"{action.option_strings[0]}: expected an option of {args.what}, got one of {group.title}"
        for group in args.parser._action_groups
        for action in group._group_actions
        if action.dest in other and getattr(args, action.dest) != action.default
    ]


def _connect(access: "Access") -> "Http":
    try:
        from filters.delivery.http import Http
    except ImportError:
        raise SettingsError(["setup needs one package more: pip install 'sipsense[http]'"]) from None
    return Http(access)


def _run_cluster(args: argparse.Namespace, http: "Http", access: "Access", wanted: "Layout") -> int:
    from filters.elastic.templates import documents
    from filters.setup import cluster
    from filters.setup.server import Server

    server = Server(http, access)
    engine = cluster.find_engine(server, cast("Product", args.what))
    steps = cluster.plan(server, engine, wanted, force=args.force)
    report = Report(args, server, str(engine))
    if any(step.action == "refuse" for step in steps):
        report.refuse(steps)
        raise SettingsError(["nothing was changed: give --force to replace what is refused, or another --dataset"])
    report.tell(steps, lambda step: cluster.apply(server, step))
    if not args.dry_run:
        cluster.verify(server, wanted, documents(engine, wanted))
    return 0


def _run_dashboards(args: argparse.Namespace, http: "Http", access: "Access", data: bytes) -> int:
    from filters.setup import dashboards

    product = cast("Dashboards", args.what)
    server = dashboards.dashboards_server(http, access, product, args.space)
    version = dashboards.find_version(server, product)
    steps = dashboards.plan(server, data)
    if not args.dry_run and any(step.action != "unchanged" for step in steps):
        dashboards.load(server, data)
    Report(args, server, f"{dashboards.NAMES[product]} {version}").tell(steps, lambda _: None)
    return 0
