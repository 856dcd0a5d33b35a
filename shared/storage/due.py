"""Due rows: messages that wait longer than the queue's levels, until a scheduler publishes them."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared.clock import Clock
from shared.ids import new_id
from shared.storage.mongo import Database


class DueMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message body with the exchange and routing key that it is to be published under."""

    due_at: datetime
    exchange: str
    routing_key: str
    body: bytes
    due_id: UUID | None = None


class DueRepository:
    """Rows are deleted after they were published: a crash in between publishes twice."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._due = database["due"]
        self._clock = clock

    async def add(self, messages: list[DueMessage]) -> None:
        if messages:
            await self._due.insert_many(
                [
                    {
                        "_id": new_id(self._clock()),
                        "due_at": m.due_at,
                        "exchange": m.exchange,
                        "routing_key": m.routing_key,
                        "body": m.body,
                    }
                    for m in messages
                ]
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

    async def remove(self, messages: list[DueMessage]) -> None:
        await self._due.delete_many({"_id": {"$in": [m.due_id for m in messages]}})

    async def put_off(self, messages: list[DueMessage], seconds: float) -> None:
        """Let other rows go first: these could not be published."""
        later = self._clock() + timedelta(seconds=seconds)
        await self._due.update_many(
            {"_id": {"$in": [m.due_id for m in messages]}}, {"$set": {"due_at": later}}
        )
