"""The real servers, started for the first test that asks for them."""

from collections.abc import Iterator

import pytest

from tests.servers import Servers, running_servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One private mongod and one private RabbitMQ for the whole run."""
    with running_servers(tmp_path_factory.mktemp("servers")) as servers:
        yield servers
