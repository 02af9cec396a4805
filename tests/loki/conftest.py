"""What the tests of Loki share: a real server that takes its pushes."""

from collections.abc import Iterator

import pytest
from servers.victorialogs import VictoriaLogs, run_victorialogs


@pytest.fixture(scope="session")
def victorialogs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaLogs]:
    """Return the server that all tests of a run share: do not end it, and tell entries apart by a label of your own."""
    with run_victorialogs(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def fresh_victorialogs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaLogs]:
    """Return a server of the test's own, to end and start again as it likes."""
    with run_victorialogs(tmp_path_factory.mktemp("fresh")) as server:
        yield server
