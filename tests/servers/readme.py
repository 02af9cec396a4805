"""The blocks of commands in the README that need a server, for tests that bring one."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lines_of(text: str) -> list[str]:
    """Return the commands of a block, without comments."""
    return [line for part in text.splitlines() if (line := part.partition("  #")[0].strip())]


def run_block(title: str, instead: Mapping[str, str], folder: Path) -> str:
    """Run the commands of the first block of shell below a title of the README; return what they print.

    Args:
        instead: what stands for hosts and secrets of the README; each of its texts has to be there.
        folder: where they run, beside the examples.
    """
    text = (ROOT / "README.md").read_text("utf-8").partition(f"## {title}\n")[2]
    found = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert found, title
    script = "\n".join(line for line in lines_of(found[1]) if not line.startswith("pip "))
    for theirs, ours in instead.items():
        assert theirs in script
        script = script.replace(theirs, ours)
    command = folder / "sipsense"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m filters "$@"\n')
    command.chmod(0o755)
    (folder / "calls.jsonl").symlink_to(ROOT / "examples" / "calls.jsonl")
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
