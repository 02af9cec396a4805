"""A stand-in for a server that cannot be had for tests: it answers over a real socket."""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

Said = tuple[int, Any]


class Asked(NamedTuple):
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the JSON of the body says."""
        return json.loads(self.body)


class Fake:
    """A server on a port of its own.

    Args:
        authorization: what the header of that name has to say, None for anything.
    """

    def __init__(self, authorization: str | None = None) -> None:
        self.asked: list[Asked] = []
        self.refuse: Callable[[Asked], Said | None] = lambda _: None
        self._authorization = authorization
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with suppress(ConnectionError):
                    super().handle_one_request()

            def _do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                asked = Asked(self.command, unquote(parts.path), query, self.headers, body)
                fake.asked.append(asked)
                status, said = fake._answer(asked)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = _do  # noqa: N815  # the names that the library looks for

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def changes(self) -> list[str]:
        """Return what was asked for beside reading: method and path."""
        reads = ("_export", "_simulate_index")
        return [
            f"{asked.method} {asked.path}"
            for asked in self.asked
            if asked.method != "GET" and not any(read in asked.path for read in reads)
        ]

    def _answer(self, asked: Asked) -> Said:
        if self._authorization is not None and asked.headers.get("Authorization") != self._authorization:
            return error(401, "security_exception", "missing authentication credentials for REST request [/]")
        return self.refuse(asked) or self.answer(asked)

    def answer(self, asked: Asked) -> Said:
        """Return status and JSON, or bytes."""
        raise NotImplementedError


def error(status: int, kind: str, reason: str) -> Said:
    """Return a refusal in the form of Elasticsearch."""
    return status, {"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason}}
