"""What happens because time passed: due messages, sends that were never published, overdue work.

One process of all leads; another takes over when its lease runs out. Everything here publishes,
and what it publishes may be there already: the consumers leave finished work alone.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared.clock import Clock
from shared.ids import send_id_of
from shared.logs import get_logger
from shared.queue.messages import ANY_ATTEMPT, Pointer, decode_push
from shared.queue.pointers import Routed, publications
from shared.queue.publisher import Publication, Publisher
from shared.storage.chunks import ChunkRef, ChunkRepository
from shared.storage.credentials import CredentialRepository
from shared.storage.deletions import DeletionRepository
from shared.storage.due import DueRepository
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import StorageUnavailable
from shared.storage.receipt_calls import ReceiptCallRepository
from shared.storage.sends import SendRepository
from worker.purging import Purger
from worker.receipt_book import bell

TICK_SECONDS = 1.0
LEAD_SECONDS = 10
CALLED_OFF_AFTER = timedelta(seconds=2)  # by then the chunks say so, too
OVERDUE_EVERY = timedelta(seconds=30)
OVERDUE_AFTER = timedelta(seconds=60)
UNPOSTED_EVERY = timedelta(seconds=10)  # a call that is late by that has lost its bell, or poster
CHANGED_LATELY = timedelta(minutes=15)  # behind the longest wait of what is parked
SWEPT_AGAIN_AFTER = timedelta(minutes=10)  # well behind what a long queue may still hold
_PAGE = 500
_STANDING_PER_LOOK = 100

log = get_logger(__name__)


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """The collections that the scheduler looks at."""

    credentials: CredentialRepository
    deletions: DeletionRepository
    leases: LeaseRepository
    due: DueRepository
    sends: SendRepository
    chunks: ChunkRepository
    receipt_calls: ReceiptCallRepository


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
        self._purger = Purger(records.deletions, clock)
        self._worker_id = worker_id
        self._sweep_after = timedelta(seconds=sweep_after_seconds)
        self._overdue_at = self._sweep_at = self._unposted_at = clock()

    async def run(self) -> None:
        """Lead or wait, until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                if await self._leads():
                    await self.tick()
            except StorageUnavailable as error:  # nothing was begun that the next tick cannot do
                log.warning("scheduler.waiting", error=str(error))
            except Exception:  # one bad row must not end the worker, nor all other rows' waiting
                log.exception("scheduler.failed")

    async def _leads(self) -> bool:
        """Take the lead or keep it: whatever may last asks again between its pages."""
        leases = self._records.leases
        return await leases.acquire("scheduler", self._worker_id, seconds=LEAD_SECONDS)

    async def aclose(self) -> None:
        """Let another process lead at once."""
        try:
            await self._records.leases.release("scheduler", self._worker_id)
        except StorageUnavailable:  # then the lease runs out by itself
            log.debug("scheduler.lease_kept")

    async def tick(self) -> None:
        """Do what is due now."""
        now = self._clock()
        await self._wake_parked(now)
        await self._publish_due()
        await self._look_again(now)
        await self._sweep(now)
        if now >= self._overdue_at:
            self._overdue_at = now + OVERDUE_EVERY
            await self._push_overdue(now)
        if now >= self._unposted_at:
            self._unposted_at = now + UNPOSTED_EVERY
            await self._ring_again(now)
        await self._purger.purge()

    async def _wake_parked(self, now: datetime) -> None:
        """Wake what waits for a credential that has changed.

        What a worker parks a moment after the change is woken by the next tick, and what a crash
        leaves by the next leader's: all that is needed stands in the rows and the credentials.
        """
        standing = await self._records.credentials.changed_since(now - CHANGED_LATELY)
        for start in range(0, len(standing), _STANDING_PER_LOOK):
            if not await self._leads():
                return
            woken = await self._records.due.wake(standing[start : start + _STANDING_PER_LOOK])
            if woken:
                log.info("parked.woken", messages=woken)

    async def _publish_due(self) -> None:
        while await self._leads() and (rows := await self._records.due.ready(limit=_PAGE)):
            verdicts = await self._publisher.publish_all(
                [
                    Publication(exchange=r.exchange, routing_key=r.routing_key, body=r.body)
                    for r in rows
                ]
            )
            confirmed = [row for row, ok in zip(rows, verdicts, strict=True) if ok]
            refused = [row for row, ok in zip(rows, verdicts, strict=True) if not ok]
            await self._records.due.remove(confirmed)
            await self._records.due.put_off(refused, _put_off_seconds(bool(confirmed)))
            if len(rows) < _PAGE:
                return

    async def _look_again(self, now: datetime) -> None:
        """Have workers tell what became of notifications that were called off."""
        if now < self._sweep_at:
            return
        asked = await self._records.sends.to_look_at(
            asked_before=now - CALLED_OFF_AFTER, limit=_PAGE
        )
        published = await self._publish_sends(list(asked)) if asked else []
        if published:
            await self._records.sends.looked_at({i: asked[i] for i in published})
        if len(published) < len(asked):  # the broker is away, or a queue is full
            self._sweep_at = now + timedelta(seconds=_put_off_seconds(bool(published)))

    async def _sweep(self, now: datetime) -> None:
        """Publish again what was accepted and never confirmed by the queue."""
        if now < self._sweep_at:
            return
        done = failed = 0
        while send_ids := await self._records.sends.unpublished(
            accepted_before=now - self._sweep_after, skip=failed, limit=_PAGE
        ):
            published = await self._publish_sends(send_ids)
            await self._records.sends.flag_published(published)
            done, failed = done + len(published), failed + len(send_ids) - len(published)
            log.info("sends.swept", count=len(published), failed=failed)
            if len(send_ids) < _PAGE or not published:
                break
        if failed:
            self._sweep_at = now + timedelta(seconds=_put_off_seconds(done > 0))

    async def _publish_sends(self, send_ids: list[UUID]) -> list[UUID]:
        """Those of the sends whose every pointer is now in the queue."""
        refs = await self._records.chunks.refs_of_sends(send_ids)
        unconfirmed = await self._publish_refs(refs)
        failed = {send_id_of(chunk_id) for chunk_id in unconfirmed}
        return [send_id for send_id in send_ids if send_id not in failed]

    async def _publish_refs(self, refs: list[ChunkRef]) -> set[UUID]:
        """Pointers to chunks, for whatever is due of them; the chunks that were not confirmed."""
        messages = publications(_routed(refs))
        verdicts = await self._publisher.publish_all(messages)
        lost = [m for m, confirmed in zip(messages, verdicts, strict=True) if not confirmed]
        decoded = [decode_push(message.body) for message in lost]
        return {p.chunk_id for message in decoded if message for p in message.pointers}

    async def _ring_again(self, now: datetime) -> None:
        """One bell for each app with calls that nobody makes; a worker that may not, lets it be."""
        waiting = await self._records.receipt_calls.apps_waiting(due_before=now - UNPOSTED_EVERY)
        await self._publisher.publish_all([bell(app_id) for app_id in waiting])

    async def _push_overdue(self, now: datetime) -> None:
        """Have deliveries that are past their deadline end as expired."""
        while refs := await self._records.chunks.overdue(
            expired_before=now - OVERDUE_AFTER, swept_before=now - SWEPT_AGAIN_AFTER, limit=_PAGE
        ):
            await self._publish_refs(refs)
            await self._records.chunks.note_swept([ref.chunk_id for ref in refs], now)
            log.info("overdue.published", chunks=len(refs))
            if len(refs) < _PAGE:
                return


def _routed(refs: list[ChunkRef]) -> list[Routed]:
    return [
        Routed(Pointer(chunk_id=ref.chunk_id, attempt=ANY_ATTEMPT), ref.provider, ref.lane)
        for ref in refs
    ]


def _put_off_seconds(some_were_confirmed: bool) -> float:
    """When to try again what was refused: soon if the broker is away, later if a queue is full."""
    return 30.0 if some_were_confirmed else 3.0
