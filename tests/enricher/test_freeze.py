"""builtin.json is made of the TOML files, and a stale one is noticed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from catalog_files import OUTCOMES, cause, row

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what freeze.py reads and writes."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "enricher", tmp_path / "enricher", ignore=ignored)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=ignored)
    return tmp_path


def freeze(project: Path, *arguments: str) -> tuple[int, str]:
    """Run freeze.py and return its exit code and what it says."""
    command = [sys.executable, "scripts/freeze.py", *arguments]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert run.stdout == ""
    return run.returncode, run.stderr


class TestFreeze:
    def test_is_not_stale(self) -> None:
        """What the package reads is what its TOML files say."""
        assert freeze(ROOT, "--check") == (0, "")

    def test_stale(self, project: Path) -> None:
        """A changed file makes builtin.json stale until it is written again."""
        words = project / "enricher/catalog/words.toml"
        words.write_text(words.read_text("utf-8").replace("nobody took the call", "no one took the call"), "utf-8")
        stale = (1, "enricher/builtin.json is stale: run scripts/freeze.py\n")
        assert freeze(project, "--check") == stale
        assert freeze(project) == (0, "")
        assert freeze(project, "--check") == (0, "")
        (project / "enricher/builtin.json").unlink()
        assert freeze(project, "--check") == stale

    def test_nothing_twice(self, project: Path) -> None:
        """Our own files must not lay one over another."""
        (project / "enricher/catalog/zz.toml").write_text(
            row(code="486", reason="'Busy Here'")
            + row(reason="'New'", aliases="[{ text = 'No Answer' }]")
            + cause(text="'Gateway not registered'"),
            "utf-8",
        )
        code, message = freeze(project)
        assert code == 1
        assert message.splitlines() == [
            "zz.toml: row 486 'Busy Here': is there twice",
            "zz.toml: row 480 'New': alias 'No Answer' of 480 already leads to row 480 'Temporarily Unavailable'",
            "zz.toml: cause 480 'Gateway not registered': the text already leads to cause 480 'Gateway not registered'",
        ]

    def test_table_twice(self, project: Path) -> None:
        """A vocabulary has one file."""
        (project / "enricher/catalog/zz.toml").write_text("fillers = []", "utf-8")
        assert freeze(project) == (1, "zz.toml: table fillers is in another file too\n")

    def test_decision(self, project: Path) -> None:
        """Decisions are checked like rows."""
        file = project / "enricher/catalog/decisions.toml"
        file.write_text(file.read_text("utf-8").replace('outcome = "cancelled"', 'outcome = "canceled"'), "utf-8")
        assert freeze(project) == (
            1,
            f"built-in: decision 487 'Origination': outcome 'canceled' is unknown, expected one of {OUTCOMES}\n",
        )

    def test_shape(self, project: Path) -> None:
        """A vocabulary with a missing field is refused."""
        file = project / "enricher/catalog/words.toml"
        file.write_text(file.read_text("utf-8").replace("digit = 1\n", ""), "utf-8")
        assert freeze(project) == (1, "catalog: Object missing required field `digit` - at `$.category[0]`\n")

    def test_syntax(self, project: Path) -> None:
        """A file that is not TOML is named."""
        (project / "enricher/catalog/zz.toml").write_text("x", "utf-8")
        assert freeze(project) == (
            1,
            "catalog/zz.toml: is not TOML: Expected '=' after a key in a key/value pair (at end of document)\n",
        )

    def test_usage(self) -> None:
        """Any other argument gets the usage."""
        code, message = freeze(ROOT, "--chek")
        assert code == 2
        assert "Usage: python scripts/freeze.py [--check]" in message
