"""HTTP requests to servers that stand for each other; built on urllib3."""

import ssl
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import urllib3
from urllib3 import exceptions
from urllib3.exceptions import HTTPError

from filters import __version__
from filters.delivery.access import Access
from filters.delivery.pauses import Pauses
from filters.forward.address import Tcp
from filters.messages import warn

_HEADERS = {"User-Agent": f"sipsense/{__version__}", "Accept-Encoding": "gzip"}
# Answers are read whole; more than this is no answer to what is asked here.
_LONGEST_ANSWER = 64 << 20
_DEEPEST = 8
_CAUSES: dict[type[BaseException], str] = {
    exceptions.NameResolutionError: "its name cannot be resolved",
    exceptions.ConnectTimeoutError: "it cannot be reached in time",
    exceptions.ReadTimeoutError: "it does not answer in time",
    exceptions.IncompleteRead: "its answer was cut off",
}


class Answer(msgspec.Struct, frozen=True):
    """What a server answered.

    Args:
        retry_after: seconds that it asks to wait, None where it does not ask.
        host: which one it was.
    """

    status: int
    body: bytes
    retry_after: float | None = None
    host: str = ""


class Unreachable(Exception):
    """No host gave a whole answer; the text says why."""


class _Host:
    """One host and how it fares."""

    def __init__(self, address: Tcp, pool: urllib3.HTTPConnectionPool) -> None:
        self.name = str(address)
        self.pool = pool
        self.replaced = False  # and that was told
        self.pauses = Pauses(first=1.0)
        self.until = 0.0


class Http:
    """Sends requests, from any thread; the hosts take turns, and one that fails is left out for a while.

    That another host takes its place is told; what nobody answers is for the caller to tell.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._hosts = [_Host(address, _pool(access, address)) for address in access.hosts]
        self._lock = threading.Lock()
        self._turn = 0

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
        *,
        seconds: float | None = None,
    ) -> Answer:
        """Return the answer of the first host that gives one.

        Args:
            path: with its query, behind the path of the URL.
            seconds: how long the answer is waited for, if not as long as usual.

        Raises:
            Unreachable: none does.
        """
        sent = {**_HEADERS, **self._access.headers, **headers}
        url = self._access.path + path
        failed: dict[_Host, str] = {}
        for host in self._in_turn():
            try:
                answer = self._ask(host, seconds, method=method, url=url, body=body, headers=sent)
            except (HTTPError, OSError) as error:
                failed[host] = _why(error)
                self._leave_out(host)
            else:
                self._tell(host, failed)
                return answer
        raise Unreachable("; ".join(f"{host.name}: {why}" for host, why in failed.items()))

    @property
    def authorized(self) -> bool:
        """Return whether requests say who we are."""
        return "Authorization" in self._access.headers

    def close(self) -> None:
        """Close the connections."""
        for host in self._hosts:
            host.pool.close()

    def _ask(self, host: _Host, seconds: float | None, **request: Any) -> Answer:
        connect, read = self._access.timeout
        response: Any = host.pool.urlopen(
            **request,
            timeout=urllib3.Timeout(connect=connect, read=seconds or read),
            retries=False,
            assert_same_host=False,
            preload_content=False,
        )
        try:
            data = response.read(_LONGEST_ANSWER, decode_content=True)
            if response.read(1):
                response.close()
                raise HTTPError(f"its answer is longer than {_LONGEST_ANSWER} bytes")
        finally:
            response.release_conn()
        return Answer(response.status, data, _retry_after(response.headers.get("Retry-After")), host.name)

    def _in_turn(self) -> list[_Host]:
        """Return the hosts in the order in which they are asked: those that failed a moment ago come last."""
        with self._lock:
            self._turn = (self._turn + 1) % len(self._hosts)
            order = self._hosts[self._turn :] + self._hosts[: self._turn]
        now = time.monotonic()
        return sorted(order, key=lambda host: host.until > now)

    def _leave_out(self, host: _Host) -> None:
        with self._lock:
            host.until = time.monotonic() + host.pauses.next()

    def _tell(self, good: _Host, failed: Mapping[_Host, str]) -> None:
        """Say once which hosts another one stands in for, and which one is back."""
        with self._lock:
            news = {host: why for host, why in failed.items() if not host.replaced}
            back, good.replaced = good.replaced, False
            good.until = 0.0
            good.pauses.reset()
            for host in failed:
                host.replaced = True
        for host, why in news.items():
            warn(f"{host.name}: {why}; another host stands in")
        if back:
            warn(f"{good.name}: answers again")


def _pool(access: Access, address: Tcp) -> urllib3.HTTPConnectionPool:
    common: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "maxsize": 64,  # connections that are kept; there are never more than requests at a time
    }
    if access.context is None:
        return urllib3.HTTPConnectionPool(**common)
    if access.context.verify_mode == ssl.CERT_NONE:
        urllib3.disable_warnings(exceptions.InsecureRequestWarning)  # it was asked for
    return urllib3.HTTPSConnectionPool(**common, ssl_context=access.context)


def _why(error: BaseException) -> str:
    """Return the cause in few words; what the libraries wrap around it names objects and ports."""
    cause, depth = error, 0
    while type(cause) not in _CAUSES and (inner := _inner(cause)) and depth < _DEEPEST:
        cause, depth = inner, depth + 1
    if text := _CAUSES.get(type(cause)):
        return text
    if verify := getattr(cause, "verify_message", None):
        return f"TLS: {verify}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason or cause}"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _inner(error: BaseException) -> BaseException | None:
    """Return the exception that led to another one."""
    argument = next((argument for argument in error.args if isinstance(argument, BaseException)), None)
    return error.__cause__ or error.__context__ or argument


def _retry_after(text: str | None) -> float | None:
    """Return seconds: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
