"""What happens because time passed: due messages, sends that were never published, overdue work.

One process of all leads; another takes over when its lease runs out. Everything here publishes,
and what it publishes may be there already: the consumers leave finished work alone.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared.clock import Clock
from shared.logs import get_logger
from shared.queue.messages import Pointer
from shared.queue.pointers import Routed, publications
from shared.queue.publisher import Publication, Publisher
from shared.storage.chunks import ChunkRef, ChunkRepository
from shared.storage.due import DueRepository
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import StorageUnavailable
from shared.storage.receipts import ReceiptRepository
from shared.storage.sends import SendRepository
from worker.receipts import hook_publication
from worker.retry import ATTEMPTS_MAX

TICK_SECONDS = 1.0
LEAD_SECONDS = 10
OVERDUE_EVERY = timedelta(seconds=30)
OVERDUE_AFTER = timedelta(seconds=60)
_PAGE = 500

log = get_logger(__name__)


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """The collections that the scheduler looks at."""

    leases: LeaseRepository
    due: DueRepository
    sends: SendRepository
    chunks: ChunkRepository
    receipts: ReceiptRepository


class Scheduler:
    """A loop that does nothing unless it leads."""

    def __init__(
        self,
        records: Records,
        publisher: Publisher,
        clock: Clock,
        *,
        worker_id: str,
        sweep_after_seconds: float,
    ) -> None:
        self._records, self._publisher, self._clock = records, publisher, clock
        self._worker_id = worker_id
        self._sweep_after = timedelta(seconds=sweep_after_seconds)
        self._overdue_at = clock()

    async def run(self) -> None:
        """Lead or wait, until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                if await self._records.leases.acquire(
                    "scheduler", self._worker_id, seconds=LEAD_SECONDS
                ):
                    await self.tick()
            except StorageUnavailable as error:  # nothing was begun that the next tick cannot do
                log.warning("scheduler.waiting", error=str(error))

    async def aclose(self) -> None:
        """Let another process lead at once."""
        try:
            await self._records.leases.release("scheduler", self._worker_id)
        except StorageUnavailable:  # then the lease runs out by itself
            log.debug("scheduler.lease_kept")

    async def tick(self) -> None:
        """Do what is due now."""
        now = self._clock()
        await self._publish_due()
        await self._sweep(now)
        if now >= self._overdue_at:
            self._overdue_at = now + OVERDUE_EVERY
            await self._push_overdue(now)

    async def _publish_due(self) -> None:
        while rows := await self._records.due.ready(limit=_PAGE):
            verdicts = await self._publisher.publish_all(
                [
                    Publication(exchange=r.exchange, routing_key=r.routing_key, body=r.body)
                    for r in rows
                ]
            )
            confirmed = [row for row, ok in zip(rows, verdicts, strict=True) if ok]
            await self._records.due.remove(confirmed)
            if len(confirmed) < _PAGE:
                return

    async def _sweep(self, now: datetime) -> None:
        """Publish again what was accepted and never confirmed by the queue."""
        while send_ids := await self._records.sends.unpublished(
            accepted_before=now - self._sweep_after, limit=_PAGE
        ):
            if not await self._publish_sends(send_ids):
                return
            log.info("sends.swept", count=len(send_ids))
            if len(send_ids) < _PAGE:
                return

    async def _publish_sends(self, send_ids: list[UUID]) -> bool:
        refs = await self._records.chunks.refs_of_sends(send_ids)
        verdicts = await self._publisher.publish_all(publications(_routed(refs, attempt=1)))
        if not all(verdicts):
            return False
        await self._records.sends.flag_published(send_ids)
        return True

    async def _push_overdue(self, now: datetime) -> None:
        """Deliveries past their deadline end as expired; stalled receipts are posted again."""
        before = now - OVERDUE_AFTER
        refs = await self._records.chunks.overdue(expired_before=before, limit=_PAGE)
        calls = await self._records.receipts.overdue(due_before=before, limit=_PAGE)
        hooks = [hook_publication(call, attempt=call.attempts + 1) for call in calls]
        routed = _routed(refs, attempt=ATTEMPTS_MAX + 1)
        await self._publisher.publish_all([*publications(routed), *hooks])
        if refs or calls:
            log.info("overdue.published", chunks=len(refs), calls=len(calls))


def _routed(refs: list[ChunkRef], *, attempt: int) -> list[Routed]:
    return [
        Routed(
            Pointer(chunk_id=ref.chunk_id, deadline=ref.expires_at, attempt=attempt),
            ref.provider,
            ref.lane,
        )
        for ref in refs
    ]
