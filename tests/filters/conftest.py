"""What the tests of the command share."""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

# Far more than any of them takes.
_PATIENCE = 120


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Let a test fail that waits for ever, as it does when a process hangs."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"nothing came for {_PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
