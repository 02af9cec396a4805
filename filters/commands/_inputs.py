"""What the commands read: a file or stdin, line by line."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader, RawIOBase
from typing import BinaryIO, cast

from enricher.errors import SettingsError
from filters.sources.files import damages, open_input

STDIN = "-"


def lines(path: str, longest: int) -> Iterator[bytes | None]:
    """Yield the lines of a file without their newlines; None for one that is longer than that.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        with _opened(path) as file:
            yield from _lines(file, longest)
    except damages() as error:
        raise SettingsError([f"{label(path)}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from error


def label(path: str) -> str:
    """Return what messages call an input."""
    return "stdin" if path == STDIN else path


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    if path == STDIN:
        return nullcontext(sys.stdin.buffer)
    return BufferedReader(cast("RawIOBase", open_input(path)))


def _lines(file: BinaryIO, longest: int) -> Iterator[bytes | None]:
    cut = False
    while line := file.readline(longest + 2):
        whole = line.endswith(b"\n")
        if not cut:
            text = line.removesuffix(b"\n").removesuffix(b"\r")
            yield text if len(text) <= longest else None
        cut = not whole
