"""What all tests share: hypothesis draws the same examples in each run, unless HYPOTHESIS_PROFILE says otherwise.

`HYPOTHESIS_PROFILE=search python -m pytest` looks for new examples, and for more of them.
"""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=60)
settings.register_profile(
    "search", deadline=None, database=None, max_examples=1000, suppress_health_check=list(HealthCheck)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Seconds; far more than any test takes that waits for something.
_PATIENCE = 120


@pytest.fixture
def patience() -> Iterator[None]:
    """Let a test fail that waits for ever, as it does when a process or a thread hangs."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"nothing came for {_PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
