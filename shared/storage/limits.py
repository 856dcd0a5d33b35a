"""Sliding-window limits, exact across processes: the last instants of a key in one document."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.storage.mongo import Database, Document

REGISTRATIONS_MAX = 10
REGISTRATION_WINDOW = timedelta(hours=1)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A sliding window after a try: `is_taken` if the try was within the limit and now counts.

    `frees_seconds` is when the oldest use falls out, and 0 when there is none.
    """

    is_taken: bool
    remaining: int
    frees_seconds: float


class LimitRepository:
    """One document per key: `at` holds the instants that still count.

    An instant counts for exactly the window's length: it is out of the window when it is that old.
    All of a try happens in one update of one document, so tries that race are put in some order by
    the server. Instants are those of the callers' clocks, in any order and alike if they like.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._limits = database["limits"]
        self._clock = clock

    async def try_registration(self, app_id: UUID, user_id: UUID) -> Window:
        """Take one of the user's 10 registrations in any 60 minutes, if one is left."""
        key = _registration_key(app_id, user_id)
        return await self._take(key, REGISTRATIONS_MAX, REGISTRATION_WINDOW)

    async def registrations(self, app_id: UUID, user_id: UUID) -> Window:
        """The window as it stands; this takes nothing."""
        now = self._clock()
        document = await self._limits.find_one({"_id": _registration_key(app_id, user_id)})
        counting = _counting(document, now - REGISTRATION_WINDOW)
        remaining = REGISTRATIONS_MAX - len(counting)
        frees = _frees_seconds(counting, REGISTRATION_WINDOW, now)
        return Window(is_taken=False, remaining=remaining, frees_seconds=frees)

    async def try_failure(self, key: str, *, most: int, window: timedelta) -> Window:
        """Note one more failure of a key, if there were fewer than `most` in the window."""
        return await self._take(f"failure:{key}", most, window)

    async def try_call(self, key: str, *, most: int, window: timedelta) -> Window:
        """Take one of the calls that a key may make in the window, if one is left."""
        return await self._take(f"call:{key}", most, window)

    async def _take(self, key: str, most: int, window: timedelta) -> Window:
        now = self._clock()
        before = await self._updated(key, _taken(now, most, window))
        counting = _counting(before, now - window)  # what the server has counted, too
        is_taken = len(counting) < most
        if is_taken:
            counting = [*counting, now]
        return Window(
            is_taken=is_taken,
            remaining=most - len(counting),
            frees_seconds=_frees_seconds(counting, window, now),
        )

    async def _updated(self, key: str, change: list[Document]) -> Document | None:
        """The document as it was before the change."""
        which = {"_id": key}
        before: Document | None
        try:
            before = await self._limits.find_one_and_update(
                which, change, upsert=True, return_new=False
            )
        except DuplicateKeyError:  # the key's first two tries raced: the other one won
            before = await self._limits.find_one_and_update(which, change, return_new=False)
        return before


def _taken(now: datetime, most: int, window: timedelta) -> list[Document]:
    """Forget what is out of the window, then add `now` if that leaves room.

    `expires_at` is for tidying only and lies well behind the window: the server's clock decides it.
    """
    in_window = {"$gt": ["$$this", now - window]}
    counting = {"$filter": {"input": {"$ifNull": ["$at", []]}, "cond": in_window}}
    with_now = {"$concatArrays": ["$at", [now]]}
    has_room = {"$lt": [{"$size": "$at"}, most]}
    kept_until = {"$max": ["$expires_at", now + 2 * window]}
    return [
        {"$set": {"at": counting}},
        {
            "$set": {
                "at": {"$cond": [has_room, with_now, "$at"]},
                "expires_at": {"$cond": [has_room, kept_until, "$expires_at"]},
            }
        },
    ]


def _counting(document: Document | None, cutoff: datetime) -> Sequence[datetime]:
    return [at for at in document["at"] if at > cutoff] if document else []


def _frees_seconds(counting: Sequence[datetime], window: timedelta, now: datetime) -> float:
    return (min(counting) + window - now).total_seconds() if counting else 0.0


def _registration_key(app_id: UUID, user_id: UUID) -> str:
    return f"register:{app_id}:{user_id}"
