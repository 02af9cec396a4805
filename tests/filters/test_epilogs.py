"""The examples in the commands' help."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

COMMANDS = ("explain", "catalog", "profiles", "check", "unwrap")
EXAMPLES = [
    line.strip()
    for command in COMMANDS
    for line in import_module(f"filters.commands.{command}").EPILOG.splitlines()
    if line.startswith("  ")
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the command and the files that the examples name."""
    record = '{"sip_code":486}\n'
    letter = '{"event":{"kind":"pipeline_error","original":"{}"},"error":{"type":"not_json","message":"x"}}\n'
    (tmp_path / "calls.jsonl").write_text(record)
    (tmp_path / "calls.jsonl.gz").write_text(record)
    (tmp_path / "dead.jsonl").write_text(letter)
    (tmp_path / "my.toml").write_text('[[row]]\ncode = 486\nreason = "Busy Here"\nhint = "Try again."\n')
    command = tmp_path / "sipsense"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m filters "$@"\n')
    command.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example: str, folder: Path) -> None:
    """Each example works as it stands."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": root}
    done = subprocess.run(
        ["sh", "-c", example], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout or ">" in example
