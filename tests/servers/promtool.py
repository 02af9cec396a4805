"""Prometheus and its promtool for tests: those on the PATH, else of Debian's package, unpacked and not installed.

A test is skipped, with the reason printed, where they cannot be had; with CI in the environment it fails.
"""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from servers.cache import CACHE, Missing, call, locked, needed

HOME = CACHE / "prometheus"
# Debian's promtool may be older than a dashboard's users have: what it takes, all take.
PACKAGE = "prometheus"


def promtool(*args: str | Path, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
    """Run promtool and return what it said."""
    command = [find("promtool"), *map(str, args)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


@cache
def find(name: str) -> str:
    """Return the path of `promtool` or `prometheus`; the test is skipped, or fails, where it cannot be had."""
    return needed(name, lambda: _locate(name))


def _locate(name: str) -> str:
    if path := shutil.which(name):
        return path
    unpacked = HOME / "usr" / "bin" / name
    with locked("prometheus"):
        if not unpacked.exists():
            _unpack()
    return str(unpacked)


def _unpack() -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Missing("it is not on the PATH, and there is no apt-get and dpkg to unpack its package")
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        _download()
    except Missing:  # the lists of packages may be missing or old
        call(["apt-get", "update", "-q"])
        _download()
    package = max(HOME.glob(f"{PACKAGE}_*.deb"))
    call(["dpkg", "-x", str(package), str(HOME)])
    package.unlink()


def _download() -> None:
    call(["apt-get", "download", "-q", PACKAGE], cwd=HOME)
