"""Sends ready-made bodies over as many connections: `bulk_loop.py URL FILE CONNECTIONS`."""

import http.client
import struct
import sys
import threading
from urllib.parse import urlsplit

# Goes before each body.
LENGTH = struct.Struct("!I")


def main(url: str, path: str, connections: int) -> None:
    """Send all of them."""
    parts = urlsplit(url)
    lock = threading.Lock()
    failures: list[object] = []

    def send() -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        while True:
            with lock:
                head = file.read(LENGTH.size)
                body = file.read(*LENGTH.unpack(head)) if head else b""
            if not body:
                break
            target = f"{parts.path}?filter_path=errors,items.*.status"
            connection.request("POST", target, body, {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200 or b'"errors":false' not in said:
                failures.append(said)
        connection.close()

    with open(path, "rb") as file:
        threads = [threading.Thread(target=send) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        sys.exit(f"not taken: {failures[0]!r}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
