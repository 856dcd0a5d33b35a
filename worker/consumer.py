"""AMQP message to task to ack: the only file that settles with the broker.

Tasks belong to the process, not to the connection: when the connection breaks, what was begun is
finished, its ack is dropped, and the broker's second copy finds the work done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, assert_never

import aiormq
import msgspec
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractIncomingMessage,
    AbstractQueue,
)

from shared.logs import get_logger
from shared.queue.connection import BROKEN, QueueUnavailable, connect, verify
from shared.queue.topology import Topology

_RECONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 10.0  # for what the broker answers at once when it is well
_FAILED_PAUSE_SECONDS = 1.0  # a message that fails at once must not come back at once

log = get_logger(__name__)


class Incoming(msgspec.Struct, frozen=True):
    """A message as its handler sees it."""

    body: bytes
    routing_key: str


# not_begun: the worker is leaving; the message goes back when the connection closes.
Verdict = Literal["done", "unreadable", "not_begun"]
Handler = Callable[[Incoming], Awaitable[Verdict]]


class Subscription(msgspec.Struct, frozen=True):
    """A queue, how many of its messages may be with us at once, and what to do with one."""

    queue: str
    prefetch: int
    handle: Handler


class Consumer:
    """Keeps all subscriptions alive on one connection until it is told to stop."""

    def __init__(
        self,
        url: str,
        wanted: Topology,
        subscriptions: list[Subscription],
        *,
        draining: asyncio.Event,
    ) -> None:
        self._url = url
        self._wanted = wanted
        self._subscriptions = subscriptions
        self._draining = draining
        self._tasks: set[asyncio.Task[None]] = set()
        self.consuming = asyncio.Event()

    async def run(self) -> None:
        """Consume, and connect again whenever the connection or a consumer is lost.

        Raises:
            TopologyWrong: a queue has other arguments than those that keep messages safe.
        """
        while not self._draining.is_set():
            try:
                await self._consume()
            except (QueueUnavailable, *BROKEN) as error:
                log.warning("consumer.disconnected", error=type(error).__name__, detail=str(error))
            except asyncio.CancelledError:
                if _is_being_cancelled():
                    raise
                log.warning("consumer.disconnected", error="cancelled by the library")
            finally:
                self.consuming.clear()
            await _any_of(self._draining.wait(), asyncio.sleep(_RECONNECT_SECONDS))

    async def _consume(self) -> None:
        connection = await connect(self._url, name="fanfare worker, consumer")
        try:
            lost = asyncio.Event()
            async with asyncio.timeout(_ANSWER_SECONDS):
                await verify(connection, self._wanted)
                tags = [await self._subscribe(connection, s, lost) for s in self._subscriptions]
            self.consuming.set()
            log.info("consumer.started", queues=len(tags))
            await _any_of(lost.wait(), self._draining.wait())
            if self._draining.is_set():
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await asyncio.gather(*(queue.cancel(tag) for queue, tag in tags))
                await self._finish_tasks()
        finally:
            await _close(connection)

    async def _subscribe(
        self, connection: AbstractConnection, subscription: Subscription, lost: asyncio.Event
    ) -> tuple[AbstractQueue, str]:
        """Consume on a channel of its own: one that the broker closes takes no other along."""
        channel = await connection.channel(publisher_confirms=False)
        await _watch(channel, lost)
        await channel.set_qos(prefetch_count=subscription.prefetch)
        queue = await channel.get_queue(subscription.queue, ensure=True)

        async def take(message: AbstractIncomingMessage) -> None:
            if self._draining.is_set():
                return  # not begun: it goes back when the connection closes
            task = asyncio.create_task(_handle(subscription.handle, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return queue, await queue.consume(take)

    async def _finish_tasks(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self, drain_seconds: float) -> None:
        """Take no more messages, finish those that were begun, and ack them."""
        self._draining.set()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=drain_seconds)
        for task in self._tasks:
            task.cancel()


async def _handle(handle: Handler, message: AbstractIncomingMessage) -> None:
    incoming = Incoming(body=message.body, routing_key=message.routing_key or "")
    try:
        verdict = await handle(incoming)
    except Exception:
        log.exception("message.failed", routing_key=incoming.routing_key)
        await asyncio.sleep(_FAILED_PAUSE_SECONDS)
        await _settle(message.reject(requeue=True))  # its chunks stay leased, which counts
        return
    match verdict:
        case "done":
            await _settle(message.ack())
        case "unreadable":
            await _settle(message.reject(requeue=False))
        case "not_begun":
            pass
        case _:
            assert_never(verdict)


async def _settle(settling: Awaitable[None]) -> None:
    try:
        await settling
    except BROKEN as error:  # the connection went meanwhile: the broker will deliver it again
        log.debug("message.not_settled", error=type(error).__name__)


async def _watch(channel: AbstractChannel, lost: asyncio.Event) -> None:
    """Set the event when the channel closes or the broker cancels its consumer."""

    def note(*_: object) -> None:
        lost.set()

    channel.close_callbacks.add(note)
    underlay = await channel.get_underlay_channel()
    if isinstance(underlay, aiormq.Channel):
        underlay.on_consumer_cancel_callbacks.add(note)


async def _close(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await connection.close()
    except BROKEN as error:  # it is being left because it is broken
        log.debug("consumer.close_failed", error=type(error).__name__)


def _is_being_cancelled() -> bool:
    """Whether somebody cancels us: aiormq raises CancelledError for lost connections, too."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _any_of(*waiting: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(item) for item in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
