"""The options of the forward protocol on the command line."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    tags = parser.add_argument_group("tag and time of events")
    tags.add_argument(
        "--tag",
        metavar="TAG",
        help="tag of what leaves; ${tag} is the one it came with, ${tag[0]} its first part, ${tag[-1]} its last "
        "(default: the one it came with, else sipsense)",
    )
    tags.add_argument("--tag-key", metavar="KEY", help="add the tag under this key where events leave as JSON lines")
    tags.add_argument("--time-key", metavar="KEY", help="add the time, with its nanoseconds, under this key there")
    source = parser.add_argument_group("forward input")
    source.add_argument(
        "--max-message",
        metavar="SIZE",
        default="64MiB",
        help="largest message, as it comes and decompressed; a client that sends a larger one is left (default: 64MiB)",
    )
    source.add_argument(
        "--max-connections", metavar="N", default="256", help="how many clients may be connected (default: 256)"
    )
    source.add_argument(
        "--idle", metavar="SECONDS", default="600", help="a client that is silent for so long is left (default: 600)"
    )
    source.add_argument("--tls-cert", metavar="FILE", help="certificate and chain that clients are shown, PEM")
    source.add_argument("--tls-key", metavar="FILE", help="its key, PEM")
    sink = parser.add_argument_group("forward output")
    sink.add_argument(
        "--no-ack",
        action="store_true",
        help="take records for delivered when they are sent, not when the target says so; a crash may lose some",
    )
    sink.add_argument(
        "--ack-timeout",
        metavar="SECONDS",
        default="60",
        help="after so long without an answer records are sent again (default: 60)",
    )
    keys = parser.add_argument_group("forward keys (never on the command line: others can see it)")
    keys.add_argument(
        "--shared-key-file",
        metavar="FILE",
        help="key that both sides hold, for input and output (default: the environment variable SIPSENSE_SHARED_KEY)",
    )
    keys.add_argument(
        "--output-shared-key-file", metavar="FILE", help="another key for the output; `none` for no handshake there"
    )
