"""Due rows: messages that wait longer than the queue's levels, until a scheduler publishes them.

Those of parked deliveries are marked, so that they can be woken once their credential changes, and
have ids that follow from what they say: parking the same deliveries twice leaves one row.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from pymongo import ReplaceOne

from shared.clock import Clock
from shared.domain.devices import Provider
from shared.ids import new_id
from shared.storage.mongo import Database, Document

_WOKEN_PER_WRITE = 1_000


class Parked(msgspec.Struct, frozen=True):
    """Whose credential a message waits for; `refused` is the one that did not do, "" for none."""

    app_id: UUID
    provider: Provider
    refused: str


class DueMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message body with the exchange and routing key that it is to be published under."""

    due_at: datetime
    exchange: str
    routing_key: str
    body: bytes
    due_id: UUID | None = None
    parked: Parked | None = None


class DueRepository:
    """Rows are deleted after they were published: a crash in between publishes twice."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._due = database["due"]
        self._clock = clock

    async def add(self, messages: list[DueMessage]) -> None:
        if messages:
            rows = [{"_id": new_id(self._clock())} | _fields(m) for m in messages]
            await self._due.insert_many(rows)

    async def put(self, messages: list[DueMessage]) -> None:
        """Store rows under their own ids, each in place of the one that is there."""
        if messages:
            await self._due.bulk_write(
                [ReplaceOne({"_id": m.due_id}, _fields(m), upsert=True) for m in messages]
            )

    async def ready(self, *, limit: int) -> list[DueMessage]:
        """The rows whose time has come, oldest first."""
        documents = await self._due.find(
            {"due_at": {"$lte": self._clock()}}, sort=[("due_at", 1)], limit=limit
        )
        return [
            DueMessage(
                due_id=d["_id"],
                due_at=d["due_at"],
                exchange=d["exchange"],
                routing_key=d["routing_key"],
                body=bytes(d["body"]),
            )
            for d in documents
        ]

    async def wake(self, standing: Collection[Parked]) -> int:
        """Make due what waits for a credential other than the one that was refused; how many.

        Args:
            standing: for each app and provider the credential that stands now, as `refused`.
        """
        which = {"$or": [_key(p) | {"refused": {"$ne": p.refused}} for p in standing]}
        return await self._wake(which) if standing else 0

    async def wake_all(self, app_id: UUID, provider: Provider) -> int:
        """Make due whatever waits for an app's credential, which works again; how many."""
        return await self._wake(_key(Parked(app_id, provider, "")))

    async def _wake(self, which: Document) -> int:
        """In batches; a row that is woken is marked no more, so this comes to its end."""
        woken = 0
        while rows := await self._due.find(which, projection={"_id": 1}, limit=_WOKEN_PER_WRITE):
            change = {"$set": {"due_at": self._clock()}, "$unset": {"parked": "", "refused": ""}}
            ids = [row["_id"] for row in rows]
            await self._due.update_many({"_id": {"$in": ids}}, change)
            woken += len(ids)
        return woken

    async def remove(self, messages: list[DueMessage]) -> None:
        """Leave what was put under the same id meanwhile: it is due at another time."""
        if messages:
            which = [{"_id": m.due_id, "due_at": m.due_at} for m in messages]
            await self._due.delete_many({"$or": which})

    async def put_off(self, messages: list[DueMessage], seconds: float) -> None:
        """Let other rows go first: these could not be published."""
        later = self._clock() + timedelta(seconds=seconds)
        await self._due.update_many(
            {"_id": {"$in": [m.due_id for m in messages]}}, {"$set": {"due_at": later}}
        )


def _fields(message: DueMessage) -> Document:
    return {
        "due_at": message.due_at,
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "body": message.body,
    } | _mark(message.parked)


def _key(parked: Parked) -> Document:
    return {"parked": f"{parked.app_id}:{parked.provider}"}


def _mark(parked: Parked | None) -> Document:
    return {} if parked is None else _key(parked) | {"refused": parked.refused}
