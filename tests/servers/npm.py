"""Packages of npm for tests, fetched once into the cache folder of the tests, and run by Node.

A test is skipped, with the reason printed, where they cannot be had; with CI in the environment it fails.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from servers.cache import call, install, locked, needed

DEBIAN = ("nodejs", "npm")


def run_node(script: Path, packages: Sequence[str], lines: str) -> str:
    """Return what a script prints that gets these lines on its standard input; the test fails where the script does.

    Args:
        packages: what it imports, each with its version.
    """
    home = needed(script.stem, lambda: _home(script.stem, packages))
    (home / script.name).write_bytes(script.read_bytes())  # imports are looked for beside the script
    done = subprocess.run(
        ["node", script.name], input=lines, capture_output=True, check=False, text=True, timeout=60, cwd=home
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _home(name: str, packages: Sequence[str]) -> Path:
    with locked(name) as folder:
        home = folder / name
        install(("node", "npm"), DEBIAN)
        home.mkdir(exist_ok=True)
        done = home / "installed.json"
        if not done.exists() or json.loads(done.read_text()) != list(packages):
            options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save")
            call(["npm", "install", *options, "--prefix", str(home), *packages])
            done.write_text(json.dumps(packages))
    return home
