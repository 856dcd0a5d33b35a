"""Pushy's devices: a user has one active session, a token one user; and which topics it follows.

The rows are those of `devices`. Beginning a session is the one thing that takes a transaction: it
changes rows of several users. Every session of a user goes through the user's own document, so that
two of them cannot begin unseen by each other. Within a process those that would meet take turns:
left to the database, fifty at once are in each other's way for seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from uuid import UUID
from weakref import WeakValueDictionary

from shared.domain.devices import Device, Provider
from shared.storage.devices import DeviceRepository, Registration
from shared.storage.mongo import Database, Document, StorageUnavailable, Transaction

PROVIDER: Provider = "pushy"
TOPICS_MIRRORED_MAX = 1_000  # Pushy knows no limit
_HASHES_PER_QUERY = 1_000
_TURN_SECONDS = 4.0


class SessionRepository:
    """What the Pushy API keeps of devices."""

    def __init__(self, database: Database, devices: DeviceRepository) -> None:
        self._database = database
        self._rows = database["devices"]
        self._devices = devices
        self._turns = _Turns()

    async def begin(self, app_id: UUID, registration: Registration) -> UUID:
        """Make the token the user's one active session, whoever had it before.

        Returns:
            The device's id.

        Raises:
            StorageUnavailable: it may or may not have begun, or too many begin at once.
        """
        key = self._devices.key_of(app_id, registration)
        change = self._devices.registered(app_id, registration)
        others = {
            "app_id": app_id,
            "user_id": registration.user_id,
            "provider": PROVIDER,
            "active": True,
        }

        async def work(inside: Transaction) -> UUID:
            session = {"_id": f"{app_id}:{registration.user_id}"}
            await inside["sessions"].update_one(
                session, {"$set": {"app_id": app_id}, "$inc": {"count": 1}}, upsert=True
            )
            row = await inside["devices"].find_one_and_update(key, change, upsert=True)
            await inside["devices"].update_many(
                others | {"_id": {"$ne": row["_id"]}}, self._devices.deactivated("other_session")
            )
            device_id: UUID = row["_id"]
            return device_id

        async with self._turns.take(registration.user_id.bytes, key["token_hash"]):
            device_id = await self._database.in_transaction(work)
        await self._devices.cap(app_id, registration.user_id)
        return device_id

    async def active_of(self, app_id: UUID, user_id: UUID) -> list[Device]:
        """The user's active devices with their tokens in the clear, oldest first."""
        query = {"app_id": app_id, "user_id": user_id, "provider": PROVIDER, "active": True}
        rows = await self._rows.find(query, projection={"_id": 1}, sort=[("_id", 1)])
        opened = await self._devices.of_ids([row["_id"] for row in rows])
        return [opened[row["_id"]] for row in rows if row["_id"] in opened]

    async def owned(self, app_id: UUID, user_id: UUID, tokens: Collection[str]) -> set[str]:
        """Those of the tokens that are active devices of the user."""
        own = {device.token for device in await self.active_of(app_id, user_id)}
        return own.intersection(tokens)

    async def follow(self, app_id: UUID, token: str, topics: Sequence[str]) -> None:
        """Note what Pushy has subscribed a token to, of very many topics not all."""
        union = {"$setUnion": [{"$ifNull": ["$topics", []]}, list(topics)]}
        change = [{"$set": {"topics": {"$slice": [union, TOPICS_MIRRORED_MAX]}}}]
        await self._rows.update_one(self._key(app_id, token), change)

    async def unfollow(self, app_id: UUID, token: str, topics: Sequence[str]) -> None:
        """Note what Pushy has unsubscribed a token from; `*` is all of it."""
        change: Document = (
            {"$set": {"topics": []}}
            if "*" in topics
            else {"$pull": {"topics": {"$in": list(topics)}}}
        )
        await self._rows.update_one(self._key(app_id, token), change)

    async def deactivate(
        self, app_id: UUID, tokens: Collection[str], *, registered_before: datetime, reason: str
    ) -> int:
        """Deactivate tokens that Pushy does not know, unless they registered again since."""
        every = list(tokens)
        changed = 0
        for start in range(0, len(every), _HASHES_PER_QUERY):
            hashes = self._hashes(app_id, every[start : start + _HASHES_PER_QUERY])
            changed += await self._rows.update_many(
                {
                    "app_id": app_id,
                    "token_hash": {"$in": hashes},
                    "provider": PROVIDER,
                    "active": True,
                    "registered_at": {"$lte": registered_before},
                },
                self._devices.deactivated(reason),
            )
        return changed

    async def page(self, app_id: UUID, *, after: UUID | None, limit: int) -> list[Device]:
        """Active devices of an app with their tokens in the clear, page by page in id order."""
        query: Document = {"app_id": app_id, "active": True, "provider": PROVIDER}
        if after is not None:
            query["_id"] = {"$gt": after}
        rows = await self._rows.find(query, projection={"_id": 1}, sort=[("_id", 1)], limit=limit)
        opened = await self._devices.of_ids([row["_id"] for row in rows])
        return [opened[row["_id"]] for row in rows if row["_id"] in opened]

    def _key(self, app_id: UUID, token: str) -> Document:
        return {"app_id": app_id, "token_hash": self._devices.token_hash(app_id, PROVIDER, token)}

    def _hashes(self, app_id: UUID, tokens: Iterable[str]) -> list[bytes]:
        return [self._devices.token_hash(app_id, PROVIDER, token) for token in tokens]


class _Turns:
    """Locks by name, there while somebody has or awaits them."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, *names: bytes) -> AsyncIterator[None]:
        """Hold all of them; in one order, so that nobody waits for each other.

        Raises:
            StorageUnavailable: others took too long.
        """
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(_TURN_SECONDS):
                    for name in sorted(names):
                        lock = self._locks.setdefault(name, asyncio.Lock())
                        await held.enter_async_context(lock)
            except TimeoutError:
                raise StorageUnavailable("too many at once") from None
            yield
