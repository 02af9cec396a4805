"""docs/loki.md: what it tells a reader to do works, and what it says of options and names is so."""

import os
import re
import subprocess
import sys

import pytest
from loki_encoding import Made, call, metadata
from loki_runs import COMMAND, ENVIRONMENT, ROOT
from servers.lezer import errors
from servers.loki import Limits, run_loki

DOCUMENT = (ROOT / "docs" / "loki.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
SHELL = [text for language, text in BLOCKS if language == "sh"]


def blocks(word: str) -> list[str]:
    """Return the blocks of shell with this word in them."""
    found = [text for text in SHELL if word in text]
    assert found
    return found


def read(block: str, folder, *, instead: dict[str, str]) -> str:
    """Run a block in a folder with the examples, and return what it says."""
    script = folder / "sipsense"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m filters "$@"\n')
    script.chmod(0o755)
    for name in ("examples", "calls.jsonl", "october-01.jsonl"):
        target = ROOT / "examples" / ("" if name == "examples" else "calls.jsonl")
        if not (folder / name).exists():
            (folder / name).symlink_to(target)
    for theirs, ours in instead.items():
        assert theirs in block
        block = block.replace(theirs, ours)
    env = {**ENVIRONMENT, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-euc", block], cwd=folder, env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.decode()


@pytest.mark.parametrize(
    "word", ["examples/calls.jsonl\n", "--label carrier", "--late label"], ids=["first", "labels", "import"]
)
def test_commands(word, tmp_path):
    """Commands that deliver the sample calls do so, with nothing left over."""
    with run_loki(Limits(age=2**62)) as loki:
        address = loki.url.removeprefix("loki+http://")
        for block in blocks(word):
            if "loki+http://127.0.0.1:3100" in block:
                read(block, tmp_path, instead={"127.0.0.1:3100": address})
    assert len(loki.lines) == 6
    assert not (tmp_path / "left.jsonl").exists() or not (tmp_path / "left.jsonl").read_bytes()


def test_curl(tmp_path):
    """The loop with curl pushes every call."""
    (block,) = blocks("curl")
    with run_loki() as loki:
        read(block, tmp_path, instead={"127.0.0.1:3100": loki.url.removeprefix("loki+http://")})
    assert len(loki.lines) == 6


def test_queries():
    """Every query is understood by the parser that Grafana's editor uses."""
    queries = [text.strip() for language, text in BLOCKS if language == "logql"]
    assert len(queries) == 7
    assert errors("logql", queries) == [[]] * len(queries)
    labels, names = Made("--metadata", "trunk=trunk").of(call(trunk="x"))[0], set()
    names.update(labels.stream.labels, metadata(labels), ("duration", "hint"))
    used = re.findall(r"(\w+)(?:=~|!=|=|>)|by \((\w+)\)|{{\.(\w+)}}", "\n".join(queries))
    assert {next(filter(None, word)) for word in used} <= names


def test_options():
    """Every option that the page names is there."""
    known = subprocess.run(
        [*COMMAND, "enrich", "--help"], env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", DOCUMENT)) - {"--data-binary"}
    assert len(named) > 20
    assert named <= set(re.findall(r"--[a-z-]+", known))
