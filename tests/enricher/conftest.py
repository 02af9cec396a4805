"""What tests of the catalog share."""

from pathlib import Path

import pytest
from catalog_files import Load

from enricher.catalog import Catalog, load_catalog


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the catalog with user files of these texts: a.toml, b.toml."""
    monkeypatch.chdir(tmp_path)

    def load(*texts: str, guess: bool = False) -> Catalog:
        files = [Path(f"{letter}.toml") for letter, _ in zip("ab", texts, strict=False)]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, "utf-8")
        return load_catalog(files, guess=guess)

    return load
