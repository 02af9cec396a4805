"""HELO, PING and PONG: how the two sides show each other that they hold the same key.

A password crosses the wire as a digest; the key never does.
"""

import hmac
import socket
from collections.abc import Mapping
from hashlib import sha512
from os import urandom
from typing import Any

import msgspec

from filters.forward.wire import Malformed

# Fluentd refuses a peer that has its own name, as it would on one machine.
NAME = f"sipsense.{socket.gethostname()}"


class Refused(Exception):
    """The other side is not who it has to be."""


class Security(msgspec.Struct, frozen=True):
    """What the two sides have agreed on.

    Args:
        key: the shared key, b"" for none.
        users: on the server, the passwords by user name; on the client, the one it goes in with.
    """

    key: bytes = b""
    users: Mapping[bytes, bytes] = {}


class Server:
    """The side that was connected to."""

    def __init__(self, security: Security) -> None:
        self._security = security
        self._nonce = urandom(16)
        self._auth = urandom(16) if security.users else b""

    def helo(self) -> bytes:
        """Return what it says first."""
        return msgspec.msgpack.encode(["HELO", {"nonce": self._nonce, "auth": self._auth, "keepalive": True}])

    def pong(self, ping: bytes) -> tuple[bytes, str]:
        """Return the answer to a PING, and why the client is refused, "" if it is not.

        Raises:
            Malformed: it is no PING.
        """
        client, salt, digest, user, password = _parts(ping, b"PING", 5)
        reason = self._reason(client, salt, digest, user, password)
        answer = "" if reason else _digest(salt, NAME.encode(), self._nonce, self._security.key)
        return msgspec.msgpack.encode(["PONG", not reason, reason, NAME, answer]), reason

    def _reason(self, client: bytes, salt: bytes, digest: bytes, user: bytes, password: bytes) -> str:
        if not _same(digest, _digest(salt, client, self._nonce, self._security.key)):
            return "shared key mismatch"
        if not self._security.users:
            return ""
        known = self._security.users.get(user)
        expected = _digest(self._auth, user, known if known is not None else urandom(16))
        return "" if _same(password, expected) and known is not None else "username/password mismatch"


class Client:
    """The side that connects."""

    def __init__(self, security: Security) -> None:
        self._security = security
        self._salt = urandom(16)
        self._nonce = b""

    def ping(self, helo: bytes) -> bytes:
        """Return the answer to a HELO.

        Raises:
            Malformed: it is no HELO.
        """
        (raw,) = _parts(helo, b"HELO", 1)
        if not isinstance(raw, dict):
            raise Malformed("expected the options of a HELO")
        options = {_bytes(key): value for key, value in raw.items()}
        self._nonce, auth = _bytes(options.get(b"nonce", b"")), _bytes(options.get(b"auth", b""))
        user, password = b"", ""
        if auth and self._security.users:  # Fluentd sends a salt also where it knows no users
            ((user, secret),) = self._security.users.items()
            password = _digest(auth, user, secret)
        digest = _digest(self._salt, NAME.encode(), self._nonce, self._security.key)
        return msgspec.msgpack.encode(["PING", NAME, self._salt, digest, user.decode(errors="replace"), password])

    def check(self, pong: bytes) -> None:
        """Make sure that a PONG lets us in and comes from a server that holds the key.

        Raises:
            Malformed: it is no PONG.
            Refused: it is another answer.
        """
        accepted, reason, server, digest = _parts(pong, b"PONG", 4)
        if accepted is not True:
            raise Refused(f"the target refused us: {_bytes(reason).decode(errors='replace')}")
        if not _same(_bytes(digest), _digest(self._salt, _bytes(server), self._nonce, self._security.key)):
            raise Refused("the target does not hold the same shared key")


def is_helo(message: bytes) -> bool:
    """Return whether a message is a HELO."""
    try:
        return bool(_parts(message, b"HELO", 1))
    except Malformed:
        return False


def _parts(message: bytes, kind: bytes, count: int) -> list[Any]:
    """Return what stands behind the type of a message; texts of a PING as bytes."""
    from msgpack import unpackb

    try:
        # A nonce or a salt may come as STR without being UTF-8.
        parts = unpackb(message, raw=True, strict_map_key=False)
    except Exception:  # the package raises what the bytes lead it to
        parts = None
    if not isinstance(parts, list) or len(parts) < 1 + count or parts[0] != kind:
        raise Malformed(f"expected {kind.decode()}, got another message")
    values = parts[1 : 1 + count]
    return [_bytes(value) for value in values] if kind == b"PING" else values


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _digest(*parts: bytes) -> str:
    return sha512(b"".join(parts)).hexdigest()


def _same(given: bytes, expected: str) -> bool:
    return hmac.compare_digest(given, expected.encode())
