"""Sliding-window limits, exact across processes: the last instants of a key in one document."""

from datetime import timedelta
from uuid import UUID

from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.storage.mongo import Database, Document

REGISTRATIONS_MAX = 10
REGISTRATION_WINDOW = timedelta(hours=1)


class LimitRepository:
    """One document per key: `at` holds the instants that still count, oldest first."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._limits = database["limits"]
        self._clock = clock

    async def try_registration(self, app_id: UUID, user_id: UUID) -> float | None:
        """Take one of the user's 10 registrations in any 60 minutes.

        Returns:
            None when it was taken, else the seconds until one is free.
        """
        key = f"register:{app_id}:{user_id}"
        return await self._take(key, REGISTRATIONS_MAX, REGISTRATION_WINDOW)

    async def _take(self, key: str, most: int, window: timedelta) -> float | None:
        now = self._clock()
        query: Document = {
            "_id": key,
            "$or": [{f"at.{most - 1}": {"$exists": False}}, {"at.0": {"$lte": now - window}}],
        }
        change = self._pushed(most, window)
        try:
            await self._limits.find_one_and_update(query, change, upsert=True)
        except DuplicateKeyError:  # full, or its very first two uses raced
            if await self._limits.update_one(query, change):
                return None
            document = await self._limits.find_one({"_id": key})
            free_at = document["at"][0] + window if document else now
            return max((free_at - now).total_seconds(), 1.0)
        return None

    async def record_failure(self, key: str, *, most: int, window: timedelta) -> None:
        """Note one more failure of a key; at most `most` are kept."""
        await self._limits.update_one(
            {"_id": f"failure:{key}"}, self._pushed(most, window), upsert=True
        )

    async def blocked_for(self, key: str, *, most: int, window: timedelta) -> float | None:
        """Seconds until a key has fewer than `most` failures in the window; None when it has."""
        document = await self._limits.find_one({"_id": f"failure:{key}"})
        now = self._clock()
        recent = [at for at in document["at"] if at > now - window] if document else []
        return max((recent[0] + window - now).total_seconds(), 1.0) if len(recent) >= most else None

    def _pushed(self, most: int, window: timedelta) -> Document:
        now = self._clock()
        return {
            "$push": {"at": {"$each": [now], "$sort": 1, "$slice": -most}},
            "$set": {"expires_at": now + window},
        }
