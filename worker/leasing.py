"""Leases of the chunks that this process works on: taken in groups, renewed while work goes on."""

import asyncio
from collections.abc import Sequence
from itertools import count
from uuid import UUID

import msgspec

from shared.batcher import Batcher
from shared.domain.deliveries import Chunk
from shared.logs import get_logger
from shared.storage.chunks import LEASE_SECONDS, ChunkRepository, Lease
from shared.storage.mongo import StorageUnavailable
from worker.patience import stored

_RENEW_SECONDS = LEASE_SECONDS / 3

log = get_logger(__name__)


class Held(msgspec.Struct, frozen=True):
    """Somebody, perhaps we, works on the chunk at this moment."""


class Done(msgspec.Struct, frozen=True):
    """Nothing of the chunk is left to do."""


class Leased(msgspec.Struct, frozen=True):
    """The chunk is ours until the lease is released or runs out."""

    chunk: Chunk
    lease: Lease


LeaseVerdict = Leased | Held | Done


class Leases:
    """A lease has an owner token of its own group, so two copies of one message never share it."""

    def __init__(self, chunks: ChunkRepository, worker_id: str) -> None:
        self._chunks = chunks
        self._worker_id = worker_id
        self._numbers = count(1)
        self._active: set[Lease] = set()
        self._taking: Batcher[UUID, LeaseVerdict] = Batcher(self._take)

    async def take(self, chunk_id: UUID) -> LeaseVerdict:
        return await self._taking.submit(chunk_id)

    async def _take(self, chunk_ids: Sequence[UUID]) -> Sequence[LeaseVerdict]:
        owner = f"{self._worker_id}:{next(self._numbers)}"
        wanted = set(chunk_ids)
        result = await stored(lambda: self._chunks.lease(wanted, owner))
        free = {chunk.chunk_id: chunk for chunk in result.leased}
        return [self._verdict(chunk_id, free, result.held, owner) for chunk_id in chunk_ids]

    def _verdict(
        self, chunk_id: UUID, free: dict[UUID, Chunk], held: set[UUID], owner: str
    ) -> LeaseVerdict:
        chunk = free.pop(chunk_id, None)
        if chunk is None:
            return Held() if chunk_id in held else Done()
        held.add(chunk_id)  # for further copies in this group
        lease = Lease(chunk_id, owner)
        self._active.add(lease)
        return Leased(chunk, lease)

    def forget(self, lease: Lease) -> None:
        """Renew this lease no more."""
        self._active.discard(lease)

    async def keep_renewing(self) -> None:
        """Renew what is active until cancelled."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            leases = list(self._active)
            if not leases:
                continue
            try:
                await self._chunks.renew(leases)
            except StorageUnavailable as error:  # tried again in a moment
                log.warning("leases.not_renewed", count=len(leases), error=str(error))
            except Exception:  # whatever it is, without renewal every push would double
                log.exception("leases.not_renewed", count=len(leases))
