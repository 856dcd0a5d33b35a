"""Receipts as an app's back end pulls them: by number, over the calls that hold them."""

import asyncio
from uuid import UUID

import msgspec

from shared.storage.mongo import Database


class KeptRange(msgspec.Struct, frozen=True):
    """What is kept of an app's receipts; `oldest_seq` is `newest_seq` + 1 when that is nothing.

    `newest_seq` is 0 before an app's first receipt.
    """

    oldest_seq: int
    newest_seq: int


class KeptCall(msgspec.Struct, frozen=True):
    """A call as it is kept: `body` holds the receipts from `first_seq` on."""

    first_seq: int
    count: int
    body: bytes

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.count - 1


class ReceiptFeed:
    """What a page costs depends on its size alone, not on how many receipts are kept."""

    def __init__(self, database: Database) -> None:
        self._calls = database["receipts"]
        self._heads = database["receipt_heads"]

    async def kept(self, app_id: UUID) -> KeptRange:
        last, head = await asyncio.gather(
            self._edge(app_id, -1), self._heads.find_one({"_id": app_id})
        )
        first = await self._edge(app_id, 1)  # last: what is recorded meanwhile is not called lost
        of_head = int(head["next_seq"]) - 1 if head else 0
        newest = max(of_head, last[0] + last[1] - 1 if last else 0)
        return KeptRange(first[0] if first else newest + 1, newest)

    async def calls_behind(self, app_id: UUID, after: int, *, limit: int) -> list[KeptCall]:
        """The calls that hold the next `limit` receipts behind `after`, in their order."""
        begin = await self._begin(app_id, after)
        if begin is None:
            return []
        end = max(begin, after + 1) + limit
        documents = await self._calls.find(
            {"app_id": app_id, "first_seq": {"$gte": begin, "$lt": end}},
            projection={"first_seq": 1, "count": 1, "body": 1},
            sort=[("first_seq", 1)],
        )
        return [KeptCall(d["first_seq"], d["count"], d["body"]) for d in documents]

    async def _begin(self, app_id: UUID, after: int) -> int | None:
        """The first number of the call that holds the next one; behind a hole, of the next call."""
        before = await self._calls.find(
            {"app_id": app_id, "first_seq": {"$lte": after + 1}},
            projection={"first_seq": 1, "count": 1},
            sort=[("first_seq", -1)],
            limit=1,
        )
        if before and before[0]["first_seq"] + before[0]["count"] > after + 1:
            return int(before[0]["first_seq"])
        behind = await self._calls.find(
            {"app_id": app_id, "first_seq": {"$gt": after + 1}},
            projection={"first_seq": 1},
            sort=[("first_seq", 1)],
            limit=1,
        )
        return int(behind[0]["first_seq"]) if behind else None

    async def _edge(self, app_id: UUID, direction: int) -> tuple[int, int] | None:
        """First number and count of the oldest (1) or newest (-1) call."""
        found = await self._calls.find(
            {"app_id": app_id},
            projection={"first_seq": 1, "count": 1},
            sort=[("first_seq", direction)],
            limit=1,
        )
        return (int(found[0]["first_seq"]), int(found[0]["count"])) if found else None
