"""Small programs in Go for tests, around a library that judges what we make: each is built once, into the cache folder.

A test is skipped, with the reason printed, where one cannot be built; with CI in the environment it fails.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from servers.fluentd import CACHE

# The largest, the Collector, takes two minutes on two cores.
PATIENCE = 900


class NoProgram(Exception):
    """There is no Go, or the modules could not be fetched."""


def complaints(name: str, *paths: Path) -> str:
    """Return what a program that checks files has against these, "" for nothing.

    Args:
        name: `grafana-model` for dashboards, `configs` for configurations of Alloy and Logstash.
    """
    done = subprocess.run([program(name), *paths], capture_output=True, check=False, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return done.stdout


@cache
def program(name: str) -> Path:
    """Return the program that is made of the folder of this name beside this file."""
    try:
        return _built(Path(__file__).parent / name)
    except NoProgram as reason:
        print(f"no {name}: {reason}", file=sys.stderr)
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"no {name}: {reason}")
        pytest.skip(f"no {name}: {reason}")


def _built(source: Path) -> Path:
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.iterdir()))).hexdigest()[:12]
    made = CACHE / f"{source.name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{source.name}.lock", "w") as lock:  # several sessions may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _build(source, made)
    return made


def _build(source: Path, made: Path) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")  # nobody may have put it on the PATH
    if not go:
        raise NoProgram("there is no `go` on the PATH")
    new = made.with_suffix(".new")
    command = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(new), "."]
    try:
        done = subprocess.run(command, cwd=source, capture_output=True, check=False, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoProgram(f"go build: {error}") from None
    if done.returncode:
        raise NoProgram(f"go build failed: {done.stderr.strip()[-300:]}")
    new.rename(made)
