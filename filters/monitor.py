"""`--metrics`: a small HTTP server with the metrics of a run, and whether it is alive and ready."""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from enricher.errors import SettingsError
from filters.delivery.counts import Counts
from filters.forward.address import Tcp
from filters.metrics import Collector
from filters.pipeline import State
from filters.watch import Watch

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Seconds that a sink may take nothing while something waits, before it counts as one that does not work.
PATIENCE = 60.0
# Seconds that a client may be silent, and how many may be served at once.
_SILENCE, _CLIENTS = 10.0, 16
_INDEX = b"/metrics  for Prometheus\n/healthz  whether the process is alive\n/readyz   whether records can flow\n"


class Monitor:
    """Listens from the moment that it is made, and answers from `start` on.

    Args:
        address: such as `0.0.0.0:9464` or `9464`; without a host, 127.0.0.1.

    Raises:
        SettingsError: the address is none, is taken, or prometheus-client is not installed.
    """

    def __init__(self, address: str) -> None:
        where = _address(address)
        try:
            import prometheus_client  # noqa: F401  # not there is a setting that is wrong
        except ImportError:
            raise SettingsError(["--metrics needs one package more: pip install 'sipsense[metrics]'"]) from None
        try:
            self._server = _Server(where)
        except OSError as error:
            raise SettingsError([f"--metrics: cannot listen on {where}: {error.strerror}"]) from None
        self._thread: threading.Thread | None = None
        self.watch = Watch()

    def start(self, state: Callable[[], State], sink: Counts | None, stopping: Callable[[], object]) -> None:
        """Answer what is asked, in threads of its own; source and sink are open.

        Args:
            state: gives the state of the stage, from any thread.
            sink: the counts of a sink that has some.
            stopping: tells whether a signal asked for the end.
        """
        flow = self.watch.counts
        collector = Collector(state, flow, sink or flow)
        self._server.set_app(_application(collector, lambda: self.obstacles(stopping)))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()

    def obstacles(self, stopping: Callable[[], object]) -> list[str]:
        """Return why records cannot flow, a line for each reason."""
        found = ["a signal asked for the end"] if stopping() else []
        if (seconds := self.watch.stands) > PATIENCE:
            found.append(f"the output has taken nothing for {seconds:.0f} seconds, and records wait")
        return found

    def close(self) -> None:
        """Listen no more."""
        if self._thread:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _address(text: str) -> Tcp:
    head, _, port = text.rpartition(":")
    host = head.removeprefix("[").removesuffix("]") if head.startswith("[") else head
    bare = ":" in host and not head.startswith("[")
    if bare or "/" in text or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise SettingsError([f"--metrics: expected HOST:PORT or PORT, such as 127.0.0.1:9464, got {text!r}"])
    return Tcp(host or "127.0.0.1", int(port))


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, where: Tcp) -> None:
        import socket

        self.address_family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        self._places = threading.BoundedSemaphore(_CLIENTS)
        super().__init__((where.host, where.port), _Handler)

    def server_bind(self) -> None:
        # The original asks the name service for its own name, which may take long.
        import socketserver

        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client in a thread of its own, or leave it where there are too many."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone or is silent."""


class _Handler(WSGIRequestHandler):
    timeout = _SILENCE

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""


def _application(collector: Collector, obstacles: Callable[[], list[str]]) -> "WSGIApplication":
    from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    metrics = make_wsgi_app(registry)

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _text(start, "405 Method Not Allowed", b"expected GET\n")
        if path == "/metrics":
            body: Iterable[bytes] = metrics(environ, start)
            return body
        if path == "/healthz":
            return _text(start, "200 OK", b"alive\n")
        if path == "/readyz":
            found = obstacles()
            lines = "".join(f"{line}\n" for line in found or ["ready"])
            return _text(start, "503 Service Unavailable" if found else "200 OK", lines.encode())
        return _text(start, "200 OK" if path == "/" else "404 Not Found", _INDEX)

    return answer


def _text(start: "StartResponse", status: str, body: bytes) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
