"""Replays: kept calls become new ones in their place, with the same receipts and numbers.

A call that is replayed keeps its document, so that the numbers stay unique: it gets another
webhook id and begins its schedule again. Its former attempts stay in the log of attempts.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from pymongo import UpdateOne

from shared.domain.receipts import RECEIPTS_PER_CALL_MAX, CallState
from shared.storage.mongo import Database, Document


class ById(msgspec.Struct, frozen=True):
    ids: tuple[UUID, ...]


class BySeq(msgspec.Struct, frozen=True):
    """Both ends belong to it."""

    from_seq: int
    to_seq: int


class ByTime(msgspec.Struct, frozen=True):
    """When receipts were recorded; `until` does not belong to it."""

    since: datetime
    until: datetime


Selection = ById | BySeq | ByTime


class CallHead(msgspec.Struct, frozen=True, kw_only=True):
    """A call without its body, as it was when it was read."""

    first_seq: int
    count: int
    webhook_id: str
    state: CallState
    attempts: int

    @property
    def is_queued(self) -> bool:
        """Whether its first attempt is still to come."""
        return self.state == "pending" and self.attempts == 0


class ReceiptReplayRepository:
    """Finds the calls that hold chosen receipts, and begins them again."""

    def __init__(self, database: Database) -> None:
        self._calls = database["receipts"]

    async def holding(self, app_id: UUID, chosen: Selection, *, limit: int) -> list[CallHead]:
        """Up to `limit` calls that hold one of the receipts, in the order of their numbers."""
        documents = await self._calls.find(
            {"app_id": app_id} | _query(chosen),
            projection={"_id": 0} | dict.fromkeys(CallHead.__struct_fields__, 1),
            sort=[("first_seq", 1)],
            limit=limit,
        )
        heads = [CallHead(**document) for document in documents]
        if isinstance(chosen, BySeq):  # a call may begin in front of the range and end there too
            return [head for head in heads if head.first_seq + head.count > chosen.from_seq]
        return heads

    async def renew(self, app_id: UUID, calls: Mapping[str, CallHead], now: datetime) -> int:
        """Make the calls pending and untried under these new webhook ids.

        Returns:
            How many; one that has changed since it was read is left as it is.
        """
        if not calls:
            return 0
        operations = [
            UpdateOne(_unchanged(app_id, call), _renewed(webhook_id, now))
            for webhook_id, call in calls.items()
        ]
        return await self._calls.bulk_write(operations)


def _query(chosen: Selection) -> Document:
    match chosen:
        case ById():
            return {"ids": {"$in": list(chosen.ids)}}
        case BySeq():
            lowest = chosen.from_seq - RECEIPTS_PER_CALL_MAX + 1
            return {"first_seq": {"$gte": lowest, "$lte": chosen.to_seq}}
        case ByTime():
            return {"created_at": {"$gte": chosen.since, "$lt": chosen.until}}


def _unchanged(app_id: UUID, call: CallHead) -> Document:
    return {
        "app_id": app_id,
        "first_seq": call.first_seq,
        "webhook_id": call.webhook_id,
        "state": call.state,
        "attempts": call.attempts,
    }


def _renewed(webhook_id: str, now: datetime) -> Document:
    return {
        "$set": {
            "webhook_id": webhook_id,
            "state": "pending",
            "attempts": 0,
            "next_attempt_at": now,
        },
        "$unset": {"claimed_until": ""},  # whoever holds the former call holds this one no more
    }
