"""Runs of `sipsense setup` in the process of a test."""

import pytest

from filters import cli


class Setup:
    """Runs the command in this process and keeps what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, what: str, url: str, *options: str) -> int:
        code = cli.main(["setup", what, url, *options])
        self.out, self.err = self._capsys.readouterr()
        return code

    @property
    def actions(self) -> list[str]:
        """Return what it did, in order."""
        return [line[2:12].strip() for line in self.out.splitlines()[1:]]
