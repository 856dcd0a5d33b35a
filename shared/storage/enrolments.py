"""Enrolments: which users may be sent to by which app."""

from collections.abc import Collection, Sequence
from uuid import UUID

from pymongo import UpdateOne

from shared.clock import Clock
from shared.storage.mongo import Database


class EnrolmentRepository:
    """One document per enrolled user of an app."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._enrolments = database["enrolments"]
        self._clock = clock

    async def enroll(self, app_id: UUID, user_ids: Sequence[UUID]) -> None:
        """Enrol users; those who are enrolled already stay so."""
        now = self._clock()
        operations = [
            UpdateOne(
                {"app_id": app_id, "user_id": user_id},
                {"$setOnInsert": {"enrolled_at": now}},
                upsert=True,
            )
            for user_id in user_ids
        ]
        if operations:
            await self._enrolments.bulk_write(operations)

    async def withdraw(self, app_id: UUID, user_id: UUID) -> bool:
        """Whether the user was enrolled."""
        return await self._enrolments.delete_one({"app_id": app_id, "user_id": user_id})

    async def is_enrolled(self, app_id: UUID, user_id: UUID) -> bool:
        return user_id in await self.enrolled(app_id, [user_id])

    async def enrolled(self, app_id: UUID, user_ids: Collection[UUID]) -> set[UUID]:
        """Those of the users who are enrolled."""
        documents = await self._enrolments.find(
            {"app_id": app_id, "user_id": {"$in": list(user_ids)}},
            projection={"_id": 0, "user_id": 1},
        )
        return {document["user_id"] for document in documents}
