"""Connections to RabbitMQ, and what it means when one cannot be had."""

import asyncio

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused
from yarl import URL

from shared.queue.topology import Topology, declare, missing

# What a broken, refused or closed connection can raise out of aio-pika.
BROKEN = (AMQPError, OSError, asyncio.TimeoutError, RuntimeError)
_CONNECT_SECONDS = 2.0
_HEARTBEAT_SECONDS = 15  # a peer that fell silent is noticed after three of them


class TopologyWrong(Exception):
    """A queue exists with other arguments than ours; migrate under a new name or remove it."""


class QueueUnavailable(Exception):
    """RabbitMQ did not answer, or refused us."""


class _Connection(aio_pika.Connection):
    """aio-pika's own would, when one that never opened is collected, begin to close it."""

    def __del__(self) -> None:
        """Whoever opened it closes it."""


async def connect(
    url: str, *, name: str, timeout_seconds: float = _CONNECT_SECONDS
) -> AbstractConnection:
    """One plain connection: whoever holds it notices its end and opens the next one.

    Raises:
        QueueUnavailable: refused, unreachable or too slow.
    """
    try:
        return await aio_pika.connect(
            URL(url).update_query(heartbeat=_HEARTBEAT_SECONDS),
            timeout=timeout_seconds,
            client_properties={"connection_name": name},
            connection_class=_Connection,
        )
    except BROKEN as error:
        raise QueueUnavailable(type(error).__name__) from error


async def verify(connection: AbstractConnection, wanted: Topology) -> None:
    """Make sure that the queues are there with the arguments that we count on.

    With the right to configure, declaring them again compares every argument (RabbitMQ refuses a
    difference and silently ignores much else); without it we can only see that they exist.

    Raises:
        TopologyWrong: a queue has other arguments: nothing may be published or consumed.
        QueueUnavailable: a queue is missing: `fanfare migrate` has not run yet.
    """
    try:
        await declare(await connection.channel(), wanted)
    except ChannelPreconditionFailed as error:
        raise TopologyWrong(str(error)) from error
    except ChannelAccessRefused:
        absent = await missing(await connection.channel(), wanted)
        if absent is not None:
            raise QueueUnavailable(f"queue {absent} is missing: run `fanfare migrate`") from None


async def migrate(url: str, wanted: Topology) -> None:
    """Declare the topology, or verify it where it exists.

    Raises:
        TopologyWrong: a queue exists with other arguments.
        QueueUnavailable: the broker is away or refuses us.
    """
    connection = await connect(url, name="fanfare migrate", timeout_seconds=10)
    try:
        await declare(await connection.channel(), wanted)
    except ChannelPreconditionFailed as error:
        raise TopologyWrong(str(error)) from error
    except BROKEN as error:
        raise QueueUnavailable(str(error)) from error
    finally:
        await connection.close()
