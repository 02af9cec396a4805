"""Small programs in Go for tests, around a library that judges what we make: each is built once, into the cache folder.

A test is skipped, with the reason printed, where one cannot be built; with CI in the environment it fails.
"""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

from servers.cache import call, go, locked, needed


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
    return needed(name, lambda: _built(Path(__file__).parent / name))


def _built(source: Path) -> Path:
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.iterdir()))).hexdigest()[:12]
    with locked(source.name) as home:
        made = home / f"{source.name}-{digest}"
        if not made.exists():
            new = made.with_suffix(".new")
            call([go(), "build", "-trimpath", "-ldflags=-s -w", "-o", str(new), "."], cwd=source)
            new.rename(made)
    return made
