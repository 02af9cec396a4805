"""What the tests of delivery share."""

import pytest


@pytest.fixture(autouse=True)
def patient(patience: None) -> None:
    """Let no test wait for ever."""
