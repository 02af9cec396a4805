"""A certificate for 127.0.0.1, made by the command `openssl`."""

import subprocess
from pathlib import Path


def make(folder: Path) -> tuple[Path, Path]:
    """Return the paths of a self-signed certificate and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-addext", names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)
    return certificate, key
