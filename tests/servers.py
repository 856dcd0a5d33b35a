"""Real servers for tests: one private mongod and one private RabbitMQ per test run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.mongod import Mongod
from deploy.local.rabbitmq import RabbitMq


@dataclass(frozen=True)
class Servers:
    mongod: Mongod
    rabbitmq: RabbitMq


@contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """Both servers, started in `folder` and ended with the block."""
    servers = Servers(Mongod(folder / "mongod", cache_gb=0.25), RabbitMq(folder / "rabbitmq"))
    try:
        servers.mongod.start()
        servers.rabbitmq.start()
        yield servers
    finally:
        servers.rabbitmq.stop()
        servers.mongod.stop()
