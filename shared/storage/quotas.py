"""Daily quotas: one counter per app and UTC day, charged whole or not at all."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.storage.mongo import Database, Document


class Charge(msgspec.Struct, frozen=True):
    """What a charge did. `remaining` is None for an unlimited app."""

    accepted: bool
    day: datetime
    remaining: int | None


class QuotaRepository:
    """`used` never passes the limit: the limit is part of the update's condition."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._quotas = database["quotas"]
        self._clock = clock

    async def charge(self, app_id: UUID, units: int, limit: int | None) -> Charge:
        """Take `units` of today's quota if all of them are left."""
        day = _day(self._clock())
        if limit is not None and units > limit:
            return await self._refused(app_id, day, limit)
        query: Document = {"_id": _key(app_id, day)}
        if limit is not None:
            query["used"] = {"$lte": limit - units}
        change = {"$inc": {"used": units}, "$setOnInsert": {"day": day}}
        document = await self._charged(query, change)
        if document is None:
            return await self._refused(app_id, day, limit or 0)
        return Charge(True, day, None if limit is None else limit - document["used"])

    async def _charged(self, query: Document, change: Document) -> Document | None:
        found: Document | None
        try:
            found = await self._quotas.find_one_and_update(query, change, upsert=True)
        except DuplicateKeyError:  # used up, or the day's first two charges raced
            found = await self._quotas.find_one_and_update(query, change)
        return found

    async def _refused(self, app_id: UUID, day: datetime, limit: int) -> Charge:
        return Charge(False, day, max(limit - await self._used(app_id, day), 0))

    async def refund(self, app_id: UUID, units: int, day: datetime) -> None:
        """Give back what was charged for a send that is known not to exist."""
        await self._quotas.update_one({"_id": _key(app_id, day)}, {"$inc": {"used": -units}})

    async def used_today(self, app_id: UUID) -> int:
        return await self._used(app_id, _day(self._clock()))

    async def _used(self, app_id: UUID, day: datetime) -> int:
        document = await self._quotas.find_one({"_id": _key(app_id, day)})
        return 0 if document is None else int(document["used"])


def _day(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _key(app_id: UUID, day: datetime) -> str:
    return f"{app_id}:{day:%Y-%m-%d}"
