"""What the tests of Fluentd share."""

from collections.abc import Callable, Iterator

import pytest
from child import Child


@pytest.fixture
def start() -> Iterator[Callable[..., Child]]:
    """Start children that are gone when the test ends."""
    children: list[Child] = []

    def started(*options: str, command: list[str] | None = None) -> Child:
        children.append(Child(*options, command=command))
        return children[-1]

    yield started
    for child in children:
        child.stop()
