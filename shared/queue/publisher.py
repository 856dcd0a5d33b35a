"""Publishing with confirms: a message counts as published only when the broker said so.

Everything else (refused, returned, timed out, connection lost) is *unknown*: the caller keeps its
record and somebody publishes again. A channel on which a publish timed out is not used again,
because its message may still be confirmed or delivered later.
"""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import msgspec
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError

from shared.logs import get_logger
from shared.queue.connection import BROKEN, QueueUnavailable, connect, verify
from shared.queue.topology import Topology

_CONFIRM_SECONDS = 2.0
_PAUSE_SECONDS = 0.5  # after a failed connect nobody tries again for so long

log = get_logger(__name__)


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to an exchange."""

    exchange: str
    routing_key: str
    body: bytes


class Publisher:
    """One connection and channel for any number of concurrent publishers."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = url
        self._name = name
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._paused_until = 0.0
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return self._channel is not None and not self._channel.is_closed

    async def publish(self, publication: Publication) -> bool:
        """Whether the broker has confirmed the message; False means unknown, not lost."""
        used: AbstractConnection | None = None
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                exchange = await self._exchange(publication.exchange)
                used = self._connection
                await _publish(exchange, publication)
        except DeliveryError as error:  # refused (queue full) or returned (no queue)
            log.warning("publish.refused", exchange=publication.exchange, error=repr(error)[:200])
            return False
        except QueueUnavailable as error:
            log.warning("publish.unavailable", error=str(error))
            return False
        except BROKEN as error:
            log.warning("publish.unconfirmed", error=type(error).__name__)
            if used is not None and used is self._connection:  # nobody has opened another since
                self._discard()
            return False
        return True

    async def publish_all(self, publications: Sequence[Publication]) -> list[bool]:
        """Publish concurrently; one verdict each."""
        return await asyncio.gather(*(self.publish(p) for p in publications))

    async def _exchange(self, name: str) -> AbstractExchange:
        if not self.is_connected:
            async with self._opening:
                if not self.is_connected:
                    await self._open()
        exchange = self._exchanges.get(name)
        if exchange is None:
            if self._channel is None:
                raise QueueUnavailable("connection was lost")
            exchange = await self._channel.get_exchange(name, ensure=False)
            self._exchanges[name] = exchange
        return exchange

    async def _open(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._paused_until:
            raise QueueUnavailable("waiting before the next try to connect")
        self._discard()
        self._paused_until = now + _PAUSE_SECONDS
        self._connection = await connect(self._url, name=self._name)
        self._channel = await self._connection.channel(
            publisher_confirms=True, on_return_raises=True
        )
        self._paused_until = 0.0

    def _discard(self) -> None:
        """Use this connection no more; closing it may take a while and nobody waits for it."""
        connection, self._connection, self._channel = self._connection, None, None
        self._exchanges = {}
        if connection is not None and not connection.is_closed:
            task = asyncio.create_task(_close(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def open(self, wanted: Topology) -> None:
        """Connect and verify the topology ahead of the first message, if the broker is there.

        Raises:
            TopologyWrong: a queue has other arguments than those that keep messages safe.
        """
        try:
            await self._exchange("")
            if self._connection is not None:
                await verify(self._connection, wanted)
        except (QueueUnavailable, *BROKEN) as error:
            log.warning("publish.unavailable", error=str(error))

    async def aclose(self) -> None:
        self._discard()
        await asyncio.gather(*self._closing)


async def _close(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(_CONFIRM_SECONDS):
            await connection.close()
    except BROKEN as error:  # it is being thrown away because it is broken
        log.debug("publish.close_failed", error=type(error).__name__)


async def _publish(exchange: AbstractExchange, publication: Publication) -> None:
    message = Message(
        publication.body,
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type="application/json",
        message_id=uuid4().hex,  # returns are matched by it
    )
    await exchange.publish(message, publication.routing_key, mandatory=True)
