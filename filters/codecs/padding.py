"""Padding that makes Fluentd read JSON at once.

Up to 1.19 its JSON parser reads blocks of 8 KiB from a child and waits until each is full. White space between records
fills them up; the parsers of all versions skip it.
"""

BLOCK = 8192


class Padding:
    """Knows how much was written, and what fills the last block up."""

    def __init__(self) -> None:
        self._written = 0

    def wrote(self, count: int) -> None:
        """Note that so many bytes were written."""
        self._written = (self._written + count) % BLOCK

    def take(self) -> bytes:
        """Return what fills the block up, and note that it is written."""
        missing = -self._written % BLOCK
        self._written = 0
        return b" " * (missing - 1) + b"\n" if missing else b""
