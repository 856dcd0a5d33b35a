"""Waiting: short waits are level queues of the broker, long ones are due rows in MongoDB.

What waits for a credential is a due row too, however short its wait: those can be woken.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from shared.clock import Clock
from shared.ids import content_id
from shared.queue import topology
from shared.queue.messages import Pointer
from shared.queue.pointers import Routed, publications, single
from shared.queue.publisher import Publication, Publisher
from shared.storage.due import DueMessage, DueRepository, Parked
from worker.patience import stored

_LEVEL_LONGER_MAX = 1.25  # a wait that was cut by a fifth still fits the level of its schedule


class ParkedPointer(msgspec.Struct, frozen=True):
    """A pointer that is to arrive once a credential changes, or after the wait."""

    routed: Routed
    wait_seconds: float
    parked: Parked


class Postponer:
    """Publishes for later; what the broker does not confirm becomes a due row instead."""

    def __init__(
        self,
        publisher: Publisher,
        due: DueRepository,
        clock: Clock,
        *,
        retry_levels: Sequence[float],
        hook_levels: Sequence[float],
    ) -> None:
        self._publisher, self._due, self._clock = publisher, due, clock
        self._retry_levels, self._hook_levels = retry_levels, hook_levels

    def retry_level(self, wait_seconds: float) -> float | None:
        """The queue level that holds such a wait; None when it is a due row's."""
        return level_for(wait_seconds, self._retry_levels)

    async def postpone(self, waiting: Sequence[tuple[Routed, float]]) -> None:
        """Publish pointers that are to arrive after the given seconds, never earlier."""
        by_level: dict[float | None, list[tuple[Routed, float]]] = defaultdict(list)
        for item in waiting:
            by_level[level_for(item[1], self._retry_levels)].append(item)
        late = [
            (publication, wait)
            for routed, wait in by_level.pop(None, [])
            for publication in publications([routed])
        ]
        await self._remember(late)
        for level, items in by_level.items():
            if level is not None:
                await self._publish(
                    publications([routed for routed, _ in items]), level, topology.retry_exchange
                )

    async def park(self, waiting: Sequence[ParkedPointer]) -> None:
        """Have pointers wait for their credential; what is parked already stays one row."""
        rows = [
            self._row(publication, pointer.wait_seconds, pointer.parked)
            for pointer in waiting
            for publication in publications([pointer.routed])
        ]
        await stored(lambda: self._due.put(rows))

    async def postpone_one(self, pointer: Pointer, routing_key: str) -> None:
        """Have a pointer come back to its queue after the shortest wait."""
        message = single(pointer, routing_key)
        await self._publish([message], self._retry_levels[0], topology.retry_exchange)

    async def postpone_hook(self, publication: Publication, wait_seconds: float) -> None:
        """Ring an app's bell after the wait; a level is taken that is not much longer than it."""
        level = level_for(wait_seconds, self._hook_levels)
        if level is None or level > wait_seconds * _LEVEL_LONGER_MAX:
            await self._remember([(publication, wait_seconds)])
        else:
            await self._publish([publication], level, topology.hook_retry_exchange)

    async def send(self, messages: Sequence[Publication]) -> None:
        """Publish at once; what is not confirmed is due at once."""
        verdicts = await self._publisher.publish_all(messages)
        await self._remember(
            [(m, 0.0) for m, confirmed in zip(messages, verdicts, strict=True) if not confirmed]
        )

    async def remember(self, publication: Publication, wait_seconds: float) -> None:
        """Have a scheduler publish it after the wait."""
        await self._remember([(publication, wait_seconds)])

    async def _publish(
        self, messages: Sequence[Publication], level: float, exchange_of: Callable[[float], str]
    ) -> None:
        exchange = exchange_of(level)
        verdicts = await self._publisher.publish_all(
            [
                Publication(exchange=exchange, routing_key=m.routing_key, body=m.body)
                for m in messages
            ]
        )
        await self._remember(
            [(m, level) for m, confirmed in zip(messages, verdicts, strict=True) if not confirmed]
        )

    async def _remember(self, late: Sequence[tuple[Publication, float]]) -> None:
        rows = [self._row(message, wait) for message, wait in late]
        await stored(lambda: self._due.add(rows))

    def _row(
        self, message: Publication, wait_seconds: float, parked: Parked | None = None
    ) -> DueMessage:
        return DueMessage(
            due_at=self._clock() + timedelta(seconds=wait_seconds),
            exchange=message.exchange,
            routing_key=message.routing_key,
            body=message.body,
            due_id=None if parked is None else _parked_id(message, parked),
            parked=parked,
        )


def _parked_id(message: Publication, parked: Parked) -> UUID:
    return content_id(parked.refused.encode() + b"|" + message.body)


def level_for(wait_seconds: float, levels: Sequence[float]) -> float | None:
    """The shortest level that is not shorter than the wait; None: longer than all of them."""
    return next((level for level in levels if level >= wait_seconds), None)
