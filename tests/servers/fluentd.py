"""A real Fluentd for tests: the one on the PATH, else installed from gem files, else from the public gems.

Gem files are looked for in the folder that SIPSENSE_GEMS names, else in `shared/gems` beside the repository.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from shutil import which

from servers.cache import CACHE, Missing, call, install, locked, needed
from servers.process import Server, until_left

GEMS = Path(os.environ.get("SIPSENSE_GEMS") or Path(__file__).parents[3] / "shared" / "gems")
START, STOP = 60.0, 60.0  # seconds
READY = "fluentd worker is now running"
PACKAGES = ("ruby", "ruby-dev", "build-essential")


@contextmanager
def run_fluentd(config: str, workdir: Path, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run Fluentd with this configuration in that folder until the block is left; wait until it is ready.

    It is one process without a supervisor, so that its pid is the one to kill. Its log lies in `workdir/fluentd.log`,
    and its end is printed when the block is left by an exception.
    """
    with until_left(start_fluentd(config, workdir, env)) as fluentd:
        yield fluentd


def start_fluentd(config: str, workdir: Path, env: Mapping[str, str] | None = None) -> Server:
    """Start Fluentd and wait until it is ready; the caller stops it."""
    command, base = find_fluentd()
    workdir.mkdir(parents=True, exist_ok=True)
    path, log = workdir / "fluent.conf", workdir / "fluentd.log"
    path.write_text(config)
    begin = log.stat().st_size if log.exists() else 0
    fluentd = Server("Fluentd", log, STOP)
    with open(log, "ab") as output:
        fluentd.process = subprocess.Popen(
            [*command, "--no-supervisor", "-c", str(path)],
            cwd=workdir,
            env={**base, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    fluentd.wait_until(lambda: READY.encode() in log.read_bytes()[begin:], START)
    return fluentd


def dry_run(config: str, workdir: Path, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Let Fluentd check a configuration."""
    command, base = find_fluentd()
    path = workdir / "dry.conf"
    path.write_text(config)
    return subprocess.run(
        [*command, "--dry-run", "-c", str(path)],
        cwd=workdir,
        env={**base, **(env or {})},
        capture_output=True,
        check=False,
        text=True,
        timeout=START,
    )


@cache
def find_fluentd() -> tuple[list[str], dict[str, str]]:
    """Return the command of Fluentd and its environment; install it if there is none, else the test is skipped."""
    return needed("Fluentd", locate)


def locate() -> tuple[list[str], dict[str, str]]:
    """Return the command of Fluentd and its environment; install it if there is none.

    Raises:
        Missing: that failed.
    """
    if path := which("fluentd"):
        return [path], dict(os.environ)
    home = CACHE / "gems"
    env = {**os.environ, "GEM_HOME": str(home), "GEM_PATH": str(home)}
    with locked("fluentd"):
        if not _runs(home, env):
            _install(home, env)
    return [str(home / "bin" / "fluentd")], env


def _runs(home: Path, env: Mapping[str, str]) -> bool:
    command = home / "bin" / "fluentd"
    if not command.exists():
        return False
    return subprocess.run([command, "--version"], env=env, capture_output=True, check=False).returncode == 0


def _install(home: Path, env: Mapping[str, str]) -> None:
    install(("gem", "make"), PACKAGES)
    files = sorted(map(str, GEMS.glob("*.gem")))
    if files:
        call(["gem", "install", "--local", "--no-document", "--ignore-dependencies", *files], env)
    else:
        call(["gem", "install", "--no-document", "fluentd:1.18.0"], env)
    if not _runs(home, env):
        raise Missing("its gems were installed, but it does not start")
