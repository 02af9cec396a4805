"""What the tests of delivery share."""

import signal
from collections.abc import Iterator

import pytest

# Far more than any of them takes.
_PATIENCE = 120


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Let a test fail that waits for ever, as it does when a thread hangs."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"nothing came for {_PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
