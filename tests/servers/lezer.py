"""The parsers of LogQL and PromQL that Grafana's editors use, run by Node; their packages are fetched once, by npm.

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
from typing import Literal

import pytest
from servers.fluentd import CACHE

HOME = CACHE / "lezer"
SCRIPT = Path(__file__).with_name("lezer.mjs")
PACKAGES = (
    "@grafana/lezer-logql@0.4.2",
    "@prometheus-io/lezer-promql@0.315.0",
    "@lezer/common@1.5.2",
    "@lezer/highlight@1.2.3",
    "@lezer/lr@1.4.10",
)
DEBIAN = ("nodejs", "npm")

Language = Literal["logql", "promql"]


class NoParser(Exception):
    """There is no Node, or its packages could not be fetched."""


def errors(language: Language, queries: Sequence[str]) -> list[list[str]]:
    """Return for each query the places that the parser does not understand, each as the text from there on."""
    lines = "".join(json.dumps({"language": language, "query": query}) + "\n" for query in queries)
    done = subprocess.run(
        ["node", _script()], input=lines, capture_output=True, check=False, text=True, timeout=60, cwd=HOME
    )
    assert done.returncode == 0, done.stderr
    places = [json.loads(line) for line in done.stdout.splitlines()]
    return [[query[begin:][:40] for begin, _ in found] for query, found in zip(queries, places, strict=True)]


def _script() -> str:
    """Return the script, beside the packages that it imports."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / "lezer.lock", "w") as lock:  # several sessions may start at once
            fcntl.flock(lock, fcntl.LOCK_EX)
            return str(_install())
    except NoParser as reason:
        print(f"no query parsers: {reason}", file=sys.stderr)
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"no query parsers: {reason}")
        pytest.skip(f"no query parsers: {reason}")


def _install() -> Path:
    if not shutil.which("node") or not shutil.which("npm"):
        if os.geteuid() or not shutil.which("apt-get"):
            raise NoParser(f"there is no {' and no '.join(DEBIAN)}, and none can be installed")
        _call(["apt-get", "update", "-q"])
        _call(["apt-get", "install", "-y", "-q", "--no-install-recommends", *DEBIAN])
    HOME.mkdir(parents=True, exist_ok=True)
    done = HOME / "installed.json"
    if not done.exists() or json.loads(done.read_text()) != list(PACKAGES):
        _call(["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(HOME), *PACKAGES])
        done.write_text(json.dumps(PACKAGES))
    script = HOME / SCRIPT.name
    script.write_bytes(SCRIPT.read_bytes())
    return script


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoParser(f"{' '.join(command[:2])}: {error}") from None
    if done.returncode:
        raise NoParser(f"{' '.join(command[:2])} failed: {(done.stderr or done.stdout).strip()[-300:]}")
