"""HELO, PING and PONG."""

from hashlib import sha512

import msgpack
import pytest

from filters.forward.handshake import NAME, Client, Refused, Security, Server
from filters.forward.wire import Malformed

KEYED = Security(b"key")
USERS = Security(b"key", {b"anna": b"secret", b"bert": b"other"})


def meet(server: Security, client: Security) -> str:
    """Let both sides shake hands; return why the server refuses."""
    here, there = Server(server), Client(client)
    pong, reason = here.pong(there.ping(here.helo()))
    there.check(pong)
    return reason


def test_the_same_key():
    """Both sides are content where they hold the same key."""
    assert meet(KEYED, KEYED) == ""


def test_a_known_user():
    """A user with the right password is let in."""
    assert meet(USERS, Security(b"key", {b"anna": b"secret"})) == ""


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (Security(b"other", {b"anna": b"secret"}), "shared key mismatch"),
        (Security(b"key", {b"anna": b"wrong"}), "username/password mismatch"),
        (Security(b"key", {b"carl": b"secret"}), "username/password mismatch"),
    ],
)
def test_strangers(client, reason):
    """The wrong key, the wrong password and an unknown user are refused, and told why."""
    with pytest.raises(Refused, match=reason):
        meet(USERS, client)


def test_no_user_where_one_is_asked_for():
    """Who has no user is refused as well."""
    with pytest.raises(Refused, match="username/password mismatch"):
        meet(USERS, KEYED)


def test_a_user_where_none_is_asked_for():
    """Fluentd sends a salt also where it knows no users: without a user an empty one is sent."""
    helo = msgpack.packb(["HELO", {"nonce": b"n", "auth": b"salt", "keepalive": True}])
    assert msgpack.unpackb(Client(KEYED).ping(helo))[4:] == ["", ""]


def test_a_server_without_the_key():
    """A client sends nothing to a server that only says yes."""
    here, there = Server(KEYED), Client(KEYED)
    there.ping(here.helo())
    with pytest.raises(Refused, match="does not hold the same shared key"):
        there.check(msgpack.packb(["PONG", True, "", "server", "0" * 128]))


def test_digests_are_those_of_the_specification():
    """sha512_hex(salt + hostname + nonce + key), and sha512_hex(auth salt + user + password)."""
    helo = msgpack.packb(["HELO", {"nonce": b"\xff\x00nonce", "auth": b"auth\xfe", "keepalive": True}])
    kind, host, salt, digest, user, password = msgpack.unpackb(Client(Security(b"k", {b"u": b"p"})).ping(helo))
    assert (kind, host, user) == ("PING", NAME, "u")
    assert digest == sha512(salt + host.encode() + b"\xff\x00nonce" + b"k").hexdigest()
    assert password == sha512(b"auth\xfe" + b"u" + b"p").hexdigest()


def test_nonce_as_str_that_is_not_utf8():
    """Fluentd may send binary texts as STR."""
    helo = b"\x92\xa4HELO\x82\xa5nonce\xa2\xff\xfe\xa4auth\xa0"
    assert msgpack.unpackb(Client(KEYED).ping(helo))[0] == "PING"


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x01", b"\x90", msgpack.packb(["PING"]), msgpack.packb(["HELO", {}])])
def test_what_is_no_ping(data):
    """Other bytes are malformed, whatever they are."""
    with pytest.raises(Malformed):
        Server(KEYED).pong(data)


def test_a_ping_of_wrong_types():
    """A PING with numbers in it is one that does not hold the key."""
    _, reason = Server(KEYED).pong(msgpack.packb(["PING", 1, 2, 3, None, []]))
    assert reason == "shared key mismatch"
