"""Firings: scheduled notifications become deliveries when their time comes, exactly once.

What a firing consists of is fixed on the send first, so that whoever goes on after a crash does the
same: the chunks' ids and contents follow from it.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec
from pymongo.errors import BulkWriteError

from shared.domain.deliveries import Chunk, Target
from shared.domain.sends import Expansion, Outline
from shared.storage.chunks import to_document
from shared.storage.mongo import Database, Document

_DUPLICATE_KEY = 11_000


class Firing(msgspec.Struct, frozen=True):
    """What scheduled notifications of a send become: the chunks of those due at `now`."""

    now: datetime
    expansions: tuple[Expansion, ...]


class FiringRepository:
    """Every step is conditional on the instant that the send was due at."""

    def __init__(self, database: Database) -> None:
        self._sends = database["sends"]
        self._chunks = database["chunks"]

    async def due(self, now: datetime, *, limit: int, without: Collection[UUID] = ()) -> list[UUID]:
        """Sends of which something is to fire now, the longest due first."""
        query: Document = {"due_at": {"$lte": now}}
        if without:
            query["_id"] = {"$nin": list(without)}
        documents = await self._sends.find(
            query, projection={"_id": 1}, sort=[("due_at", 1)], limit=limit
        )
        return [document["_id"] for document in documents]

    async def begin(self, send: Outline, firing: Firing) -> Firing | None:
        """Fix what a send's due notifications become, unless that was fixed before.

        Returns:
            What was fixed, by whomever; None when they have fired already.
        """
        if send.due_at is None or firing.now < send.due_at:  # another process was quicker
            return None
        due = {"_id": send.send_id, "due_at": send.due_at}
        plan = {
            "now": firing.now,
            "plan": [
                [e.provider, [[t.notification, t.device_id] for t in e.targets]]
                for e in firing.expansions
            ],
        }
        await self._sends.update_one(due | {"firing": None}, {"$set": {"firing": plan}})
        document = await self._sends.find_one(due, {"firing": 1})
        return None if document is None else _firing(document["firing"])

    async def finish(self, send: Outline, chunks: list[Chunk], fired_at: datetime) -> bool:
        """Record the chunks of a firing, then that it has happened; False if it had before."""
        try:
            if chunks:
                await self._chunks.insert_many([to_document(c) for c in chunks])
        except BulkWriteError as error:  # another process has inserted the same ones
            if any(e["code"] != _DUPLICATE_KEY for e in error.details["writeErrors"]):
                raise
        fired = await self._sends.update_one(
            {"_id": send.send_id, "due_at": send.due_at}, _fired(send, chunks, fired_at)
        )
        return fired == 1


def _fired(send: Outline, chunks: list[Chunk], fired_at: datetime) -> Document:
    counts = {
        "chunk_count": len(chunks),
        "delivery_count": sum(len(chunk.targets) for chunk in chunks),
    }
    change: Document = {"$inc": counts, "$unset": {"firing": ""}}
    fields: Document = {"published": False} if chunks else {}  # others may still be unconfirmed
    due_at = send.due_after(fired_at)
    if due_at is None:
        change["$unset"]["due_at"] = ""  # leaves the index of what is due
    else:
        fields["due_at"] = due_at
    return change | ({"$set": fields} if fields else {})


def _firing(plan: Document) -> Firing:
    return Firing(
        plan["now"],
        tuple(
            Expansion(provider, tuple(Target(*pair) for pair in targets))
            for provider, targets in plan["plan"]
        ),
    )
