"""What the processes of `--jobs` read from: plain files, standard input, or a feeder that decompresses."""

import os
import signal
import struct
from collections.abc import Sequence

import msgspec

from enricher.errors import SettingsError
from filters.batch import Batch
from filters.codecs.lines import LineCutter, Rest
from filters.errors import InputFailed, OutputFailed, Stop
from filters.signals import Signals
from filters.sinks.descriptor import Descriptor
from filters.sources.files import CHUNK, STDIN, compression, open_input, read

# A token costs some 50 microseconds a round, so that more is read at a time than one block.
READ = 4 * CHUNK
# What goes before each piece that the feeder sends: its kind and its size.
_FRAME = struct.Struct("!BI")
_DATA, _END, _FAILED = range(3)


class ReadTurn(msgspec.Struct, frozen=True):
    """The reading token: where in the input to go on.

    Args:
        over: whether there is no more to read.
    """

    file: int = 0
    offset: int = 0
    rest: Rest = Rest()
    over: bool = False


class Input:
    """All inputs, as the holder of the reading token sees them.

    Args:
        fd: what all processes read from in turn: standard input, or the pipe of the feeder; None for plain files.
    """

    def __init__(self, paths: Sequence[str], max_line: int, signals: Signals, fd: int | None) -> None:
        self._paths = paths
        self._max_line = max_line
        self._signals = signals
        self._fd = fd

    def read(self, turn: ReadTurn) -> tuple[list[Batch], ReadTurn, int]:
        """Read until there is something to do; return it, how to go on, and how many bytes were read.

        Raises:
            InputFailed: a file cannot be read to its end.
        """
        cutter, file, offset, total = LineCutter(self._max_line, turn.rest), turn.file, turn.offset, 0
        batches: list[Batch] = []
        while not batches:
            if self._signals.stop:
                return batches, ReadTurn(file, offset, cutter.rest, over=True), total
            data = self._chunk(file, offset)
            if data is None:
                continue
            offset, total = offset + len(data), total + len(data)
            origin = "" if self._paths[file] == STDIN else self._paths[file]
            step = min(CHUNK, self._max_line)
            for start in range(0, len(data), step):
                batches += [Batch(b.data, b.length, origin) for b in cutter.feed(data[start : start + step])]
            if not data:
                batches += [Batch(block.data, block.length, origin) for block in cutter.finish()]
                cutter, file, offset = LineCutter(self._max_line), file + 1, 0
                if file == len(self._paths):
                    return batches, ReadTurn(over=True), total
        return batches, ReadTurn(file, offset, cutter.rest), total

    def _chunk(self, file: int, offset: int) -> bytes | None:
        """Return what comes next, b"" at the end of a file, None if a signal came instead."""
        path = self._paths[file]
        if self._fd is None:
            return _read_at(path, offset)
        if not self._signals.wait(self._fd):
            return None
        if self._fd != 0:
            return _read_frame(self._fd)
        with open(0, "rb", buffering=0, closefd=False) as stdin:
            data = read(stdin, READ, "")
            while data and len(data) < READ and self._signals.wait(0, 0):
                more = read(stdin, READ - len(data), "")
                if not more:
                    break  # the next turn meets the end again
                data += more
        return data


def _read_at(path: str, offset: int) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), READ, offset)
    except OSError as error:
        raise InputFailed(f"{path}: cannot be read: {error.strerror}") from None


def _read_frame(fd: int) -> bytes:
    """Return the piece that the feeder sent, b"" at the end of a file."""
    kind, size = _FRAME.unpack(read_all(fd, _FRAME.size))
    data = read_all(fd, size)
    if kind == _FAILED:
        raise InputFailed(data.decode(errors="replace"))
    return data


def read_all(fd: int, size: int) -> bytes:
    """Return so many bytes of a pipe.

    Raises:
        OutputFailed: the process at its other end has died.
    """
    data = bytearray()
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:
            raise OutputFailed("a process of --jobs has died")
        data += piece
    return bytes(data)


def shared_descriptor(paths: Sequence[str]) -> tuple[int | None, int]:
    """Return what all processes read from in turn, and the process that feeds it, 0 for none.

    The descriptor is None for plain files, which each process can open.
    """
    if all(path != STDIN and os.path.isfile(path) and not compression(path) for path in paths):
        return None, 0
    if list(paths) == [STDIN]:
        return 0, 0
    reader, writer = os.pipe()
    feeder = os.fork()
    if feeder == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(reader)
        os._exit(_feed(paths, writer))
    os.close(writer)
    return reader, feeder


def _feed(paths: Sequence[str], writer: int) -> int:
    """Read all inputs, decompressed, into a pipe; return the exit code of this process."""
    sink = Descriptor(writer, "a pipe of --jobs")

    def send(kind: int, data: bytes = b"") -> None:
        sink.write(_FRAME.pack(kind, len(data)) + data)

    try:
        for path in paths:
            with open_input(path) as file:
                while data := read(file, READ, "" if path == STDIN else path):
                    send(_DATA, data)
            send(_END)
    except (InputFailed, SettingsError) as failed:
        send(_FAILED, str(failed).encode())
    except Stop:
        return 1
    return 0
