"""The one place that settles: what must follow from a chunk's progress, before its ack.

Dead letters, retries and what is parked, and beside them receipts, which may wait a moment for
others of their app; then the lease. Each step may be repeated: after a crash the broker delivers
the message again and what is missing is made up for.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import msgspec

from shared import ids
from shared.batcher import Batcher
from shared.clock import Clock
from shared.domain.deliveries import Chunk, Progress
from shared.domain.receipts import Receipt
from shared.queue import topology
from shared.queue.messages import Pointer
from shared.queue.pointers import Routed, single
from shared.storage.chunks import ChunkRepository, Lease
from shared.storage.dead_letters import DeadLetter, DeadLetterRepository
from shared.storage.due import Parked
from worker.loading import Loaded
from worker.patience import stored
from worker.postponing import ParkedPointer, Postponer
from worker.receipt_book import ReceiptBook

PARKED_SECONDS_MIN = 1  # never due at the instant of a row that is being published just now


class ChunkResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is now known about deliveries of a chunk, by index; already in the record."""

    loaded: Loaded
    lease: Lease
    progress: dict[int, Progress]
    keep_lease: bool = False  # something failed: let it run out, so that the failure is counted


class Settlement:
    """Finishes chunks in groups."""

    def __init__(
        self,
        chunks: ChunkRepository,
        dead_letters: DeadLetterRepository,
        receipts: ReceiptBook,
        postponer: Postponer,
        clock: Clock,
    ) -> None:
        self._chunks, self._dead_letters = chunks, dead_letters
        self._receipts, self._postponer = receipts, postponer
        self._clock = clock
        self._following: Batcher[ChunkResult, None] = Batcher(
            self._follow_up, max_batch=64, in_flight=2
        )
        self._releasing: Batcher[ChunkResult, None] = Batcher(
            self._release, max_batch=64, in_flight=2
        )

    async def finish(self, result: ChunkResult) -> None:
        """Return once everything that follows from the result is safe."""
        await asyncio.gather(self._following.submit(result), self._tell(result))
        await self._releasing.submit(result)

    async def come_back(self, pointer: Pointer, routing_key: str) -> None:
        """Try a chunk again later, in the same queue: somebody else works on it just now."""
        await self._postponer.postpone_one(pointer, routing_key)

    async def isolate(self, lease: Lease, pointer: Pointer) -> None:
        """Move a pointer to where it has no neighbours that it could take along."""
        await self._postponer.send([single(pointer, topology.SUSPECT_KEY)])
        await stored(lambda: self._chunks.release(finished=[], unfinished=[lease]))

    async def _follow_up(self, results: Sequence[ChunkResult]) -> Sequence[None]:
        letters = [letter for result in results for letter in dead_letters_of(result)]
        await stored(lambda: self._dead_letters.put(letters))
        now = self._clock()
        await self._postponer.postpone(
            [r for result in results for r in retries_of(result, now, self._postponer.retry_level)]
        )
        await self._postponer.park([r for result in results for r in parked_of(result, now)])
        return [None] * len(results)

    async def _tell(self, result: ChunkResult) -> None:
        app = result.loaded.sender.app
        if app is not None:
            await self._receipts.tell(app, receipts_of(result))

    async def _release(self, results: Sequence[ChunkResult]) -> Sequence[None]:
        finished: list[Lease] = []
        unfinished: list[Lease] = []
        for result in results:
            if result.keep_lease:
                continue
            is_finished = result.loaded.chunk.is_finished_with(result.progress)
            (finished if is_finished else unfinished).append(result.lease)
        await stored(lambda: self._chunks.release(finished=finished, unfinished=unfinished))
        return [None] * len(results)


def retries_of(
    result: ChunkResult, now: datetime, level_of: Callable[[float], float | None]
) -> list[tuple[Routed, float]]:
    """Pointers for deliveries that wait, each with the seconds to wait; alike ones share one."""
    groups: dict[tuple[int, float], list[int]] = defaultdict(list)
    for index, progress, wait in _waiting(result, now):
        if progress.parked_under is None:
            groups[progress.attempts + 1, level_of(wait) or math.ceil(wait)].append(index)
    return [
        (_routed(result.loaded.chunk, attempt, indexes), wait)
        for (attempt, wait), indexes in groups.items()
    ]


def parked_of(result: ChunkResult, now: datetime) -> list[ParkedPointer]:
    """The same for deliveries that wait for a credential, however long each of them does.

    So whoever parks the same ones again, a copy of the message or a look at the whole chunk, speaks
    of them in the same words, and they wait once.
    """
    groups: dict[tuple[int, str], dict[int, float]] = defaultdict(dict)
    for index, progress, wait in _waiting(result, now):
        if progress.parked_under is not None:
            groups[progress.attempts + 1, progress.parked_under][index] = wait
    chunk = result.loaded.chunk
    return [
        ParkedPointer(
            _routed(chunk, attempt, sorted(waits)),
            max(math.ceil(max(waits.values())), PARKED_SECONDS_MIN),
            Parked(chunk.app_id, chunk.provider, refused),
        )
        for (attempt, refused), waits in groups.items()
    ]


def _waiting(result: ChunkResult, now: datetime) -> Iterator[tuple[int, Progress, float]]:
    """Deliveries that wait, and for how many seconds more."""
    for index, progress in result.progress.items():
        if not progress.is_terminal and progress.next_attempt_at is not None:
            yield index, progress, (progress.next_attempt_at - now).total_seconds()


def _routed(chunk: Chunk, attempt: int, indexes: list[int]) -> Routed:
    pointer = Pointer(chunk_id=chunk.chunk_id, attempt=attempt, indexes=tuple(indexes))
    return Routed(pointer, chunk.provider, chunk.lane)


def receipts_of(result: ChunkResult) -> list[Receipt]:
    """A receipt for each delivery that is settled; `seq` is given later."""
    return [
        _receipt(result.loaded, index, progress)
        for index, progress in result.progress.items()
        if progress.is_terminal and result.loaded.send is not None
    ]


def _receipt(loaded: Loaded, index: int, progress: Progress) -> Receipt:
    chunk = loaded.chunk
    target = chunk.targets[index]
    device = loaded.devices.get(target.device_id)
    if loaded.send is None:
        raise ValueError("a receipt needs its send")
    return Receipt(
        id=ids.receipt_id(chunk.chunk_id, index),
        seq=0,
        notification_id=ids.notification_id(chunk.send_id, target.notification),
        user_id=loaded.send.recipients[target.notification].user_id,
        device_id=target.device_id,
        platform=None if device is None else device.platform,
        provider=chunk.provider,
        state=progress.state,
        reason=progress.reason,
        attempts=progress.attempts,
        provider_message_id=progress.provider_message_id,
        occurred_at=progress.at,
    )


def dead_letters_of(result: ChunkResult) -> list[DeadLetter]:
    chunk = result.loaded.chunk
    return [
        DeadLetter(
            dead_letter_id=ids.receipt_id(chunk.chunk_id, index),
            reason=progress.reason or progress.state,
            died_at=progress.at,
            app_id=chunk.app_id,
            notification_id=ids.notification_id(chunk.send_id, chunk.targets[index].notification),
            device_id=chunk.targets[index].device_id,
            provider=chunk.provider,
            chunk_id=chunk.chunk_id,
            index=index,
            attempts=progress.attempts,
        )
        for index, progress in result.progress.items()
        if progress.is_dead_letter
    ]
