"""Programs that tests fetch or build once, into a folder of their own: `~/.cache/sipsense-tests`."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "sipsense-tests"
# Where Go lies when nobody has put it on the PATH.
_GO = "/usr/local/go/bin"
_T = TypeVar("_T")


class Missing(Exception):
    """A program cannot be had; the text says why."""


def needed(name: str, locate: Callable[[], _T]) -> _T:
    """Return what is located; where it is missing, the test is skipped, or fails."""
    try:
        return locate()
    except Missing as reason:
        absent(f"no {name}: {reason}")


def absent(reason: str) -> NoReturn:
    """Skip a test for what this machine lacks, with the reason printed, or with CI=true fail it."""
    print(reason, file=sys.stderr)
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Give the folder to one session at a time, since several may start at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield CACHE


def install(tools: Sequence[str], packages: Sequence[str]) -> None:
    """Install packages of Debian if one of these tools is not there.

    Raises:
        Missing: that cannot be done.
    """
    if all(map(shutil.which, tools)):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise Missing(f"there is no {' and no '.join(packages)}, and none can be installed")
    call(["apt-get", "update", "-q"])
    call(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages])


def go() -> str:
    """Return the path of Go.

    Raises:
        Missing: there is none.
    """
    found = shutil.which("go") or shutil.which("go", path=_GO)
    if not found:
        raise Missing("there is no `go` on the PATH to build it with")
    return found


def call(
    command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None, seconds: float = 900.0
) -> None:
    """Run a command of an installation.

    Raises:
        Missing: it fails, or takes longer.
    """
    name = " ".join(command[:2])
    try:
        done = subprocess.run(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{name}: {error}") from None
    if done.returncode:
        raise Missing(f"{name} failed: {tail(done.stderr or done.stdout, 5)}")


def tail(text: str, lines: int = 40) -> str:
    """Return the last lines of a text."""
    return "\n".join(text.splitlines()[-lines:])
