"""Standard input and files as a source; compressed files are known by their first bytes."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from enricher.errors import SettingsError
from filters.batch import Batch
from filters.codecs.lines import LineCutter
from filters.errors import InputFailed
from filters.signals import Signals

# The caches of a processor hold a block of this size and all that is made of it.
CHUNK = 64 * 1024
STDIN = "-"

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Files:
    """Reads lines from files, one after the other.

    Args:
        paths: what to read; `-` is standard input.
        max_line: the longest line that is kept whole, in bytes.
        signals: asked between two reads whether to go on.
        pause: how often, in seconds, an idle input gives an empty batch; None for never.
        on_read: told how many bytes of a file were read.
    """

    def __init__(
        self,
        paths: Sequence[str],
        max_line: int,
        signals: Signals,
        *,
        pause: float | None = None,
        on_read: Callable[[int], None] | None = None,
    ) -> None:
        self._paths = paths
        self._max_line = max_line
        self._chunk = max(1, min(CHUNK, max_line))
        self._signals = signals
        self._pause = pause
        self._on_read = on_read
        self.unfinished = 0

    def batches(self) -> Iterator[Batch]:
        """Give the lines of each file; a last line without a newline gets one.

        Raises:
            InputFailed: a file is damaged.
        """
        for path in self._paths:
            with open_input(path) as file:
                yield from self._lines(file, "" if path == STDIN else path)
            if self._signals.stop:
                return

    def _lines(self, file: BinaryIO, origin: str) -> Iterator[Batch]:
        cutter = LineCutter(self._max_line)
        waits = not origin or not os.path.isfile(origin)
        while not self._signals.stop:
            if waits and not self._signals.wait(file.fileno(), self._pause):
                yield Batch(b"")
                continue
            chunk = read(file, self._chunk, origin)
            if not chunk:
                break
            if self._on_read:
                self._on_read(len(chunk))
            for block in cutter.feed(chunk):
                yield Batch(block.data, block.length, origin)
        if self._signals.stop:
            self.unfinished = cutter.rest.size
            return
        for block in cutter.finish():
            yield Batch(block.data, block.length, origin)


def compression(path: str) -> str:
    """Return how a file is compressed, by its first bytes: `gzip`, `zstd` or "".

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            # A pipe cannot be read twice.
            magic = file.read(4) if file.seekable() else b""
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    return "gzip" if magic.startswith(_GZIP) else "zstd" if magic == _ZSTD else ""


def open_input(path: str) -> BinaryIO:
    """Return the file opened for reading, decompressed if it is gzip or Zstandard.

    Args:
        path: a path, or `-` for standard input, which is taken as it is.

    Raises:
        SettingsError: the file cannot be read, or what decompresses it is not installed.
    """
    if path == STDIN:
        return open(0, "rb", buffering=0, closefd=False)
    kind = compression(path)
    if kind == "gzip":
        import gzip

        return gzip.open(path)  # type: ignore[return-value]  # it has all that is used
    if kind == "zstd":
        return _open_zstd(path)
    return open(path, "rb", buffering=0)


def _open_zstd(path: str) -> BinaryIO:
    try:
        from filters.sources.zstd import ZstdFile
    except ImportError:
        raise SettingsError([f"{path}: Zstandard needs one package more: pip install 'sipsense[zstd]'"]) from None
    return ZstdFile(path)  # type: ignore[return-value]  # it has all that is used


def read(file: BinaryIO, size: int, path: str) -> bytes:
    """Return what comes next in a file, b"" at its end.

    Args:
        path: what the file is called in messages, "" for standard input.

    Raises:
        InputFailed: it cannot be read, or is damaged.
    """
    try:
        return file.read(size)
    except damages() as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputFailed(f"{path or 'standard input'}: cannot be read: {why}") from None


def damages() -> tuple[type[Exception], ...]:
    """Return what reading a damaged file raises; the errors of what decompresses only where it is in use."""
    used = [(sys.modules.get(module), name) for module, name in (("zlib", "error"), ("zstandard", "ZstdError"))]
    return (OSError, EOFError, *(getattr(module, name) for module, name in used if module))
