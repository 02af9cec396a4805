"""Prometheus and its promtool for tests: those on the PATH, else of Debian's package, unpacked and not installed.

A test is skipped, with the reason printed, where they cannot be had; with CI in the environment it fails.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from servers.fluentd import CACHE

HOME = CACHE / "prometheus"
# Debian's promtool may be older than a dashboard's users have: what it takes, all take.
PACKAGE = "prometheus"


class NoPrometheus(Exception):
    """There is no Prometheus, and its package could not be fetched."""


def promtool(*args: str | Path, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
    """Run promtool and return what it said."""
    command = [find("promtool"), *map(str, args)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


_found: dict[str, str] = {}


def find(name: str) -> str:
    """Return the path of `promtool` or `prometheus`; the test is skipped, or fails, where it cannot be had."""
    if name not in _found:
        try:
            _found[name] = _locate(name)
        except NoPrometheus as reason:
            print(f"no {name}: {reason}", file=sys.stderr)
            if os.environ.get("CI", "").lower() in ("true", "1"):
                pytest.fail(f"no {name}: {reason}")
            pytest.skip(f"no {name}: {reason}")
    return _found[name]


def _locate(name: str) -> str:
    if path := shutil.which(name):
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    unpacked = HOME / "usr" / "bin" / name
    with open(CACHE / "prometheus.lock", "w") as lock:  # several sessions may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked.exists():
            _unpack()
    return str(unpacked)


def _unpack() -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise NoPrometheus("it is not on the PATH, and there is no apt-get and dpkg to unpack its package")
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        _download()
    except NoPrometheus:  # the lists of packages may be missing or old
        _call(["apt-get", "update", "-q"])
        _download()
    package = max(HOME.glob(f"{PACKAGE}_*.deb"))
    _call(["dpkg", "-x", str(package), str(HOME)])
    package.unlink()


def _download() -> None:
    _call(["apt-get", "download", "-q", PACKAGE])


def _call(command: list[str], env: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=HOME, env=env, capture_output=True, check=False, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPrometheus(f"{' '.join(command[:2])}: {error}") from None
    if done.returncode:
        raise NoPrometheus(f"{' '.join(command[:2])} failed: {(done.stderr or done.stdout).strip()[-300:]}")
