"""Receipts page by page in the order of their numbers, for back ends that pull them."""

from uuid import UUID

import msgspec

from shared.storage.receipt_feed import KeptCall, ReceiptFeed


class ReceiptPage(msgspec.Struct, frozen=True, kw_only=True):
    """Receipts as their webhook call has them; `next_after` is where the next page begins.

    What lies between the last number a reader has and `oldest_seq` is not kept any more.
    """

    receipts: list[msgspec.Raw]
    next_after: int
    has_more: bool
    oldest_seq: int
    newest_seq: int


class _Data(msgspec.Struct):
    receipts: list[msgspec.Raw]


class _Body(msgspec.Struct):
    data: _Data


class _Numbered(msgspec.Struct):
    seq: int


_bodies = msgspec.json.Decoder(_Body)
_receipts = msgspec.json.Decoder(_Numbered)


class ReceiptReader:
    """Reads what is kept, whether it was posted or not."""

    def __init__(self, feed: ReceiptFeed) -> None:
        self._feed = feed

    async def page(self, app_id: UUID, *, after: int, limit: int) -> ReceiptPage:
        """Up to `limit` receipts with numbers above `after`, in their order."""
        kept = await self._feed.kept(app_id)  # first: what comes later is on a later page
        calls = await self._feed.calls_behind(app_id, after, limit=limit)
        behind = [row for call in calls for row in _rows(call) if row[0] > after]
        taken = behind[:limit]
        next_after = max(after, kept.newest_seq)
        if calls:
            next_after = taken[-1][0] if len(behind) > limit else calls[-1].last_seq
        return ReceiptPage(
            receipts=[receipt for _, receipt in taken],
            next_after=next_after,
            has_more=next_after < kept.newest_seq,
            oldest_seq=kept.oldest_seq,
            newest_seq=max(kept.newest_seq, next_after if calls else 0),
        )


def _rows(call: KeptCall) -> list[tuple[int, msgspec.Raw]]:
    """Its receipts with their numbers."""
    return [(_receipts.decode(raw).seq, raw) for raw in _bodies.decode(call.body).data.receipts]
