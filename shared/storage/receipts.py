"""Recording receipts: one document per webhook call, numbered per app without gaps.

A call is inserted only directly behind the app's last one; the unique index on (app, first_seq)
makes a second writer start again, so the numbers have no holes under concurrency or crashes. The
unique index on receipt ids keeps a delivery from being told twice. Both hold whatever a writer
thinks that it knows: so it tries behind its own last call first, and looks only if that fails.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.domain.receipts import CallState, Receipt, ReceiptCall
from shared.ids import new_id
from shared.storage.mongo import Database, Document, StorageUnavailable

_TRIES_MAX = 100
# No longer: a call that another process added behind must still be there to be run into, and an app
# that was deleted and founded again begins at 1 (its id is free 15 s after the deletion).
_OWN_END_HOLDS_FOR = timedelta(seconds=10)
_OWN_ENDS_MAX = 1_000

MakeBody = Callable[[UUID, Sequence[Receipt]], bytes]


class ReceiptRepository:
    """Calls of an app in the order of their numbers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._calls = database["receipts"]
        self._heads = database["receipt_heads"]
        self._clock = clock
        self._own_ends: dict[UUID, tuple[int, datetime]] = {}

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
        state: CallState = "pending" if to_be_posted else "unposted"
        end = self._own_end(app_id)
        if end is not None:
            call = await self._insert(app_id, receipts, make_body, first=end, state=state)
            if call is not None:
                return [call] if to_be_posted else []
        for _ in range(_TRIES_MAX):
            recorded = await self._holding(receipts)
            told = {receipt_id for _, receipt_ids in recorded for receipt_id in receipt_ids}
            fresh = [receipt for receipt in receipts if receipt.id not in told]
            untried = [c for c, _ in recorded if c.state == "pending" and c.attempts == 0]
            if not fresh:
                await self._raise_head(app_id, max(c.first_seq + c.count for c, _ in recorded))
                return untried
            first = await self._next_seq(app_id)
            call = await self._insert(app_id, fresh, make_body, first=first, state=state)
            if call is not None:
                return [*untried, call] if to_be_posted else untried
        raise StorageUnavailable("receipt sequence is contended")

    async def _holding(
        self, receipts: Sequence[Receipt]
    ) -> list[tuple[ReceiptCall, frozenset[UUID]]]:
        """The calls that hold some of these receipts, each with the ids of all it holds."""
        wanted = [receipt.id for receipt in receipts]
        documents = await self._calls.find({"ids": {"$in": wanted}})
        return [(from_document(d), frozenset(d["ids"])) for d in documents]

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

    def _own_end(self, app_id: UUID) -> int | None:
        """The number behind the app's last call, as far as we know from having made it."""
        end, at = self._own_ends.get(app_id, (None, None))
        is_fresh = at is not None and self._clock() - at < _OWN_END_HOLDS_FOR
        return end if is_fresh else None

    async def _insert(
        self,
        app_id: UUID,
        receipts: Sequence[Receipt],
        make_body: MakeBody,
        *,
        first: int,
        state: CallState,
    ) -> ReceiptCall | None:
        """Record them from that number on; None when it is taken, or one of them is recorded."""
        numbered = [
            msgspec.structs.replace(receipt, seq=first + i) for i, receipt in enumerate(receipts)
        ]
        begun_at = self._clock()
        call = self._call(app_id, numbered, make_body(app_id, numbered), state)
        if not await self._inserted(call, numbered):
            self._own_ends.pop(app_id, None)
            return None
        if len(self._own_ends) >= _OWN_ENDS_MAX:
            self._own_ends.clear()
        self._own_ends[app_id] = (first + call.count, begun_at)
        return call

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
        await self._raise_head(call.app_id, call.first_seq + call.count)
        return True

    async def _raise_head(self, app_id: UUID, next_seq: int) -> None:
        """Also when a call is found recorded: who recorded it may not have come this far."""
        head = {"$max": {"next_seq": next_seq}}
        await self._heads.update_one({"_id": app_id}, head, upsert=True)


def from_document(document: Document) -> ReceiptCall:
    """A call as this collection keeps it."""
    fields = {name: document[name] for name in ReceiptCall.__struct_fields__}
    return ReceiptCall(**fields)
