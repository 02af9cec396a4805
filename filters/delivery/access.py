"""How an HTTP server is reached: hosts, TLS, credentials, patience; from a URL, options and the environment."""

import argparse
import os
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from enricher.errors import SettingsError
from filters import options
from filters.forward.address import Tcp, parse_hosts
from filters.options import Problems

PASSWORD, API_KEY, BEARER = "SIPSENSE_PASSWORD", "SIPSENSE_API_KEY", "SIPSENSE_BEARER"
# Seconds for one attempt to connect, TLS included.
_CONNECT = 5.0
_STANDARD = {True: 443, False: 80}
_NO_HOSTS: tuple[Tcp, ...] = ()
_NO_HEADERS: Mapping[str, str] = {}
_LOCAL = ("127.0.0.1", "::1", "localhost")
# What may stand in a header: https://www.rfc-editor.org/rfc/rfc9110#name-field-values, without white space.
_TOKEN = re.compile(r"[!-~]+")


class Access(msgspec.Struct, frozen=True):
    """How a server is reached. Its text never shows the credentials.

    Args:
        hosts: servers that stand for each other.
        context: for TLS, None for none.
        headers: go with each request, the credentials among them.
        path: goes before the path of each request, "" or such as `/prefix`.
        timeout: seconds for connecting, and for each wait for an answer.
    """

    hosts: tuple[Tcp, ...]
    context: ssl.SSLContext | None = None
    headers: Mapping[str, str] = {}
    path: str = ""
    timeout: tuple[float, float] = (_CONNECT, 60.0)

    def __str__(self) -> str:
        hosts = ",".join(map(str, self.hosts))
        return f"{'https' if self.context else 'http'}://{hosts}{self.path}"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", str(self))]

    def __repr__(self) -> str:
        return f"Access({str(self)!r})"


def access_of(url: str, args: argparse.Namespace, *, port: int | None = None, option: str = "--output") -> Access:
    """Return how the server of a URL is reached.

    Args:
        url: `SCHEME://[USER@]HOST[:PORT][,HOST2[:PORT2]][/PATH]`; `http` and what ends in `+http` is without TLS.
        port: where the URL names none; None for that of HTTP or HTTPS.
        option: what the URL is called in messages.

    Raises:
        SettingsError: with everything that is wrong.
    """
    scheme, _, rest = url.partition("://")
    tls = scheme != "http" and not scheme.endswith("+http")
    place, slash, path = rest.partition("/")
    user, _, hosts = place.rpartition("@")
    with Problems() as problems:
        if ":" in user:
            raise SettingsError([f"{option}: expected no password in the URL, others can see it: {_ways()}"])
        if re.search(r"[?#\s]", path):
            problems.found.append(f"{option}: expected no query, fragment or white space in the URL, got {path!r}")
        found = problems.check(lambda: _hosts(hosts, port or _STANDARD[tls], option), _NO_HOSTS)
        headers = problems.check(lambda: _headers(unquote(user), args), _NO_HEADERS)
        context = problems.check(lambda: client_context(args), None) if tls else None
        timeout = problems.check(lambda: options.seconds(args.request_timeout, "--request-timeout"), 1.0)
        if not timeout:
            problems.found.append(f"--request-timeout: expected more than 0 seconds, got {args.request_timeout!r}")
        if not tls:
            problems.found += _without_tls(args, option)
    access = Access(found, context, headers, (slash + quote(path, safe="/%+-._~")).rstrip("/"), (_CONNECT, timeout))
    _warn_if_open(access)
    return access


def _hosts(text: str, port: int, option: str) -> tuple[Tcp, ...]:
    try:
        return tuple(parse_hosts(text, port=port))
    except ValueError as error:
        raise SettingsError([f"{option}: {error}"]) from None


def _headers(user: str, args: argparse.Namespace) -> Mapping[str, str]:
    """Return the headers that say who we are.

    Args:
        user: that of the URL.

    Raises:
        SettingsError: the credentials are incomplete, or of more than one kind.
    """
    if user and args.user and user != args.user:
        raise SettingsError([f"--user: expected that of the URL, {user!r}, or none, got {args.user!r}"])
    user = user or args.user or ""
    with Problems() as problems:
        key = problems.check(lambda: _token(args.api_key_file, "--api-key-file", API_KEY), "")
        bearer = problems.check(lambda: _token(args.bearer_file, "--bearer-file", BEARER), "")
        password = problems.check(lambda: _password(user, args), "")
        kinds = [kind for kind, given in (("a user", user), ("an API key", key), ("a bearer token", bearer)) if given]
        if len(kinds) > 1:
            problems.found.append(f"expected one of user, API key and bearer token, got {' and '.join(kinds)}")
    if user:
        return {"Authorization": f"Basic {_base64(f'{user}:{password}')}"}
    if key:
        return {"Authorization": f"ApiKey {_base64(key) if ':' in key else key}"}
    return {"Authorization": f"Bearer {bearer}"} if bearer else {}


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _token(path: str | None, option: str, variable: str) -> str:
    """Return what a file or else the environment holds, "" where there is neither.

    Raises:
        SettingsError: it cannot stand in a header.
    """
    where = f"{option}: {path}" if path else variable
    text = _text(path, option) if path else os.environ.get(variable, "")
    text = text.strip()
    if text and not _TOKEN.fullmatch(text):
        raise SettingsError([f"{where}: expected one line of printable ASCII without spaces, got other text"])
    return text


def _text(path: str, option: str) -> str:
    try:
        return read_secret(path, option).decode()
    except UnicodeDecodeError:
        raise SettingsError([f"{option}: {path}: expected UTF-8, got other bytes"]) from None


def _password(user: str, args: argparse.Namespace) -> str:
    """Return the password of a user, "" for no user.

    Raises:
        SettingsError: there is none.
    """
    path = args.password_file
    if not user:
        if path and not getattr(args, "input", None):  # else it is the file of the input
            raise SettingsError(["--password-file: expected --user, or a user in the URL, beside it"])
        return ""
    if not path:
        if PASSWORD in os.environ:
            return os.environ[PASSWORD]
        raise SettingsError([f"expected a password for {user}: {_ways()}"])
    lines = _text(path, "--password-file").splitlines()
    known = dict(line.split(":", 1) for line in lines if ":" in line)
    if user in known:
        return known[user]
    if len(lines) == 1 and not known:
        return lines[0]
    raise SettingsError([f"--password-file: {path}: expected a line {user}:PASSWORD, or nothing but the password"])


def _ways() -> str:
    return f"give --password-file or {PASSWORD}"


def _without_tls(args: argparse.Namespace, option: str) -> list[str]:
    """Return a problem for each option that only has a meaning with TLS."""
    given = (
        ("--tls-ca", args.tls_ca),
        ("--tls-insecure", args.tls_insecure),
        ("--tls-client-cert", args.tls_client_cert),
        ("--tls-client-key", args.tls_client_key),
    )
    return [f"{name}: expected {option} with TLS, got one without" for name, value in given if value]


def _warn_if_open(access: Access) -> None:
    """Say so when everybody on the way can read the credentials."""
    from filters.messages import warn

    far = [host for host in access.hosts if host.host not in _LOCAL]
    if access.headers and not access.context and far:
        warn(f"credentials go to {far[0]} without TLS: everybody on the way can read them")


def client_context(args: argparse.Namespace) -> ssl.SSLContext:
    """Return what the TLS of a client trusts and shows.

    Raises:
        SettingsError: a certificate or a key cannot be used.
    """
    with Problems() as problems:
        context = problems.check(lambda: _trust(args), None)
        if bool(args.tls_client_cert) < bool(args.tls_client_key):
            problems.found.append("--tls-client-key: expected --tls-client-cert beside it")
        elif context and args.tls_client_cert:
            problems.check(lambda: load_chain(context, args.tls_client_cert, args.tls_client_key, "--tls-client"), None)
    assert context, "else there is a problem"
    return context


def _trust(args: argparse.Namespace) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=args.tls_ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"--tls-ca: {args.tls_ca} cannot be used: {_why(error)}"]) from None
    if args.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def load_chain(context: ssl.SSLContext, certificate: str, key: str | None, options_: str) -> None:
    """Let the context show a certificate.

    Args:
        key: None where it lies in the file of the certificate.
        options_: how the two options begin.

    Raises:
        SettingsError: it cannot be used.
    """
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        files = f"{certificate} or {key}" if key else certificate
        raise SettingsError([f"{options_}-cert: {files} cannot be used: {_why(error)}"]) from None


def _no_password() -> str:
    raise ssl.SSLError(0, "the key asks for a password, which cannot be given")


def _why(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or str(error)


def read_secret(path: str, option: str) -> bytes:
    """Return what a file holds, without newlines around it.

    Raises:
        SettingsError: it cannot be read, or is empty.
    """
    try:
        with open(path, "rb") as file:
            data = file.read().strip(b"\r\n")
    except OSError as error:
        raise SettingsError([f"{option}: {path} cannot be read: {error.strerror}"]) from None
    if not data:
        raise SettingsError([f"{option}: {path} is empty"])
    return data
