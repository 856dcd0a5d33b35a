"""Dead letters: deliveries that ended without the provider's or device's fault, for operators."""

from datetime import datetime
from uuid import UUID

import msgspec
from pymongo import UpdateOne

from shared.domain.devices import Provider
from shared.storage.mongo import Database


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead delivery; for a message that cannot be read only `reason` and `raw` are known."""

    dead_letter_id: UUID
    reason: str
    died_at: datetime
    app_id: UUID | None = None
    notification_id: UUID | None = None
    device_id: UUID | None = None
    provider: Provider | None = None
    chunk_id: UUID | None = None
    index: int | None = None
    attempts: int = 0
    raw: bytes | None = None


class DeadLetterRepository:
    """Keyed by the delivery's receipt id, so a dead letter that is drained twice stands once."""

    def __init__(self, database: Database) -> None:
        self._letters = database["dead_letters"]

    async def put(self, letters: list[DeadLetter]) -> None:
        """Record dead letters that are not recorded yet."""
        if not letters:
            return
        operations = []
        for letter in letters:
            fields = msgspec.structs.asdict(letter)
            key = {"_id": fields.pop("dead_letter_id")}
            operations.append(UpdateOne(key, {"$setOnInsert": fields}, upsert=True))
        await self._letters.bulk_write(operations)

    async def of_app(self, app_id: UUID, *, limit: int = 100) -> list[DeadLetter]:
        """The newest dead letters of an app."""
        documents = await self._letters.find(
            {"app_id": app_id}, sort=[("died_at", -1)], limit=limit
        )
        return [DeadLetter(dead_letter_id=d.pop("_id"), **d) for d in documents]
