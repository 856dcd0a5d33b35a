"""Every exchange and queue, by versioned name, with the arguments that keep messages safe.

Quorum queues only. A work queue refuses what it cannot hold (`reject-publish`; the default would
confirm and drop) and dead-letters at least once, which RabbitMQ silently turns off unless the
overflow is `reject-publish`. Retry waits are queue-level TTLs: per-message TTLs block one another.
Arguments are part of a queue's identity: a change needs a new version in the names.
"""

from collections.abc import Sequence

import msgspec
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from shared.domain.devices import PROVIDERS, Provider
from shared.domain.notifications import Lane

WORK = "push.v1.work"
DEAD = "push.v1.dead"
HOOK_WORK = "hook.v1.work"
HOOK_KEY = "main"
HOOK_QUEUE = "hook.v1.main"
SUSPECT_KEY = "suspect"
SUSPECT_QUEUE = "push.v1.suspect"
DEAD_QUEUE = "push.v1.dead"
LANES: tuple[Lane, ...] = ("hi", "lo")
QUEUE_BYTES_MAX = 2_147_483_648
_DELIVERIES_MAX = 20  # rises on each reconnect too; attempts are counted in the messages
_SUSPECT_DELIVERIES_MAX = 3
_DEAD_DELIVERIES_MAX = 1_000_000  # nothing behind it: from 4.0 on the default of 20 would drop

Arguments = dict[str, str | int]


class Queue(msgspec.Struct, frozen=True):
    """A queue with its arguments, bound to `exchange` under `routing_key`."""

    name: str
    exchange: str
    routing_key: str
    arguments: Arguments


class Exchange(msgspec.Struct, frozen=True):
    """An exchange: `direct` for work, `fanout` for a retry level (the routing key survives)."""

    name: str
    kind: ExchangeType


class Topology(msgspec.Struct, frozen=True):
    """All that has to exist in the broker."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]


def work_key(provider: str, lane: Lane) -> str:
    return f"{provider}.{lane}"


def work_queue(provider: Provider, lane: Lane) -> str:
    return f"push.v1.{provider}.{lane}"


def retry_exchange(level_seconds: float) -> str:
    return f"push.v1.retry.{_label(level_seconds)}"


def hook_retry_exchange(level_seconds: float) -> str:
    return f"hook.v1.retry.{_label(level_seconds)}"


def topology(retry_levels: Sequence[float], hook_levels: Sequence[float]) -> Topology:
    """What the service needs, for the waits that the settings name (seconds)."""
    work = [
        Queue(work_queue(p, lane), WORK, work_key(p, lane), _work_arguments(_DELIVERIES_MAX))
        for p in PROVIDERS
        for lane in LANES
    ]
    queues = [
        *work,
        Queue(SUSPECT_QUEUE, WORK, SUSPECT_KEY, _work_arguments(_SUSPECT_DELIVERIES_MAX)),
        Queue(HOOK_QUEUE, HOOK_WORK, HOOK_KEY, _work_arguments(_DELIVERIES_MAX)),
        Queue(DEAD_QUEUE, DEAD, "#", _quorum(_DEAD_DELIVERIES_MAX)),
        *(_level(retry_exchange(level), level, WORK) for level in retry_levels),
        *(_level(hook_retry_exchange(level), level, HOOK_WORK) for level in hook_levels),
    ]
    fanouts = [
        *(retry_exchange(level) for level in retry_levels),
        *(hook_retry_exchange(level) for level in hook_levels),
    ]
    exchanges = [
        Exchange(WORK, ExchangeType.DIRECT),
        Exchange(HOOK_WORK, ExchangeType.DIRECT),
        Exchange(DEAD, ExchangeType.TOPIC),
        *(Exchange(name, ExchangeType.FANOUT) for name in fanouts),
    ]
    return Topology(tuple(exchanges), tuple(queues))


async def declare(channel: AbstractChannel, wanted: Topology) -> None:
    """Create what is missing; an existing queue must have exactly these arguments.

    Raises:
        aio_pika.exceptions.ChannelPreconditionFailed: one exists with other arguments.
        aio_pika.exceptions.AMQPError: no right to configure.
    """
    for exchange in wanted.exchanges:
        await channel.declare_exchange(exchange.name, exchange.kind, durable=True)
    for queue in wanted.queues:
        declared = await channel.declare_queue(
            queue.name, durable=True, arguments=dict(queue.arguments)
        )
        await declared.bind(queue.exchange, queue.routing_key)


async def missing(channel: AbstractChannel, wanted: Topology) -> str | None:
    """The first queue that is not there, for a user who may not configure; None: all are."""
    for queue in wanted.queues:
        try:
            await channel.get_queue(queue.name, ensure=True)
        except ChannelNotFoundEntity:
            return queue.name
    return None


def _quorum(deliveries_max: int) -> Arguments:
    return {"x-queue-type": "quorum", "x-delivery-limit": deliveries_max}


def _work_arguments(deliveries_max: int) -> Arguments:
    return _quorum(deliveries_max) | {
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length-bytes": QUEUE_BYTES_MAX,
    }


def _level(name: str, seconds: float, back_to: str) -> Queue:
    """A queue that holds messages for its TTL and hands them back under their own routing key."""
    arguments = _work_arguments(_DELIVERIES_MAX) | {
        "x-message-ttl": int(seconds * 1000),
        "x-dead-letter-exchange": back_to,
    }
    return Queue(name, name, "", arguments)


def _label(seconds: float) -> str:
    if seconds >= 60 and seconds % 60 == 0:  # noqa: PLR2004 seconds in a minute
        return f"{seconds / 60:g}m"
    return f"{seconds:g}s"
