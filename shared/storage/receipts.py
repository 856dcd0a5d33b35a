"""Receipts: one document per webhook call, numbered per app without gaps.

A call is inserted only directly behind the app's last one; the unique index on (app, first_seq)
makes a second writer start again, so the numbers have no holes under concurrency or crashes. The
unique index on receipt ids keeps a delivery from being told twice.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.domain.receipts import CallState, Receipt, ReceiptCall
from shared.ids import new_id
from shared.storage.mongo import Database, Document, StorageUnavailable

_TRIES_MAX = 100

MakeBody = Callable[[UUID, Sequence[Receipt]], bytes]


class ReceiptRepository:
    """Calls of an app in the order of their numbers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._calls = database["receipts"]
        self._heads = database["receipt_heads"]
        self._clock = clock

    async def append(
        self,
        app_id: UUID,
        receipts: Sequence[Receipt],
        make_body: MakeBody,
        *,
        to_be_posted: bool,
    ) -> list[ReceiptCall]:
        """Number the receipts that are not recorded yet and record them as one call.

        Returns:
            The calls that are to be posted now: the new one, and those that hold receipts which
            were recorded before (by a worker that may not have lived to post them) and untried.

        Raises:
            StorageUnavailable: unknown outcome, or other writers won every time.
        """
        for _ in range(_TRIES_MAX):
            recorded = await self._holding(receipts)
            told = {receipt_id for _, receipt_ids in recorded for receipt_id in receipt_ids}
            fresh = [receipt for receipt in receipts if receipt.id not in told]
            untried = [c for c, _ in recorded if c.state == "pending" and c.attempts == 0]
            if not fresh:
                return untried
            first = await self._next_seq(app_id)
            numbered = [
                msgspec.structs.replace(receipt, seq=first + i) for i, receipt in enumerate(fresh)
            ]
            state: CallState = "pending" if to_be_posted else "unposted"
            call = self._call(app_id, numbered, make_body(app_id, numbered), state)
            if await self._inserted(call, numbered):
                return [*untried, call] if to_be_posted else untried
        raise StorageUnavailable("receipt sequence is contended")

    async def _holding(
        self, receipts: Sequence[Receipt]
    ) -> list[tuple[ReceiptCall, frozenset[UUID]]]:
        """The calls that hold some of these receipts, each with the ids of all it holds."""
        wanted = [receipt.id for receipt in receipts]
        documents = await self._calls.find({"ids": {"$in": wanted}})
        return [(_from_document(d), frozenset(d["ids"])) for d in documents]

    async def _next_seq(self, app_id: UUID) -> int:
        """Behind the last call, or behind what was pruned: the head never runs ahead of a call."""
        last, head = await asyncio.gather(
            self._calls.find(
                {"app_id": app_id},
                projection={"first_seq": 1, "count": 1},
                sort=[("first_seq", -1)],
                limit=1,
            ),
            self._heads.find_one({"_id": app_id}),
        )
        behind_last = last[0]["first_seq"] + last[0]["count"] if last else 1
        return max(int(behind_last), int(head["next_seq"]) if head else 1)

    def _call(
        self, app_id: UUID, numbered: list[Receipt], body: bytes, state: CallState
    ) -> ReceiptCall:
        return ReceiptCall(
            app_id=app_id,
            first_seq=numbered[0].seq,
            count=len(numbered),
            webhook_id=f"msg_{new_id(self._clock()).hex}",
            body=body,
            attempts=0,
            state=state,
            next_attempt_at=self._clock(),
        )

    async def _inserted(self, call: ReceiptCall, numbered: list[Receipt]) -> bool:
        document = msgspec.structs.asdict(call)
        document |= {"ids": [r.id for r in numbered], "created_at": self._clock()}
        try:
            await self._calls.insert_one(document)
        except DuplicateKeyError:
            return False
        head = {"$max": {"next_seq": call.first_seq + call.count}}
        await self._heads.update_one({"_id": call.app_id}, head, upsert=True)
        return True

    async def get(self, app_id: UUID, first_seq: int) -> ReceiptCall | None:
        document = await self._calls.find_one({"app_id": app_id, "first_seq": first_seq})
        return None if document is None else _from_document(document)

    async def note(
        self,
        call: ReceiptCall,
        *,
        state: CallState,
        next_attempt_at: datetime | None,
    ) -> bool:
        """Note one more attempt of a pending call; False when another copy has noted it."""
        noted = await self._calls.update_one(
            {"app_id": call.app_id, "first_seq": call.first_seq, "attempts": call.attempts},
            {"$set": {"state": state, "next_attempt_at": next_attempt_at}, "$inc": {"attempts": 1}},
        )
        return noted == 1

    async def put_off(self, call: ReceiptCall, until: datetime) -> None:
        """A pending call that was found overdue is not overdue again before the instant."""
        await self._calls.update_one(
            {"app_id": call.app_id, "first_seq": call.first_seq, "state": "pending"},
            {"$max": {"next_attempt_at": until}},
        )

    async def overdue(self, *, due_before: datetime, limit: int) -> list[ReceiptCall]:
        """Pending calls whose next attempt should have been made long ago."""
        documents = await self._calls.find(
            {"state": "pending", "next_attempt_at": {"$lt": due_before}},
            sort=[("next_attempt_at", 1)],
            limit=limit,
        )
        return [_from_document(document) for document in documents]


def _from_document(document: Document) -> ReceiptCall:
    fields = {name: document[name] for name in ReceiptCall.__struct_fields__}
    return ReceiptCall(**fields)
