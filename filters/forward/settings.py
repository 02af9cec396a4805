"""From options to a forward source and a forward sink, every one of them checked."""

import argparse
import os
import re
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from enricher.errors import SettingsError
from filters import endpoints, options
from filters.delivery.access import client_context, load_chain, read_secret
from filters.endpoints import Context
from filters.forward.address import Address, Tcp, Unix, parse_hosts
from filters.forward.client import Limits
from filters.forward.handshake import Security
from filters.options import Problems
from filters.signals import Signals

if TYPE_CHECKING:
    from filters.sinks.forward import Forward as Sink
    from filters.sources.forward import Forward as Source

TAG = "sipsense"
KEY = "SIPSENSE_SHARED_KEY"
# Seconds that clients have to take their last acknowledgements.
_FAREWELL = 5.0
# Seconds for one attempt to connect, the handshakes included.
_CONNECT = 5.0
_Parsed: TypeAlias = tuple[Sequence[Address], bool, str]
_UNCHANGED: Callable[[str], str] = str
_NOWHERE: _Parsed = ((Tcp(""),), False, "")
_PLACEHOLDER = re.compile(r"\$\{tag(?:\[(-?\d+)\])?\}")


def open_source(url: str, args: argparse.Namespace) -> Callable[[Signals], "Source"]:
    """Return what opens the source.

    Raises:
        SettingsError: with everything that is wrong.
    """
    from filters.sources.forward import Forward, Settings

    with Problems() as problems:
        addresses, tls, tag = problems.check(lambda: _parse(url, "--input", "127.0.0.1"), _NOWHERE)
        if len(addresses) > 1 or tag:
            problems.found.append(f"--input: expected one address and no tag, got {url!r}")
        limits = Limits(
            problems.check(lambda: options.size(args.max_message, "--max-message"), 1),
            problems.check(lambda: options.seconds(args.idle, "--idle"), 1.0),
        )
        connections = problems.check(lambda: options.count(args.max_connections, "--max-connections"), 1)
        security = problems.check(lambda: _input_security(args), Security())
        context = problems.check(lambda: _server_context(args), None) if tls else None
    # A sink may need so long for the last records; it also tells what is wrong with the option.
    drain = Problems().check(lambda: options.seconds(args.drain, "--drain"), 0.0)
    farewell = _FAREWELL + drain if endpoints.scheme(args.output) else _FAREWELL
    settings = Settings(addresses[0], limits, security, context, connections, farewell=farewell)
    _warn_if_open(addresses[0], security)

    def open_it(signals: Signals) -> Forward:
        try:
            return Forward(settings, signals)
        except OSError as error:
            raise SettingsError([f"--input: cannot listen on {addresses[0]}: {error.strerror or error}"]) from None

    return open_it


def open_sink(url: str, args: argparse.Namespace) -> Callable[[Context], "Sink"]:
    """Return what opens the sink.

    Raises:
        SettingsError: with everything that is wrong.
    """
    try:
        from filters.forward.target import Target
        from filters.sinks.forward import Forward, Settings
    except ImportError:
        raise SettingsError(["--output: forward needs one package more: pip install 'sipsense[forward]'"]) from None
    with Problems() as problems:
        addresses, tls, tag = problems.check(lambda: _parse(url, "--output", ""), _NOWHERE)
        if tag and args.tag:
            problems.found.append(f"--tag: expected no tag in the URL beside it, got {url!r}")
        template = args.tag or tag or ("${tag}" if args.input else TAG)
        name = problems.check(lambda: tag_maker(template, events=bool(args.input)), _UNCHANGED)
        settings = Settings(
            name,
            not args.no_ack,
            args.compress == "gzip",
            problems.check(lambda: options.seconds(args.drain, "--drain"), 0.0),
        )
        patience = (_CONNECT, problems.check(lambda: options.seconds(args.ack_timeout, "--ack-timeout"), 1.0))
        security = problems.check(lambda: _output_security(args), Security())
        context = problems.check(lambda: client_context(args), None) if tls else None

    def open_it(run: Context) -> Forward:
        make = partial(Target, security=security, context=context, patience=patience)

        def connect(left: Callable[[], float | None]) -> Sequence[Target]:
            return [make(address, run.signals, left) for address in addresses]

        return Forward(connect, settings, run)

    return open_it


def _parse(url: str, option: str, default: str) -> _Parsed:
    """Return the addresses of a URL, whether they use TLS, and the tag behind them."""
    scheme, _, rest = url.partition("://")
    if scheme == "forward+unix":
        if not rest.startswith("/") or rest.endswith("/"):
            raise SettingsError([f"{option}: expected forward+unix:///PATH, got {url!r}"])
        return [Unix(rest)], False, ""
    hosts, _, tag = rest.partition("/")
    try:
        return parse_hosts(hosts, default=default), scheme == "forward+tls", tag
    except ValueError as error:
        raise SettingsError([f"{option}: {error}"]) from None


def tag_maker(template: str, *, events: bool) -> Callable[[str], str]:
    """Return what makes a tag of the tag that events came with.

    Args:
        events: whether there is such a tag.

    Raises:
        SettingsError: the template holds another placeholder, or one that nothing can be put in.
    """
    if "${" in _PLACEHOLDER.sub("", template):
        raise SettingsError([f"--tag: expected no placeholders but ${{tag}} and ${{tag[N]}}, got {template!r}"])
    if not _PLACEHOLDER.search(template):
        return lambda _: template
    if not events:
        raise SettingsError([f"--tag: expected no placeholders for lines, which come without a tag, got {template!r}"])
    if template == "${tag}":
        return _UNCHANGED

    def made(tag: str) -> str:
        return _PLACEHOLDER.sub(lambda found: _part(tag, found[1]), template)

    return made


def _part(tag: str, place: str | None) -> str:
    parts = tag.split(".")
    if place is None:
        return tag
    return parts[int(place)] if -len(parts) <= int(place) < len(parts) else ""


def _shared_key(args: argparse.Namespace) -> bytes:
    if args.shared_key_file:
        return read_secret(args.shared_key_file, "--shared-key-file")
    return os.environ.get(KEY, "").encode(errors="surrogateescape")


def _users(args: argparse.Namespace) -> dict[bytes, bytes]:
    if not args.password_file:
        return {}
    users = {}
    for line in read_secret(args.password_file, "--password-file").splitlines():
        user, colon, password = line.partition(b":")
        if not user or not colon:
            raise SettingsError([f"--password-file: {args.password_file}: expected USER:PASSWORD in each line"])
        users[user] = password
    return users


def _input_security(args: argparse.Namespace) -> Security:
    security = Security(_shared_key(args), _users(args))
    if security.users and not security.key:
        raise SettingsError([f"--password-file: expected --shared-key-file or {KEY} beside it"])
    return security


def _output_security(args: argparse.Namespace) -> Security:
    if args.output_shared_key_file == "none":
        return Security()
    if args.output_shared_key_file:
        key = read_secret(args.output_shared_key_file, "--output-shared-key-file")
    else:
        key = _shared_key(args)
    users = _users(args)
    user = (args.user or "").encode(errors="surrogateescape")
    if user and user not in users:
        raise SettingsError([f"--user: expected --password-file with a line for {args.user}"])
    if users and not user and len(users) > 1 and not args.input:
        raise SettingsError(["--password-file: expected one user, or --user to say which"])
    if user:
        users = {user: users[user]}
    elif len(users) > 1 or args.input:
        users = {}  # they are those of the input
    return Security(key, users)


def _server_context(args: argparse.Namespace) -> ssl.SSLContext:
    if not args.tls_cert or not args.tls_key:
        raise SettingsError(["--input: forward+tls needs --tls-cert and --tls-key"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_chain(context, args.tls_cert, args.tls_key, "--tls")
    return context


def _warn_if_open(address: Address, security: Security) -> None:
    """Say so when everybody on the network may send."""
    from filters.messages import warn

    if isinstance(address, Tcp) and address.host not in ("127.0.0.1", "::1", "localhost") and not security.key:
        warn(f"anybody who reaches {address} can send: give --shared-key-file to ask for a key")
