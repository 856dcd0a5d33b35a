"""Chunks: leased by one worker at a time, with per-delivery progress that only moves forward."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from pymongo import UpdateOne

from shared.domain.deliveries import Chunk, Progress, Target
from shared.domain.notifications import Lane
from shared.storage.mongo import Database, Document

LEASE_SECONDS = 10
CANCELLED_BY_CALLER = "cancelled_by_caller"
_FREE = {"$expr": {"$lt": ["$lease_until", "$$NOW"]}}  # null and absent sort before any date
# Releasing is the last step of settling, so a lease that is taken over was left in the middle.
_TIMES_LEFT = {
    "$cond": [
        {"$eq": [{"$ifNull": ["$lease_owner", None]}, None]},
        0,
        {"$add": [{"$ifNull": ["$times_left", 0]}, 1]},
    ]
}
_UNTIL = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": LEASE_SECONDS}}


class ChunkRef(msgspec.Struct, frozen=True):
    """What publishing a pointer to a chunk needs to know."""

    chunk_id: UUID
    provider: str
    lane: Lane


class Span(msgspec.Struct, frozen=True):
    """Notifications `first` to `last` of a send."""

    send_id: UUID
    first: int
    last: int


class LeaseResult(msgspec.Struct, frozen=True):
    """`leased` are ours now; `held` belong to another worker; what is in neither is done."""

    leased: list[Chunk]
    held: set[UUID]


class Lease(msgspec.Struct, frozen=True):
    """One chunk that `owner` has leased."""

    chunk_id: UUID
    owner: str


class DeliveryProgress(msgspec.Struct, frozen=True):
    """What is to be recorded about delivery `index` of a chunk that `owner` leased."""

    owner: str
    chunk_id: UUID
    index: int
    progress: Progress


class ChunkRepository:
    """Leases are kept by the database's clock, so workers' clocks need not agree."""

    def __init__(self, database: Database) -> None:
        self._chunks = database["chunks"]

    async def lease(self, chunk_ids: Collection[UUID], owner: str) -> LeaseResult:
        """Take those chunks that are neither done nor leased, for LEASE_SECONDS."""
        which = {"_id": {"$in": list(chunk_ids)}}
        await self._chunks.update_many(
            which | {"done": False} | _FREE,
            [{"$set": {"times_left": _TIMES_LEFT, "lease_owner": owner, "lease_until": _UNTIL}}],
        )
        documents = await self._chunks.find(which | {"done": False})
        mine = [d for d in documents if d.get("lease_owner") == owner]
        held = {d["_id"] for d in documents if d.get("lease_owner") != owner}
        return LeaseResult([_from_document(d) for d in mine], held)

    async def renew(self, leases: Collection[Lease]) -> None:
        await self._chunks.update_many(
            _held_by(leases) | {"done": False}, [{"$set": {"lease_until": _UNTIL}}]
        )

    async def release(self, *, finished: Collection[Lease], unfinished: Collection[Lease]) -> None:
        """Give leases back: `finished` chunks are done, `unfinished` ones wait for a retry."""
        free: Document = {"lease_owner": None, "lease_until": None}
        for leases, change in ((finished, free | {"done": True}), (unfinished, free)):
            if leases:
                await self._chunks.update_many(_held_by(leases), {"$set": change})

    async def record(self, updates: Iterable[DeliveryProgress]) -> None:
        """Write progress: whole chunks under our lease, else delivery by delivery.

        A lease that was lost does not make an outcome untrue: then, or when one of the chunk's
        deliveries is terminal already, each is written unless it is terminal or further on.
        Idempotent.
        """
        grouped: dict[tuple[UUID, str], list[DeliveryProgress]] = defaultdict(list)
        for update in updates:
            grouped[update.chunk_id, update.owner].append(update)
        leased = [
            UpdateOne(
                {"_id": chunk_id, "lease_owner": owner} | {_state(row): _OPEN for row in rows},
                {"$set": _fields(rows)},
            )
            for (chunk_id, owner), rows in grouped.items()
        ]
        if leased and await self._chunks.bulk_write(leased) < len(leased):
            rows = [row for rows in grouped.values() for row in rows]
            await self._chunks.bulk_write([_forward(row) for row in rows])

    async def of_send(self, app_id: UUID, send_id: UUID) -> list[Chunk]:
        documents = await self._chunks.find({"send_id": send_id, "app_id": app_id})
        return [_from_document(document) for document in documents]

    async def of_notification(self, app_id: UUID, send_id: UUID, index: int) -> list[Chunk]:
        """Those chunks of a send that hold deliveries of its notification `index`."""
        return await self.of_spans(app_id, [Span(send_id, index, index)])

    async def of_spans(self, app_id: UUID, spans: Collection[Span]) -> list[Chunk]:
        """Those chunks of some sends that hold deliveries of notifications within the spans."""
        if not spans:
            return []
        documents = await self._chunks.find(
            {
                "app_id": app_id,
                "$or": [{"send_id": s.send_id, "targets": _within(s)} for s in spans],
            }
        )
        return [_from_document(document) for document in documents]

    async def cancel(self, chunk: Chunk, indexes: Collection[int], now: datetime) -> None:
        """End those deliveries of a chunk that wait and that nobody works on at this moment.

        What a worker has leased is with the provider, or about to be; a worker that takes the
        lease later sees what was written here.
        """
        if indexes:  # all may have been settled since the caller looked
            await self._chunks.bulk_write([_cancelled(chunk, index, now) for index in indexes])

    async def refs_of_sends(self, send_ids: Collection[UUID]) -> list[ChunkRef]:
        """Pointers to the unfinished chunks of sends."""
        documents = await self._chunks.find(
            {"send_id": {"$in": list(send_ids)}, "done": False}, projection=_REF_FIELDS
        )
        return [_ref(document) for document in documents]

    async def overdue(
        self, *, expired_before: datetime, swept_before: datetime, limit: int
    ) -> list[ChunkRef]:
        """Chunks that should long be done and were not swept lately, oldest deadline first."""
        documents = await self._chunks.find(
            {
                "done": False,
                "expires_at": {"$lt": expired_before},
                "$or": [{"swept_at": None}, {"swept_at": {"$lt": swept_before}}],
            },
            projection=_REF_FIELDS,
            sort=[("expires_at", 1)],
            limit=limit,
        )
        return [_ref(document) for document in documents]

    async def note_swept(self, chunk_ids: Collection[UUID], now: datetime) -> None:
        """Remember that pointers to these chunks were published again."""
        await self._chunks.update_many(
            {"_id": {"$in": list(chunk_ids)}}, {"$set": {"swept_at": now}}
        )

    async def unfinished(self, *, after: UUID | None, limit: int) -> list[ChunkRef]:
        """Every chunk that is not done, page by page in id order."""
        query: Document = {"done": False}
        if after is not None:
            query["_id"] = {"$gt": after}
        documents = await self._chunks.find(
            query, projection=_REF_FIELDS, sort=[("_id", 1)], limit=limit
        )
        return [_ref(document) for document in documents]


_OPEN = {"$in": [None, "accepted"]}


def _within(span: Span) -> Document:
    """A target is [notification, device], and a device's id is no number."""
    return {"$elemMatch": {"$elemMatch": {"$gte": span.first, "$lte": span.last}}}


def _state(row: DeliveryProgress) -> str:
    return f"st.{row.index}.0"


def _held_by(leases: Collection[Lease]) -> Document:
    by_owner: dict[str, list[UUID]] = defaultdict(list)
    for lease in leases:
        by_owner[lease.owner].append(lease.chunk_id)
    return {
        "$or": [{"_id": {"$in": held}, "lease_owner": owner} for owner, held in by_owner.items()]
    }


_REF_FIELDS = {"provider": 1, "lane": 1}


def _ref(document: Document) -> ChunkRef:
    return ChunkRef(document["_id"], document["provider"], document["lane"])


def _fields(rows: list[DeliveryProgress]) -> Document:
    return {f"st.{row.index}": list(msgspec.structs.astuple(row.progress)) for row in rows}


def _forward(row: DeliveryProgress) -> UpdateOne:
    """Write one delivery's progress unless what stands there is terminal or as far."""
    at = f"st.{row.index}"
    behind = [
        {at: {"$exists": False}},
        {f"{at}.0": "accepted", f"{at}.2": {"$lt": row.progress.attempts}},
    ]
    if row.progress.is_terminal:  # a verdict without a further attempt: expired, cancelled
        behind.append({f"{at}.0": "accepted", f"{at}.2": row.progress.attempts})
    return UpdateOne({"_id": row.chunk_id, "$or": behind}, {"$set": _fields([row])})


def _cancelled(chunk: Chunk, index: int, now: datetime) -> UpdateOne:
    attempts = chunk.attempts_of(index)
    progress = Progress("cancelled", CANCELLED_BY_CALLER, attempts, None, now)
    at = f"st.{index}"
    unchanged: Document = {f"{at}.0": "accepted", f"{at}.2": attempts}
    return UpdateOne(
        {"_id": chunk.chunk_id, "done": False, "lease_owner": None}
        | (unchanged if index in chunk.progress else {at: {"$exists": False}}),
        {"$set": {at: list(msgspec.structs.astuple(progress))}},
    )


def to_document(chunk: Chunk) -> Document:
    """A new chunk as it is stored."""
    return {
        "_id": chunk.chunk_id,
        "app_id": chunk.app_id,
        "send_id": chunk.send_id,
        "provider": chunk.provider,
        "lane": chunk.lane,
        "targets": [[t.notification, t.device_id] for t in chunk.targets],
        "expires_at": chunk.expires_at,
        "kept_from": chunk.expires_at,
        "st": {},
        "times_left": 0,
        "swept_at": None,
        "done": False,
        "lease_owner": None,
        "lease_until": None,
    }


def _from_document(document: Document) -> Chunk:
    return Chunk(
        chunk_id=document["_id"],
        app_id=document["app_id"],
        send_id=document["send_id"],
        provider=document["provider"],
        lane=document["lane"],
        targets=tuple(Target(*pair) for pair in document["targets"]),
        expires_at=document["expires_at"],
        times_left=document.get("times_left", 0),
        progress={int(index): _progress(row) for index, row in document["st"].items()},
    )


def _progress(row: list[Any]) -> Progress:
    return msgspec.convert(row, Progress)
