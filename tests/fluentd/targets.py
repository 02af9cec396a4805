"""What stands at the end of a route: small servers that speak as Fluentd, Elasticsearch, OpenSearch and Loki do."""

import gzip
import json
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import msgpack


class Events(socketserver.ThreadingTCPServer):
    """Takes the forward protocol and acknowledges each chunk; `events` holds tag, time and record."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        self.events: list[tuple[str, Any, Any]] = []
        super().__init__(("127.0.0.1", port), _Connection)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        # Fluentd writes packed events as STR unless it is told otherwise.
        unpacker = msgpack.Unpacker(None, max_buffer_size=0, strict_map_key=False, unicode_errors="surrogateescape")
        while data := self.request.recv(1 << 16):
            unpacker.feed(data)
            for message in unpacker:
                self.server.events += _events(message)
                option = message[-1] if isinstance(message[-1], dict) else {}
                if "chunk" in option:
                    self.request.sendall(msgpack.packb({"ack": option["chunk"]}))


def _events(message: list[Any]) -> list[tuple[str, Any, Any]]:
    tag, entries = message[0], message[1]
    if isinstance(entries, str):
        entries = entries.encode(errors="surrogateescape")
    if isinstance(entries, bytes):
        unpacker = msgpack.Unpacker(None, max_buffer_size=0, strict_map_key=False)
        unpacker.feed(gzip.decompress(entries) if entries[:2] == b"\x1f\x8b" else entries)
        entries = list(unpacker)
    if isinstance(entries, list):
        return [(tag, time, record) for time, record in entries]
    return [(tag, entries, message[2])]


class Http(ThreadingHTTPServer):
    """An HTTP server that refuses its first write, as a busy one does, and keeps what the next ones hold."""

    daemon_threads = True

    def __init__(self, kind: Callable[..., BaseHTTPRequestHandler]) -> None:
        self.refused = 0
        self.records: dict[Any, Any] = {}
        super().__init__(("127.0.0.1", 0), kind)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    info: ClassVar[dict[str, Any]] = {}

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer(200, b"")

    def do_GET(self) -> None:
        self.answer(200, json.dumps(self.info).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.server.refused:
            self.server.refused += 1
            self.answer(429, b"{}")
        else:
            self.answer(*self.take(body))

    def take(self, body: bytes) -> tuple[int, bytes]:
        raise NotImplementedError

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.end_headers()
        self.wfile.write(body)


class _Bulk(_Handler):
    """`POST /_bulk`; a record whose id is there already is replaced."""

    def take(self, body: bytes) -> tuple[int, bytes]:
        assert self.path.partition("?")[0].endswith("/_bulk")
        assert body.endswith(b"\n")
        lines = [json.loads(line) for line in body.splitlines()]
        items = []
        for action, record in zip(lines[::2], lines[1::2], strict=True):
            ((name, to),) = action.items()
            self.server.records[to["_id"]] = record
            items.append({name: {"_index": to["_index"], "_id": to["_id"], "status": 201, "result": "created"}})
        return 200, json.dumps({"took": 1, "errors": False, "items": items}).encode()


class Elasticsearch(_Bulk):
    info: ClassVar = {"version": {"number": "9.0.0", "build_flavor": "default"}, "tagline": "You Know, for Search"}


class OpenSearch(_Bulk):
    info: ClassVar = {"version": {"number": "2.19.0", "distribution": "opensearch"}}


class Loki(_Handler):
    """`POST /loki/api/v1/push`."""

    def take(self, body: bytes) -> tuple[int, bytes]:
        assert self.path == "/loki/api/v1/push"
        for stream in json.loads(body)["streams"]:
            for nanoseconds, line in stream["values"]:
                record = json.loads(line)
                self.server.records[record["call_id"]] = (stream["stream"], int(nanoseconds), record)
        return 204, b""
