"""Idempotency keys: who works on which request, and which send came of it; kept for 24 hours.

The entry keeps others from doing the same work at the same time. That it is done at most once is
the record's business: its `claim` is unique (shared/storage/sends.py).
"""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.storage.mongo import Database, Document

KEPT_FOR = timedelta(hours=24)
WORKING_FOR = timedelta(seconds=10)  # longer, and its process has probably died


class Entry(msgspec.Struct, frozen=True):
    """One key of an app: the request that it stands for, and what is known of it."""

    body_hash: bytes
    claim: UUID
    send_id: UUID | None
    working_until: datetime
    is_worked_on: bool
    is_ours: bool


class IdempotencyRepository:
    """One document per app and key, under the id `<app>:<hash of the key>`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._entries = database["idempotency"]
        self._clock = clock

    async def begin(self, app_id: UUID, key_hash: str, body_hash: bytes) -> Entry:
        """Enter the key; `is_ours` when nobody had it, else what stands there."""
        now = self._clock()
        fresh = {
            "_id": _id(app_id, key_hash),
            "body_hash": body_hash,
            "claim": uuid4(),
            "send_id": None,
            "working_until": now + WORKING_FOR,
            "expires_at": now + KEPT_FOR,
        }
        while True:
            try:
                await self._entries.insert_one(fresh)
            except DuplicateKeyError:
                document = await self._entries.find_one({"_id": fresh["_id"]})
            else:
                return _entry(fresh, now, is_ours=True)
            if document is None:  # it was given up a moment ago
                continue
            if document["expires_at"] > now:
                return _entry(document, now, is_ours=False)
            await self._entries.delete_one({"_id": fresh["_id"], "claim": document["claim"]})

    async def take_over(self, app_id: UUID, key_hash: str, entry: Entry) -> bool:
        """Go on with a request whose process seems to have died; False when another does."""
        now = self._clock()
        stale = {"send_id": None, "working_until": {"$lte": now}, "claim": entry.claim}
        return bool(
            await self._entries.update_one(
                {"_id": _id(app_id, key_hash)} | stale,
                {"$set": {"working_until": now + WORKING_FOR}},
            )
        )

    async def finish(self, app_id: UUID, key_hash: str, entry: Entry, send_id: UUID) -> None:
        """Note what was recorded."""
        await self._entries.update_one(
            {"_id": _id(app_id, key_hash), "claim": entry.claim}, {"$set": {"send_id": send_id}}
        )

    async def give_up(self, app_id: UUID, key_hash: str, entry: Entry) -> None:
        """Forget a key whose request came to nothing, unless another process has worked on it.

        That one may yet record a send under the claim: then the entry stays, for whoever asks next.
        """
        nothing = {"_id": _id(app_id, key_hash), "claim": entry.claim, "send_id": None}
        if entry.is_ours:
            await self._entries.delete_one(nothing | {"working_until": entry.working_until})
        else:
            await self._entries.update_one(nothing, {"$set": {"working_until": self._clock()}})


def _id(app_id: UUID, key_hash: str) -> str:
    return f"{app_id}:{key_hash}"


def _entry(document: Document, now: datetime, *, is_ours: bool) -> Entry:
    return Entry(
        body_hash=bytes(document["body_hash"]),
        claim=document["claim"],
        send_id=document["send_id"],
        working_until=document["working_until"],
        is_worked_on=document["working_until"] > now,
        is_ours=is_ours,
    )
