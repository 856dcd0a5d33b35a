"""Posting receipts: which recorded calls are due, who makes one just now, and what came of it.

A pending call is its own entry in the queue of its app. Whoever posts it claims it for a while, so
that processes share an app's calls, and one that died leaves nothing behind for long.
"""

from datetime import datetime
from uuid import UUID

from shared.domain.receipts import CallState, ReceiptCall
from shared.storage.mongo import Database, Document
from shared.storage.receipts import from_document

HASTENED_ATTEMPTS_MAX = 2


class ReceiptCallRepository:
    """Each change is conditional on what was read."""

    def __init__(self, database: Database) -> None:
        self._calls = database["receipts"]

    async def claim(self, app_id: UUID, *, due_by: datetime, until: datetime) -> ReceiptCall | None:
        """The app's call that has been due for longest, for nobody else until the instant."""
        document = await self._calls.find_one_and_update(
            _pending(app_id)
            | {"next_attempt_at": {"$lte": due_by}, "claimed_until": {"$not": {"$gt": due_by}}},
            {"$set": {"claimed_until": until}},
            sort=[("next_attempt_at", 1), ("first_seq", 1)],
        )
        return None if document is None else from_document(document)

    async def note(
        self, call: ReceiptCall, *, state: CallState, next_attempt_at: datetime | None
    ) -> bool:
        """Note one more attempt of a claimed call; False when another copy has noted it."""
        noted = await self._calls.update_one(
            {
                "app_id": call.app_id,
                "first_seq": call.first_seq,
                "webhook_id": call.webhook_id,
                "attempts": call.attempts,
            },
            {
                "$set": {"state": state, "next_attempt_at": next_attempt_at},
                "$inc": {"attempts": 1},
                "$unset": {"claimed_until": ""},
            },
        )
        return noted == 1

    async def hasten(self, app_id: UUID, now: datetime) -> None:
        """Make due what failed once or twice: the endpoint was down and is back.

        What failed more often may be at fault itself, and keeps to its schedule.
        """
        waiting = {"attempts": {"$lte": HASTENED_ATTEMPTS_MAX}, "next_attempt_at": {"$gt": now}}
        change = {"$set": {"next_attempt_at": now}}
        await self._calls.update_many(_pending(app_id) | waiting, change)

    async def shelve(self, app_id: UUID, *, recorded_before: datetime) -> None:
        """Post none of what is pending: it is there to be pulled or replayed."""
        shelved: CallState = "unposted"
        await self._calls.update_many(
            _pending(app_id) | {"created_at": {"$lt": recorded_before}},
            {"$set": {"state": shelved, "next_attempt_at": None}},
        )

    async def apps_waiting(self, *, due_before: datetime) -> list[UUID]:
        """Apps with a call that is late; this takes a look at each app, not at each call."""
        rows = await self._calls.aggregate(
            [
                {"$match": {"state": "pending"}},
                {"$sort": {"state": 1, "app_id": 1, "next_attempt_at": 1}},
                {"$group": {"_id": "$app_id", "due_at": {"$first": "$next_attempt_at"}}},
                {"$match": {"due_at": {"$lt": due_before}}},
            ]
        )
        return [row["_id"] for row in rows]


def _pending(app_id: UUID) -> Document:
    return {"state": "pending", "app_id": app_id}
