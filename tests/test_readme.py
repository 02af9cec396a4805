"""The README: every block of code in it does what it says."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

import pytest
from servers.readme import lines_of

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code."""

    language: str
    text: str


BLOCKS = [Block(*found) for document in DOCUMENTS for found in FENCE.findall(document.read_text("utf-8"))]


def blocks(language: str) -> list[str]:
    """Return the blocks in a language."""
    return [block.text for block in BLOCKS if block.language == language]


def commands(text: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with what it prints."""
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in text.removeprefix("$ ").split("\n$ ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the examples and the files of the TOML blocks, as a reader would have it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for text in blocks("toml"):
        name = text.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_every_block_is_known() -> None:
    """No block of the README is in a language that no test runs."""
    assert BLOCKS
    assert {block.language for block in BLOCKS} <= {"json", "sh", "console", "python", "toml"}


@pytest.mark.parametrize(
    ("command", "printed"), [pair for text in blocks("console") for pair in commands(text)], ids=lambda text: text[:50]
)
def test_console(folder: Path, command: str, printed: str) -> None:
    """A command prints exactly what stands below it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout + done.stderr == printed


def test_before_and_after() -> None:
    """The record at the top becomes what stands below it."""
    from enricher import Enricher

    before, after = blocks("json")
    assert json.loads(Enricher().enrich_json(before.encode())) == json.loads(after)


@pytest.mark.parametrize("text", blocks("python"))
def test_python(text: str) -> None:
    """The Python block runs."""
    exec(compile(text, "README.md", "exec"), {})


def test_config_file(folder: Path) -> None:
    """The file for --config is accepted and takes effect."""
    done = subprocess.run(
        [sys.executable, "-m", "filters", "--config", "sipsense.toml", "examples/calls.jsonl"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert list(json.loads(done.stdout.splitlines()[0])["sip"]) == ["code", "reason", "initiator", "outcome"]
    assert "records/s" in done.stderr


def clone(target: Path) -> Path:
    """Return a copy of what git would give to a user."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def test_shell_blocks_are_run() -> None:
    """The commands in shell blocks are those that a test runs: the next ones, or one that brings a server."""
    lines = [line for text in blocks("sh") for line in lines_of(text)]
    assert [line for line in lines if not line.startswith("sipsense ")] == [
        "make run",
        "make test",
        "pip install .",
        "pip install '.[http]'",
    ]
    assert len(lines) == 4 + 3 + 1  # tests/elastic/test_readme_elastic.py, tests/loki/test_readme_loki.py


def test_make_run(tmp_path: Path) -> None:
    """In a fresh checkout `make run` sets everything up and shows the sample calls enriched."""
    done = subprocess.run(["make", "run"], cwd=clone(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"sip":{"code":') == 5
    assert "records/s" in done.stderr


def test_pip_install(tmp_path: Path) -> None:
    """`pip install .` gives the command, with nothing of what is used to develop it."""
    source = clone(tmp_path / "source")
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    install = [binaries / "pip", "install", "--quiet", "--disable-pip-version-check", "."]
    done = subprocess.run(install, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(source)
    calls = (ROOT / "examples" / "calls.jsonl").read_bytes()
    run = subprocess.run([binaries / "sipsense"], input=calls, cwd=tmp_path, capture_output=True, check=True)
    assert run.stdout.count(b'"sip":{"code":') == 5
    shown = subprocess.run([binaries / "sipsense", "explain", "486"], cwd=tmp_path, capture_output=True, check=True)
    assert b"Busy Here" in shown.stdout
    completion = [binaries / "sipsense", "completion", "bash"]
    script = subprocess.run(completion, cwd=tmp_path, capture_output=True, check=True)
    assert b"complete" in script.stdout
