"""docs/fluentd.md: what it tells a reader to do works, word for word."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from child import PATIENCE, ROOT, done, environment, known_options, until
from servers.fluentd import find_fluentd

DOCUMENT = (ROOT / "docs" / "fluentd.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def reader(tmp_path: Path) -> dict[str, str]:
    """The environment of a reader who has both commands on the PATH and stands in a checkout."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    command, env = find_fluentd()
    for name, line in {
        "sipsense": f'exec {sys.executable} -m filters "$@"',
        "fluentd": f'exec {" ".join(command)} "$@"',
    }.items():
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**env, "PATH": path, "PYTHONPATH": environment()["PYTHONPATH"]}


def test_blocks(tmp_path: Path, reader: dict[str, str]) -> None:
    """Every block is run as it stands, and the records that are shown come out."""
    assert [language for language, _ in BLOCKS] == ["sh", "conf", "sh", "sh", "json"]
    (_, versions), (_, config), (_, check), (_, start), (_, shown) = BLOCKS
    (tmp_path / config.partition("\n")[0].removeprefix("# ")).write_text(config, "utf-8")
    for script in (versions, check):
        ran = done("bash", "-e", input=script, cwd=tmp_path, env=reader)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "[warn]" not in ran.stdout
    output = tmp_path / "output"
    with open(output, "wb") as file:
        running = subprocess.Popen(
            ["bash", "-e", "-c", start], cwd=tmp_path, env=reader, stdout=file, stderr=file, start_new_session=True
        )
    expected = [json.loads(line) for line in shown.splitlines()]

    def came() -> bool:
        lines = [line for line in output.read_text("utf-8").splitlines() if line.startswith("{") and line.endswith("}")]
        records = [json.loads(line) for line in lines]
        return all(record in records for record in expected)

    try:
        assert until(came, 30), output.read_text("utf-8")
    finally:
        os.killpg(running.pid, signal.SIGINT)
        try:
            running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait(PATIENCE)


def test_examples_are_listed() -> None:
    """The document names every example for Fluentd, Fluent Bit and systemd, and no other."""
    listed = set(re.findall(r"`(examples/[^`]+)`", DOCUMENT))
    there = {
        str(path.relative_to(ROOT))
        for folder in ("fluentd", "fluent-bit", "systemd")
        for path in (ROOT / "examples" / folder).iterdir()
    }
    assert listed == there


def test_options_are_known() -> None:
    """The document names no option that the child does not have."""
    named = set(re.findall(r"`(?:sipsense fluentd )?(--[a-z-]+)", DOCUMENT))
    assert named
    assert named <= known_options("fluentd")
