"""Receipts on record, as workers put them there."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from shared.clock import utc_now
from shared.domain.receipts import CallState, Receipt
from shared.storage.receipts import ReceiptRepository
from tests.builders import a_receipt
from tests.front_door import Api

Row = dict[str, Any]


def body_of(app_id: UUID, receipts: Any) -> bytes:
    data = {"app_id": app_id, "receipts": list(receipts)}
    return msgspec.json.encode({"type": "push.receipts", "timestamp": utc_now(), "data": data})


async def record(
    api: Api, app_id: UUID, *counts: int, to_be_posted: bool = False, ago: timedelta = timedelta()
) -> list[Receipt]:
    """One call with so many receipts after the other; the receipts, without their numbers."""
    repository = ReceiptRepository(api.database, lambda: utc_now() - ago)
    made: list[Receipt] = []
    for count in counts:
        receipts = [a_receipt(id=uuid4()) for _ in range(count)]
        await repository.append(app_id, receipts, body_of, to_be_posted=to_be_posted)
        made += receipts
    return made


def call_row(
    app_id: UUID, first_seq: int, count: int, *, state: CallState = "received", attempts: int = 1
) -> Row:
    """A call as it is kept, made without the round trips of `record`."""
    receipts = [a_receipt(id=uuid4(), seq=first_seq + i) for i in range(count)]
    return {
        "app_id": app_id,
        "first_seq": first_seq,
        "count": count,
        "webhook_id": f"msg_{uuid4().hex}",
        "body": body_of(app_id, receipts),
        "attempts": attempts,
        "state": state,
        "next_attempt_at": None,
        "ids": [receipt.id for receipt in receipts],
        "created_at": utc_now(),
    }


async def prune(api: Api, app_id: UUID, *, below: int) -> None:
    """Forget old calls, as the TTL index does after 7 days."""
    await api.database["receipts"].delete_many({"app_id": app_id, "first_seq": {"$lt": below}})


async def calls(api: Api, app_id: UUID) -> list[Row]:
    """The calls of an app in their order."""
    return await api.database["receipts"].find({"app_id": app_id}, sort=[("first_seq", 1)])


async def settle(
    api: Api, app_id: UUID, state: CallState, *, attempts: int = 1, at: datetime | None = None
) -> None:
    """What workers note of all of an app's calls."""
    change = {"state": state, "attempts": attempts, "next_attempt_at": at}
    await api.database["receipts"].update_many({"app_id": app_id}, {"$set": change})
