"""Connections to RabbitMQ, and what it means when one cannot be had."""

import asyncio

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError

from shared.queue.topology import Topology, declare

# What a broken, refused or closed connection can raise out of aio-pika.
BROKEN = (AMQPError, OSError, asyncio.TimeoutError, RuntimeError)
_CONNECT_SECONDS = 2.0


class QueueUnavailable(Exception):
    """RabbitMQ did not answer, or refused us."""


async def connect(
    url: str, *, name: str, timeout_seconds: float = _CONNECT_SECONDS
) -> AbstractConnection:
    """One plain connection: whoever holds it notices its end and opens the next one.

    Raises:
        QueueUnavailable: refused, unreachable or too slow.
    """
    try:
        return await aio_pika.connect(
            url, timeout=timeout_seconds, client_properties={"connection_name": name}
        )
    except BROKEN as error:
        raise QueueUnavailable(type(error).__name__) from error


async def migrate(url: str, wanted: Topology) -> None:
    """Declare the topology, or verify it where it exists.

    Raises:
        QueueUnavailable: the broker is away, refuses us, or has a queue with other arguments.
    """
    connection = await connect(url, name="fanfare migrate", timeout_seconds=10)
    try:
        await declare(await connection.channel(), wanted)
    except BROKEN as error:
        raise QueueUnavailable(str(error)) from error
    finally:
        await connection.close()
