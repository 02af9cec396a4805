"""A real Fluentd for tests: the one on the PATH, else installed from gem files, else from the public gems.

Gem files are looked for in the folder that SIPSENSE_GEMS names, else in `shared/gems` beside the repository.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "sipsense-tests"
GEMS = Path(os.environ.get("SIPSENSE_GEMS") or Path(__file__).parents[3] / "shared" / "gems")
START, STOP = 60.0, 60.0
READY = "fluentd worker is now running"
PACKAGES = ("ruby", "ruby-dev", "build-essential")


class NoFluentd(Exception):
    """There is no Fluentd, and none could be installed."""


class Fluentd:
    """A Fluentd that runs.

    Args:
        process: its supervisor, or its only process.
        log: what it said so far lies there.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def said(self) -> str:
        """Return what it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self, number: int = signal.SIGTERM, seconds: float = STOP) -> int:
        """End it with a signal, after that time with SIGKILL; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.stop(signal.SIGKILL, 10)


def free_port() -> int:
    """Return a port that was free a moment ago, for TCP and UDP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        try:
            udp.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
        return port


@contextmanager
def run_fluentd(config: str, workdir: Path, env: Mapping[str, str] | None = None) -> Iterator[Fluentd]:
    """Run Fluentd with this configuration in that folder until the block is left; wait until it is ready.

    It is one process without a supervisor, so that its pid is the one to kill. Its log lies in `workdir/fluentd.log`,
    and its end is printed when the block is left by an exception.
    """
    fluentd = start_fluentd(config, workdir, env)
    try:
        yield fluentd
    except BaseException:
        print(_tail(fluentd.said))
        raise
    finally:
        fluentd.stop()


def start_fluentd(config: str, workdir: Path, env: Mapping[str, str] | None = None) -> Fluentd:
    """Start Fluentd and wait until it is ready; the caller stops it."""
    command, base = find_fluentd()
    workdir.mkdir(parents=True, exist_ok=True)
    path, log = workdir / "fluent.conf", workdir / "fluentd.log"
    path.write_text(config)
    begin = log.stat().st_size if log.exists() else 0
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [*command, "--no-supervisor", "-c", str(path)],
            cwd=workdir,
            env={**base, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    fluentd = Fluentd(process, log)
    due = time.monotonic() + START
    while READY.encode() not in log.read_bytes()[begin:]:
        if process.poll() is not None or time.monotonic() > due:
            fluentd.kill()
            pytest.fail(f"Fluentd did not start (exit code {process.returncode}):\n{_tail(fluentd.said)}")
        time.sleep(0.05)
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


_found: list[tuple[list[str], dict[str, str]]] = []


def find_fluentd() -> tuple[list[str], dict[str, str]]:
    """Return the command of Fluentd and its environment; install it if there is none.

    A test is skipped, with the reason printed, where that fails; with CI in the environment it fails.
    """
    if not _found:
        try:
            _found.append(locate())
        except NoFluentd as reason:
            print(f"no Fluentd: {reason}", file=sys.stderr)
            if os.environ.get("CI", "").lower() in ("true", "1"):
                pytest.fail(f"no Fluentd: {reason}")
            pytest.skip(f"no Fluentd: {reason}")
    return _found[0]


def locate() -> tuple[list[str], dict[str, str]]:
    """Return the command of Fluentd and its environment; install it if there is none.

    Raises:
        NoFluentd: that failed.
    """
    if path := shutil.which("fluentd"):
        return [path], dict(os.environ)
    CACHE.mkdir(parents=True, exist_ok=True)
    home = CACHE / "gems"
    env = {**os.environ, "GEM_HOME": str(home), "GEM_PATH": str(home)}
    with open(CACHE / "lock", "w") as lock:  # several sessions may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _runs(home, env):
            _install(home, env)
    return [str(home / "bin" / "fluentd")], env


def _runs(home: Path, env: Mapping[str, str]) -> bool:
    command = home / "bin" / "fluentd"
    if not command.exists():
        return False
    return subprocess.run([command, "--version"], env=env, capture_output=True, check=False).returncode == 0


def _install(home: Path, env: Mapping[str, str]) -> None:
    if not shutil.which("gem") or not shutil.which("make"):
        if os.geteuid() or not shutil.which("apt-get"):
            raise NoFluentd(f"`fluentd` is not on the PATH, and there is no {', '.join(PACKAGES)} to install it")
        _call(["apt-get", "update", "-q"], os.environ)
        _call(["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES], os.environ)
    files = sorted(map(str, GEMS.glob("*.gem")))
    if files:
        _call(["gem", "install", "--local", "--no-document", "--ignore-dependencies", *files], env)
    else:
        _call(["gem", "install", "--no-document", "fluentd:1.18.0"], env)
    if not _runs(home, env):
        raise NoFluentd("its gems were installed, but it does not start")


def _call(command: list[str], env: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(command, env=env, capture_output=True, check=False, text=True, timeout=900)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoFluentd(f"{' '.join(command[:2])}: {error}") from None
    if done.returncode:
        raise NoFluentd(f"{' '.join(command[:2])} failed: {_tail(done.stderr or done.stdout, 5)}")


def _tail(text: str, lines: int = 40) -> str:
    return "\n".join(text.splitlines()[-lines:])
