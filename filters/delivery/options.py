"""The options of all outputs that deliver to a server."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filters.delivery.dispatch import Settings

# There are never more connections to a host.
_MOST_IN_FLIGHT = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_http(parser)
    delivery = parser.add_argument_group("delivery")
    delivery.add_argument(
        "--batch-records", metavar="N", help="records in one request, at most (default: 2000)", default="2000"
    )
    delivery.add_argument(
        "--batch-size",
        metavar="SIZE",
        help="bytes in one request, at most, before compression (default: 4MiB)",
        default="4MiB",
    )
    delivery.add_argument(
        "--batch-time",
        metavar="SECONDS",
        default="0.1",
        help="a request that is not full waits so long for more records (default: 0.1)",
    )
    delivery.add_argument(
        "--in-flight",
        metavar="N",
        help="requests at the same time, at most (default: 4; to Loki 1, which keeps the order)",
    )
    delivery.add_argument("--compress", choices=("gzip",), help="compress what is sent")
    delivery.add_argument(
        "--drain",
        metavar="SECONDS",
        default="10",
        help="on SIGTERM or SIGINT try so long to deliver what was read; the rest goes to --dead-letter (default: 10)",
    )


def add_http(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how a server is reached; other commands that ask one need them too."""
    http = parser.add_argument_group("HTTP output and other servers (no secret on the command line: others can see it)")
    http.add_argument("--user", metavar="USER", help="who we are to the output, if the URL does not say so")
    http.add_argument(
        "--password-file",
        metavar="FILE",
        help="lines of USER:PASSWORD: who may send to the input, who we are to the output; or, for an output over "
        "HTTP, nothing but the password (default: the environment variable SIPSENSE_PASSWORD)",
    )
    http.add_argument(
        "--api-key-file", metavar="FILE", help="API key, as ID:KEY or encoded (default: SIPSENSE_API_KEY)"
    )
    http.add_argument("--bearer-file", metavar="FILE", help="bearer token (default: SIPSENSE_BEARER)")
    http.add_argument(
        "--tls-ca", metavar="FILE", help="trust what these certificates signed, PEM (default: the system's)"
    )
    http.add_argument("--tls-insecure", action="store_true", help="trust any certificate, for tests")
    http.add_argument("--tls-client-cert", metavar="FILE", help="certificate and chain that the server is shown, PEM")
    http.add_argument("--tls-client-key", metavar="FILE", help="its key, PEM, if it is not in the same file")
    http.add_argument(
        "--request-timeout",
        metavar="SECONDS",
        default="60",
        help="a server that says nothing for so long is asked again (default: 60)",
    )


def settings_of(args: argparse.Namespace, *, in_flight: int = 4) -> "Settings":
    """Return how requests are made.

    Args:
        in_flight: how many are under way at a time, where that is not said; with 1 the order is kept.

    Raises:
        SettingsError: with everything that is wrong.
    """
    from filters import options
    from filters.delivery.dispatch import Settings

    with options.Problems() as problems:
        check = problems.check
        settings = Settings(
            check(lambda: options.count(args.batch_records, "--batch-records"), 1),
            check(lambda: options.size(args.batch_size, "--batch-size"), 1),
            check(lambda: options.seconds(args.batch_time, "--batch-time"), 1.0),
            check(lambda: options.count(args.in_flight or str(in_flight), "--in-flight"), 1),
            check(lambda: options.seconds(args.drain, "--drain"), 1.0),
        )
        if settings.in_flight > _MOST_IN_FLIGHT:
            problems.found.append(f"--in-flight: expected at most {_MOST_IN_FLIGHT}, got {settings.in_flight}")
    return settings
