"""Zstandard files, decompressed in bounded memory."""

import io
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

# Four bytes can stand for a block of 128 KiB, so that little is given to the decompressor at a time.
_PIECE = 512


class ZstdFile(io.RawIOBase):
    """Reads what is in all frames of a file.

    The package's own reader takes a file that was cut off for a whole one.
    """

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed with this object
        self._pieces = decompressed(self._file)
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer; what stays empty is behind the end.

        Raises:
            EOFError: the file ends inside a frame.
            zstandard.ZstdError: the file is damaged.
        """
        done = 0
        while done < len(buffer):
            if not self._ready:
                self._ready = memoryview(next(self._pieces, b""))
                if not self._ready:
                    break
            piece = self._ready[: len(buffer) - done]
            buffer[done : done + len(piece)] = piece
            done += len(piece)
            self._ready = self._ready[len(piece) :]
        return done

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def decompressed(file: BinaryIO) -> Iterator[bytes]:
    """Give what the frames of a file hold, piece by piece, none of them empty.

    Raises:
        EOFError: the file ends inside a frame.
        zstandard.ZstdError: the file is damaged.
    """
    decompressor = zstandard.ZstdDecompressor()
    frame = None
    while piece := file.read(_PIECE):
        while piece:
            frame = frame or decompressor.decompressobj()
            if data := frame.decompress(piece):
                yield data
            piece, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame:
        raise EOFError("Compressed file ended before the end of its last frame")
