"""The receipts that verified webhook calls brought: each once, with how many copies came."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import msgspec


class _Key(msgspec.Struct):
    id: str
    seq: int | None = None
    notification_id: str | None = None


class _Data(msgspec.Struct):
    app_id: str | None = None
    receipts: list[msgspec.Raw] = []


class _Body(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)


class _Kept(msgspec.Struct, gc=False):
    name: str
    notification_id: str | None
    text: bytes
    copies: int
    webhook_ids: tuple[str, ...]


class _Waiter(msgspec.Struct):
    count: int
    notification_id: str | None
    done: asyncio.Future[None]


def read_receipts(body: bytes) -> tuple[str | None, list[tuple[_Key, bytes]]]:
    """The app and each receipt with its JSON text; nothing for bodies of another shape."""
    try:
        data = msgspec.json.decode(body, type=_Body).data
        return data.app_id, [
            (msgspec.json.decode(raw, type=_Key), bytes(raw)) for raw in data.receipts
        ]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, []


class ReceiptBook:
    """Receipts by id, sequence numbers by app."""

    def __init__(self) -> None:
        self._waiters: list[_Waiter] = []
        self.clear()

    def clear(self) -> None:
        """Forget all receipts."""
        self._kept: dict[str, _Kept] = {}
        self._by_notification: dict[str, list[str]] = {}
        self._seqs: dict[str, set[int]] = {}
        self.total = 0

    def add(self, name: str, webhook_id: str, body: bytes) -> None:
        """Keep what a verified call brought."""
        app_id, receipts = read_receipts(body)
        for key, text in receipts:
            self.total += 1
            kept = self._kept.get(key.id)
            if kept is not None:
                kept.copies += 1
                if webhook_id not in kept.webhook_ids:
                    kept.webhook_ids = (*kept.webhook_ids, webhook_id)
                continue
            self._kept[key.id] = _Kept(name, key.notification_id, text, 1, (webhook_id,))
            if key.notification_id is not None:
                self._by_notification.setdefault(key.notification_id, []).append(key.id)
            if app_id is not None and key.seq is not None:
                self._seqs.setdefault(app_id, set()).add(key.seq)
        self._wake()

    def list(self, name: str | None, notification_id: str | None) -> list[dict[str, Any]]:
        """Receipts in order of arrival, each with `copies` and the webhook ids that carried it."""
        ids = (
            list(self._kept)
            if notification_id is None
            else self._by_notification.get(notification_id, [])
        )
        chosen = [self._kept[receipt_id] for receipt_id in ids]
        return [_shown(kept) for kept in chosen if name is None or kept.name == name]

    def count(self, notification_id: str | None) -> int:
        """How many distinct receipts, of all or of one notification."""
        return (
            len(self._kept)
            if notification_id is None
            else len(self._by_notification.get(notification_id, ()))
        )

    async def wait(self, count: int, notification_id: str | None, timeout_seconds: float) -> bool:
        """Wait for so many distinct receipts; false when time ran out."""
        if self.count(notification_id) >= count:
            return True
        waiter = _Waiter(count, notification_id, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await asyncio.wait_for(waiter.done, timeout_seconds)
        except TimeoutError:
            return False
        finally:
            self._waiters.remove(waiter)
        return True

    def stats(self) -> dict[str, Any]:
        """Totals, and the holes in each app's sequence between its first and last number seen."""
        return {
            "receipts": self.total,
            "distinct_receipts": len(self._kept),
            "receipts_under_several_webhook_ids": sum(
                len(kept.webhook_ids) > 1 for kept in self._kept.values()
            ),
            "seq_gaps": {
                app_id: gaps for app_id, seqs in self._seqs.items() if (gaps := _gaps(seqs))
            },
            "seq_ranges": {app_id: [min(seqs), max(seqs)] for app_id, seqs in self._seqs.items()},
        }

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done.done() and self.count(waiter.notification_id) >= waiter.count:
                waiter.done.set_result(None)


def _shown(kept: _Kept) -> dict[str, Any]:
    receipt: dict[str, Any] = msgspec.json.decode(kept.text)
    return {
        **receipt,
        "copies": kept.copies,
        "endpoint": kept.name,
        "webhook_ids": list(kept.webhook_ids),
    }


def _gaps(seqs: set[int]) -> list[list[int]]:
    ordered = sorted(seqs)
    return [[low + 1, high - 1] for low, high in itertools.pairwise(ordered) if high - low > 1]
