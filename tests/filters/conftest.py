"""What the tests of the command share."""

import pytest


@pytest.fixture(autouse=True)
def patient(patience: None) -> None:
    """Let no test wait for ever."""
