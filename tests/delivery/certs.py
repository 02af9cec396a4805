"""A certificate authority and what it signed, made by the command `openssl`."""

import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple


class Signed(NamedTuple):
    """Paths of PEM files."""

    ca: Path
    certificate: Path
    key: Path
    client: Path  # certificate and key in one file


def make(folder: Path) -> Signed:
    """Make an authority, a certificate for 127.0.0.1 and one for a client."""
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    _openssl("req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=authority", *_new(ca_key), "-out", ca)
    certificate, key = _sign(folder, "server", ca, ca_key, "subjectAltName=IP:127.0.0.1")
    shown, its_key = _sign(folder, "client", ca, ca_key, "extendedKeyUsage=clientAuth")
    client = folder / "client-both.pem"
    client.write_bytes(shown.read_bytes() + its_key.read_bytes())
    return Signed(ca, certificate, key, client)


def server_context(signed: Signed, *, client: bool = False) -> ssl.SSLContext:
    """Return the TLS of a server; on request it asks clients for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    if client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(signed.ca)
    return context


def _new(key: Path) -> tuple[object, ...]:
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", key


def _sign(folder: Path, name: str, ca: Path, ca_key: Path, extension: str) -> tuple[Path, Path]:
    key, request, certificate = (folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
    extensions = folder / f"{name}.ext"
    extensions.write_text(extension)
    _openssl("req", "-nodes", "-subj", f"/CN={name}", *_new(key), "-out", request)
    signing = ("x509", "-req", "-days", "2", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial")
    _openssl(*signing, "-in", request, "-extfile", extensions, "-out", certificate)
    return certificate, key


def _openssl(*args: object) -> None:
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)
