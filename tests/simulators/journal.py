"""The log of one simulator: what came, what was answered, what was accepted twice."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.simulators.exchange import Headers

ENTRIES_MAX = 200_000
INTERNED_MAX = 4096
PAIRS_SHOWN = 20


class Entry(msgspec.Struct, gc=False):
    """One processed request (for Pushy: one recipient of it)."""

    n: int
    at: float
    connection: int
    device: str | None
    id: str | None
    notification_id: str | None
    path: str
    headers: Headers
    payload: bytes
    status: int
    reason: str | None
    accepted: bool
    answered: bool
    note: dict[str, Any] | None = None  # what only this simulator knows, shown beside the rest

    def shown(self) -> dict[str, Any]:
        """As the admin API shows it."""
        return {
            "n": self.n,
            "at": self.at,
            "connection": self.connection,
            "device": self.device,
            "id": self.id,
            "notification_id": self.notification_id,
            "request": {
                "path": self.path,
                "headers": dict(self.headers),
                "payload": readable(self.payload),
            },
            "answer": {"status": self.status, "reason": self.reason},
            "answered": self.answered,
            "accepted": self.accepted,
            **(self.note or {}),
        }


class _Waiter(msgspec.Struct):
    count: int
    notification_id: str | None
    done: asyncio.Future[None]


class Journal:
    """A ring of entries with counters that never forget until `clear`."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiters: list[_Waiter] = []
        self._shared_text: dict[str, str] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all but the numbering and those who wait."""
        self._entries: deque[Entry] = deque()
        self._by_notification: dict[str, list[Entry]] = {}
        self._accepted_by_notification: Counter[str] = Counter()
        self._pairs: set[int] = set()
        self._duplicate_pairs: Counter[tuple[str, str]] = Counter()
        self.accepted = 0
        self.by_status: Counter[int] = Counter()
        self.by_reason: Counter[str] = Counter()

    def record(self, entry: Entry) -> Entry:
        """Number and keep an entry; wakes those who wait for it."""
        entry.n = next(self._numbers)
        entry.at = time.time()
        entry.headers = tuple(
            (self._share(name), self._share(value)) for name, value in entry.headers
        )
        if len(self._entries) >= ENTRIES_MAX:
            self._drop_oldest()
        self._entries.append(entry)
        self.by_status[entry.status] += 1
        if entry.reason is not None:
            self.by_reason[entry.reason] += 1
        if entry.notification_id is not None:
            self._by_notification.setdefault(entry.notification_id, []).append(entry)
        if entry.accepted:
            self._count_accepted(entry)
        return entry

    def page(self, after: int, limit: int) -> list[Entry]:
        """Entries numbered above `after`, oldest first."""
        first = self._entries[0].n if self._entries else 0
        start = max(0, after + 1 - first)
        return list(itertools.islice(self._entries, start, start + limit))

    def of_notification(self, notification_id: str) -> list[Entry]:
        """Entries of that notification still in the ring."""
        return list(self._by_notification.get(notification_id, ()))

    def accepted_of(self, notification_id: str | None) -> int:
        """How many were accepted, of all or of one notification."""
        return (
            self.accepted
            if notification_id is None
            else self._accepted_by_notification[notification_id]
        )

    async def wait(self, count: int, notification_id: str | None, timeout_seconds: float) -> bool:
        """Wait until so many were accepted; false when time ran out."""
        if self.accepted_of(notification_id) >= count:
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
        """The counters."""
        pairs = [
            {"device": device, "notification_id": notification_id, "accepted": extra + 1}
            for (device, notification_id), extra in itertools.islice(
                self._duplicate_pairs.items(), PAIRS_SHOWN
            )
        ]
        return {
            "accepted": self.accepted,
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "by_reason": dict(self.by_reason),
            "duplicates": self._duplicate_pairs.total(),
            "duplicate_pairs": pairs,
        }

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def _count_accepted(self, entry: Entry) -> None:
        self.accepted += 1
        if entry.notification_id is not None:
            self._accepted_by_notification[entry.notification_id] += 1
            if entry.device is not None:
                pair = hash(
                    (entry.device, entry.notification_id)
                )  # an int, not two strings, a million times
                if pair in self._pairs:
                    self._duplicate_pairs[entry.device, entry.notification_id] += 1
                self._pairs.add(pair)
        for waiter in self._waiters:
            if not waiter.done.done() and self.accepted_of(waiter.notification_id) >= waiter.count:
                waiter.done.set_result(None)

    def _drop_oldest(self) -> None:
        oldest = self._entries.popleft()
        if oldest.notification_id is not None:
            same = self._by_notification[oldest.notification_id]
            same.pop(0)
            if not same:
                del self._by_notification[oldest.notification_id]

    def _share(self, text: str) -> str:
        """One object for header text that repeats."""
        if len(self._shared_text) < INTERNED_MAX:
            return self._shared_text.setdefault(text, text)
        return self._shared_text.get(text, text)


def readable(payload: bytes) -> Any:
    """JSON when it is JSON, else text, else null for nothing."""
    if not payload:
        return None
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return payload.decode("utf-8", "replace")
