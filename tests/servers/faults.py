"""An HTTP server over real sockets that answers as a test wants, and a proxy that spoils answers of a real server."""

import gzip
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

SECONDS = 30.0


class Asked(NamedTuple):
    """A request.

    Args:
        number: how many came before it.
        body: decompressed.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """What is answered.

    Args:
        delay: seconds before it.
        end: `whole`; `half` sends half of the body and leaves; `cut` leaves without a word.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    delay: float = 0.0
    end: str = "whole"


def reply(value: Any = None, status: int = 200, **headers: Any) -> Reply:
    """Return an answer in JSON; `retry_after=3` is the header Retry-After."""
    named = {name.replace("_", "-").title(): str(text) for name, text in headers.items()}
    return Reply(status, b"" if value is None else json.dumps(value).encode(), named)


class HttpServer:
    """Answers requests until it is closed.

    Args:
        answer: may be called from several threads.
        context: for TLS, None for none.
        port: 0 for a free one.
    """

    def __init__(
        self, answer: Callable[[Asked], Reply], *, context: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self._handler(), context)
        self.port: int = self._server.server_address[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> "HttpServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave all clients and answer no more."""
        self._server.shutdown()
        self._server.leave()
        self._server.server_close()
        self._thread.join(SECONDS)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = SECONDS

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                with outer._lock:
                    asked = Asked(len(outer.asked), self.command, self.path, dict(self.headers.items()), body)
                    outer.asked.append(asked)
                self.say(outer._answer(asked))

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any  # noqa: N815  # names of the library

            def say(self, reply: Reply) -> None:
                time.sleep(reply.delay)
                if reply.end == "cut":
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, text in reply.headers.items():
                    self.send_header(name, text)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                half = reply.end == "half"
                if self.command != "HEAD" and reply.status != 204:
                    self.wfile.write(reply.body[: len(reply.body) // 2] if half else reply.body)
                self.close_connection = self.close_connection or half

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that it can leave them."""

    daemon_threads = True
    block_on_close = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in its own thread."""
        if self._context:
            request.settimeout(SECONDS)
            try:
                request = self._context.wrap_socket(request, server_side=True)
            except OSError:
                self.shutdown_request(request)
                return
        with self._connections_lock:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._connections_lock:
                self._connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave early."""

    def leave(self) -> None:
        """End all connections."""
        with self._connections_lock:
            for connection in self._connections:
                try:
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
                except OSError:
                    pass


# A fault gets what passes the request on and returns what the client is answered.
Forward = Callable[[], Reply]
Fault = Callable[[Forward], Reply]


def status(code: int, body: bytes = b"", retry_after: float | None = None) -> Fault:
    """Return the fault that answers so and passes nothing on."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return lambda _: Reply(code, body, headers)


def cut(_: Forward) -> Reply:
    """Leave without passing the request on."""
    return Reply(end="cut")


def cut_after(forward: Forward) -> Reply:
    """Pass the request on and leave without an answer."""
    return forward()._replace(end="cut")


def half(forward: Forward) -> Reply:
    """Pass the request on and leave in the middle of the answer."""
    return forward()._replace(end="half")


def garbage(forward: Forward) -> Reply:
    """Pass the request on and answer with half of the body as if it were all."""
    answer = forward()
    return answer._replace(body=answer.body[: len(answer.body) // 2])


def slow(seconds: float) -> Fault:
    """Return the fault that passes the request on and answers later."""
    return lambda forward: forward()._replace(delay=seconds)


class Faults(HttpServer):
    """A proxy before a server that speaks HTTP.

    Args:
        upstream: its URL.
        choose: returns the fault of a request, None for none.
        largest: bytes of a body, from which on it is refused with 413.
    """

    def __init__(
        self, upstream: str, choose: Callable[[Asked], Fault | None], *, largest: int | None = None, port: int = 0
    ) -> None:
        self._upstream = urlsplit(upstream)
        self._choose = choose
        self._largest = largest
        self.faults = 0
        super().__init__(self._reply, port=port)

    def _reply(self, asked: Asked) -> Reply:
        if self._largest is not None and len(asked.body) > self._largest:
            self.faults += 1
            return Reply(413)
        fault = self._choose(asked)
        if not fault:
            return self._pass_on(asked)
        self.faults += 1
        return fault(lambda: self._pass_on(asked))

    def _pass_on(self, asked: Asked) -> Reply:
        """Return the answer of the server; 502 where it gives none."""
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=SECONDS)
        kept = {
            name: text
            for name, text in asked.headers.items()
            if name.lower() not in ("host", "content-length", "content-encoding", "accept-encoding", "connection")
        }
        try:
            connection.request(asked.method, asked.path, asked.body or None, kept)
            answer = connection.getresponse()
            body = answer.read()
        except OSError:
            return Reply(502)
        finally:
            connection.close()
        kind = answer.headers.get("Content-Type")
        return Reply(answer.status, body, {"Content-Type": kind} if kind else {})


def in_turn(*faults: Fault | None, first: int = 0) -> Callable[[Asked], Fault | None]:
    """Return what chooses one after the other, again and again, from some request on; None is no fault."""
    return lambda asked: faults[(asked.number - first) % len(faults)] if asked.number >= first else None
