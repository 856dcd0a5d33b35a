"""A database and a virtual host of their own for tests of the parts that speak to real servers."""

import base64
from collections.abc import AsyncIterator
from itertools import count
from typing import Literal

import pytest

from shared.crypto.keyring import Keyring
from shared.settings import CommonSettings
from shared.storage.mongo import Database, connect
from shared.storage.schema import create_indexes
from tests.servers import Servers

KEY = base64.b64encode(b"k" * 32).decode()
_numbers = count(1)

Driver = Literal["motor", "pymongo"]


def settings_for(servers: Servers, *, driver: Driver = "motor") -> CommonSettings:
    """Settings with a database name that no other test has."""
    return CommonSettings(
        mode="local",
        mongo_url=servers.mongod.url,
        mongo_database=f"test_{next(_numbers)}",
        mongo_driver=driver,
        amqp_url=servers.rabbitmq.url(),
        encryption_keys=(f"k1:{KEY}",),
        hash_key=KEY,
    )


@pytest.fixture
def keyring() -> Keyring:
    return Keyring({"k1": b"k" * 32}, b"h" * 32)


@pytest.fixture(scope="session", params=["motor", "pymongo"])
async def emptied(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[Database]:
    """A database with all indexes, once per driver: making them takes longer than most tests."""
    settings = settings_for(servers, driver=request.param)
    async with connect(settings) as database:
        await create_indexes(database)
        yield database
        await database.drop()


@pytest.fixture
async def database(emptied: Database) -> AsyncIterator[Database]:
    """An empty database with all indexes, once per driver."""
    yield emptied
    for name in await emptied._raw.list_collection_names():
        await emptied[name].delete_many({})


@pytest.fixture
def amqp_url(servers: Servers) -> str:
    """An empty virtual host."""
    return servers.rabbitmq.create_vhost(f"test-{next(_numbers)}")
