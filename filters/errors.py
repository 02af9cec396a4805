"""What ends a run, each with its exit code.

Stop                   (exit code)
├── OutputClosed       1, silently: the reader of our output has gone
├── OutputFailed       1: the output cannot be written
├── InputFailed        2: an input cannot be read to its end
├── InvalidLine        3: `--invalid fail` met a line that is no record
└── Stopped            128 + N: a signal
"""


class Stop(Exception):
    """Ends the run.

    Args:
        message: what is said on stderr; "" for nothing.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class OutputClosed(Stop):
    """The reader of our output has gone, as `head` does."""


class OutputFailed(Stop):
    """The output cannot be written, for example because the disk is full."""


class InputFailed(Stop):
    """An input cannot be read to its end, for example because a compressed file was cut off."""

    exit_code = 2


class InvalidLine(Stop):
    """A line is no record, and that was to end the run."""

    exit_code = 3


class Stopped(Stop):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number
