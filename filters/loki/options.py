"""The options of Loki on the command line."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    loki = parser.add_argument_group("Loki output")
    loki.add_argument("--tenant", metavar="NAME", help="tenant, sent as X-Scope-OrgID")
    loki.add_argument(
        "--label",
        metavar="NAME=PATH",
        action="append",
        help="a label more than service_name and sip_category: trunk=attributes.trunk_name; for what has few values",
    )
    loki.add_argument(
        "--static-label",
        metavar="NAME=VALUE",
        action="append",
        help="a label of all records: env=production; service_name=NAME replaces service_name=sipsense",
    )
    loki.add_argument(
        "--label-limit",
        metavar="N",
        default="30",
        help="values that each --label may have; further ones become structured metadata (default: 30)",
    )
    loki.add_argument(
        "--metadata",
        metavar="NAME=PATH,...",
        action="append",
        help="structured metadata more than sip_code, sip_reason, sip_initiator, sip_outcome and call_id; `none` for "
        "none of these",
    )
    loki.add_argument(
        "--late",
        choices=("now", "label", "drop"),
        default="now",
        help="records whose time the server would refuse get the time of now and keep theirs as sip_time (default), go "
        'into streams of their own with late="true", or go to --dead-letter (drop)',
    )
    loki.add_argument(
        "--late-age", metavar="TIME", default="7d", help="the server refuses what is older, or none (default: 7d)"
    )
    loki.add_argument(
        "--late-ahead",
        metavar="TIME",
        default="10m",
        help="the server refuses what is further ahead of now, or none (default: 10m)",
    )
    loki.add_argument(
        "--late-behind",
        metavar="TIME",
        default="1h",
        help="the server refuses what is further behind the newest record of its stream, or none (default: 1h)",
    )
    loki.add_argument(
        "--max-entry", metavar="SIZE", default="256KiB", help="the server refuses longer records (default: 256KiB)"
    )
