"""Packages of npm for tests, fetched once into the cache folder of the tests, and run by Node.

A test is skipped, with the reason printed, where they cannot be had; with CI in the environment it fails.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from servers.fluentd import CACHE

DEBIAN = ("nodejs", "npm")


class NoPackages(Exception):
    """There is no Node, or the packages could not be fetched."""


def run_node(script: Path, packages: Sequence[str], lines: str) -> str:
    """Return what a script prints that gets these lines on its standard input; the test fails where the script does.

    Args:
        packages: what it imports, each with its version.
    """
    home = _home(script.stem, packages)
    (home / script.name).write_bytes(script.read_bytes())  # imports are looked for beside the script
    done = subprocess.run(
        ["node", script.name], input=lines, capture_output=True, check=False, text=True, timeout=60, cwd=home
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _home(name: str, packages: Sequence[str]) -> Path:
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / f"{name}.lock", "w") as lock:  # several sessions may start at once
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _install(CACHE / name, packages)
    except NoPackages as reason:
        print(f"no {name}: {reason}", file=sys.stderr)
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"no {name}: {reason}")
        pytest.skip(f"no {name}: {reason}")


def _install(home: Path, packages: Sequence[str]) -> Path:
    if not all(map(shutil.which, ("node", "npm"))):
        if os.geteuid() or not shutil.which("apt-get"):
            raise NoPackages(f"there is no {' and no '.join(DEBIAN)}, and none can be installed")
        _call(["apt-get", "update", "-q"])
        _call(["apt-get", "install", "-y", "-q", "--no-install-recommends", *DEBIAN])
    home.mkdir(exist_ok=True)
    done = home / "installed.json"
    if not done.exists() or json.loads(done.read_text()) != list(packages):
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save")
        _call(["npm", "install", *options, "--prefix", str(home), *packages])
        done.write_text(json.dumps(packages))
    return home


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPackages(f"{' '.join(command[:2])}: {error}") from None
    if done.returncode:
        raise NoPackages(f"{' '.join(command[:2])} failed: {(done.stderr or done.stdout).strip()[-300:]}")
