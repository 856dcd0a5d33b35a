"""The API in this process, for all tests of its routes."""

from collections.abc import AsyncIterator

import pytest

from shared.storage.mongo import connect
from tests.front_door import Api, Caller, running, served, settings_for
from tests.pushy_stage import at_pushy, pushy, pushy_api, pushy_clock, pushy_simulators
from tests.servers import Servers

__all__ = ["Api", "Caller", "running", "settings_for"]
__all__ += ["at_pushy", "pushy", "pushy_api", "pushy_clock", "pushy_simulators"]


@pytest.fixture(scope="session")
async def api(servers: Servers) -> AsyncIterator[Api]:
    """One application for all tests; each makes apps of its own."""
    async with served(servers, "api") as running_api:
        yield running_api


@pytest.fixture
async def without_broker(servers: Servers) -> AsyncIterator[Api]:
    """An API whose broker does not answer."""
    settings = settings_for(servers, amqp_url="amqp://guest:guest@127.0.0.1:1/")
    async with connect(settings) as database:
        async with running(settings, database) as running_api:
            yield running_api
        await database.drop()
