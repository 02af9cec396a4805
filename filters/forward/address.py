"""Where a forward endpoint is: `forward://HOST:PORT`, `forward+tls://HOST:PORT`, `forward+unix:///PATH`."""

from typing import TypeAlias

import msgspec

PORT = 24224


class Tcp(msgspec.Struct, frozen=True):
    """A host and a port."""

    host: str
    port: int = PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Unix(msgspec.Struct, frozen=True):
    """The path of a unix socket."""

    path: str

    def __str__(self) -> str:
        return self.path


Address: TypeAlias = Tcp | Unix


def parse_hosts(text: str, *, default: str = "", port: int = PORT) -> list[Tcp]:
    """Return the addresses in `host:port,host2:port2`.

    Args:
        default: the host where none is given; "" if there must be one.
        port: the port where none is given.

    Raises:
        ValueError: one of them is none.
    """
    return [_parse_host(part, default, port) for part in text.split(",")]


def _parse_host(text: str, default: str, otherwise: int) -> Tcp:
    if "@" in text:
        raise ValueError("expected no user and no password in the URL: others can see it in the list of processes")
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    host = host or default
    if not host or (port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536)):
        raise ValueError(f"expected HOST or HOST:PORT, got {text!r}")
    return Tcp(host, int(port) if port else otherwise)
