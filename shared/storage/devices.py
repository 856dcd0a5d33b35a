"""Devices: tokens sealed, looked up by keyed hash; every change is conditional and says so."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.crypto.keyring import CannotOpen, Keyring
from shared.domain.devices import (
    ACTIVE_DEVICES_PER_USER_MAX,
    ActiveDevice,
    ApnsEnvironment,
    Device,
    Platform,
    Provider,
    identity_of,
)
from shared.ids import new_id
from shared.logs import get_logger
from shared.storage.mongo import Database, Document

log = get_logger(__name__)


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller registers: `token` in the clear, Web Push as the subscription's JSON text."""

    user_id: UUID
    platform: Platform
    provider: Provider
    token: str
    language: str | None = None
    timezone: str | None = None
    app_version: str | None = None
    apns_environment: str | None = None


class DeviceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices of an app; None means any."""

    user_id: UUID | None = None
    platform: Platform | None = None
    provider: Provider | None = None
    active: bool | None = True

    def query(self, app_id: UUID) -> Document:
        given = msgspec.structs.asdict(self)
        any_activity = {"active": {"$in": [True, False]}}  # names the field that the indexes hold
        return {"app_id": app_id} | any_activity | {k: v for k, v in given.items() if v is not None}


class DeviceRepository:
    """One document per (app, token)."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._devices = database["devices"]
        self._keyring = keyring
        self._clock = clock

    def token_hash(self, app_id: UUID, provider: Provider, token: str) -> bytes:
        """What a token is looked up by; the same token has another hash in another app."""
        identity = identity_of(provider, token)
        return self._keyring.lookup_hash(identity.encode(), f"{app_id}|token")

    def key_of(self, app_id: UUID, registration: Registration) -> Document:
        """Which row a token has in an app."""
        token_hash = self.token_hash(app_id, registration.provider, registration.token)
        return {"app_id": app_id, "token_hash": token_hash}

    async def register(self, app_id: UUID, registration: Registration) -> UUID:
        """Create the token's device, or move the one that has it to this user and revive it.

        Returns:
            The device's id, which stays the same for as long as the app knows the token.
        """
        key = self.key_of(app_id, registration)
        change = self.registered(app_id, registration)
        try:
            document = await self._devices.find_one_and_update(key, change, upsert=True)
        except DuplicateKeyError:  # two first registrations of one token raced: the other one won
            document = await self._devices.find_one_and_update(key, change)
        await self.cap(app_id, registration.user_id)
        device_id: UUID = document["_id"]
        return device_id

    def registered(self, app_id: UUID, registration: Registration) -> Document:
        """The change that makes a row this registration's."""
        now = self._clock()
        fields = msgspec.structs.asdict(registration)
        token: str = fields.pop("token")
        if registration.apns_environment is None:
            del fields["apns_environment"]  # what is known of a token stays known
        fields |= {
            "token": self._keyring.seal(token.encode(), f"{app_id}|token"),
            "active": True,
            "registered_at": now,
            "last_seen_at": now,
            "deactivated_reason": None,
            "suspicions": 0,
        }
        return {
            "$set": fields,
            "$unset": {"deactivated_at": ""},
            "$setOnInsert": {"_id": new_id(now), "created_at": now},
        }

    async def cap(self, app_id: UUID, user_id: UUID) -> None:
        """Deactivate a user's least recently seen devices beyond the fiftieth."""
        query = {"app_id": app_id, "user_id": user_id, "active": True}
        rows = await self._devices.find(
            query, projection={"_id": 1}, sort=[("last_seen_at", -1), ("_id", -1)]
        )
        surplus = [row["_id"] for row in rows[ACTIVE_DEVICES_PER_USER_MAX:]]
        if surplus:
            await self._devices.update_many(
                query | {"_id": {"$in": surplus}}, self.deactivated("too_many_devices")
            )

    async def touch(self, app_id: UUID, registration: Registration) -> UUID | None:
        """Register a user's own active, unchanged token again; None when there is no such."""
        own = self.key_of(app_id, registration) | {
            "user_id": registration.user_id,
            "provider": registration.provider,
            "active": True,
        }
        document = await self._devices.find_one(own)
        if document is None or self._from(document).token != registration.token:
            return None
        document = await self._devices.find_one_and_update(
            own, {"$set": self.registered(app_id, registration)["$set"]}
        )
        return None if document is None else document["_id"]

    async def get(self, app_id: UUID, device_id: UUID) -> Device | None:
        document = await self._devices.find_one({"_id": device_id, "app_id": app_id})
        return None if document is None else self._from(document)

    async def of_ids(self, device_ids: Collection[UUID]) -> dict[UUID, Device]:
        """Devices with their tokens in the clear; the caller knows their apps from its chunks.

        One whose token does not open (damaged, or sealed with a key that is gone) has the token "".
        """
        documents = await self._devices.find({"_id": {"$in": list(device_ids)}})
        return {document["_id"]: self._from(document, unreadable="") for document in documents}

    async def active_of_users(self, app_id: UUID, user_ids: Collection[UUID]) -> list[ActiveDevice]:
        documents = await self._devices.find(
            {"app_id": app_id, "user_id": {"$in": list(user_ids)}, "active": True},
            projection={"user_id": 1, "provider": 1, "platform": 1},
        )
        return [
            ActiveDevice(d["_id"], d["user_id"], d["provider"], d["platform"]) for d in documents
        ]

    async def page(
        self, app_id: UUID, which: DeviceFilter, *, limit: int, after: UUID | None = None
    ) -> list[Device]:
        """Up to `limit` devices in id order, behind `after`; their tokens are left out ("")."""
        query = which.query(app_id)
        if after is not None:
            query["_id"] = {"$gt": after}
        documents = await self._devices.find(
            query, projection={"token": 0}, sort=[("_id", 1)], limit=limit
        )
        return [self._from(document) for document in documents]

    async def count(self, app_id: UUID, which: DeviceFilter) -> int:
        return await self._devices.count(which.query(app_id))

    async def unregister(self, app_id: UUID, device_id: UUID, *, user_id: UUID | None) -> bool:
        """Deactivate on request; whether the app (and user, when given) has such a device."""
        query: Document = {"_id": device_id, "app_id": app_id}
        if user_id is not None:
            query["user_id"] = user_id
        change = {"$set": self._inactive("unregistered_by_caller")}  # the app knows
        if await self._devices.update_one(query | {"active": True}, change):
            return True
        return await self._devices.find_one(query, {"_id": 1}) is not None

    async def deactivate(
        self,
        app_id: UUID,
        device_id: UUID,
        *,
        token_hash: bytes,
        registered_before: datetime,
        reason: str,
    ) -> bool:
        """Deactivate if the row still holds that token, registered no later than the instant.

        Returns:
            Whether it changed anything: a device that registered again since stays active.
        """
        query = {
            "_id": device_id,
            "app_id": app_id,
            "token_hash": token_hash,
            "active": True,
            "registered_at": {"$lte": registered_before},
        }
        return await self._devices.update_one(query, self.deactivated(reason)) == 1

    async def remember_environment(
        self, app_id: UUID, device_id: UUID, environment: ApnsEnvironment, *, token_hash: bytes
    ) -> bool:
        """Remember where a token is at home, unless its owner has said so meanwhile."""
        query = {
            "_id": device_id,
            "app_id": app_id,
            "token_hash": token_hash,
            "apns_environment": None,
        }
        change = {"$set": {"apns_environment": environment}}
        return await self._devices.update_one(query, change) == 1

    async def suspect(
        self, app_id: UUID, device_id: UUID, *, token_hash: bytes, suspicions: int
    ) -> int:
        """Note that a token has so many suspicions in a row; how many it has now.

        The number, not one more: a call that is repeated because its answer was lost counts once.
        """
        document = await self._devices.find_one_and_update(
            {"_id": device_id, "app_id": app_id, "token_hash": token_hash},
            {"$max": {"suspicions": suspicions}},
        )
        return 0 if document is None else int(document["suspicions"])

    async def clear_suspicions(self, app_id: UUID, device_id: UUID) -> None:
        await self._devices.update_one(
            {"_id": device_id, "app_id": app_id}, {"$set": {"suspicions": 0}}
        )

    def deactivated(self, reason: str) -> list[Document]:
        """The change that deactivates a row, with a note for the app, which is to be told."""
        fields = self._inactive(reason)
        said: Document = {"at": fields["deactivated_at"], "reason": {"$literal": reason}}
        row = {name: f"${name}" for name in ("user_id", "platform", "provider")}
        untold = {"$concatArrays": [{"$ifNull": ["$untold", []]}, [said | row]]}
        literal = {name: {"$literal": value} for name, value in fields.items()}
        return [{"$set": literal | {"untold": untold}}]

    def _inactive(self, reason: str) -> Document:
        return {"active": False, "deactivated_reason": reason, "deactivated_at": self._clock()}

    def _token(self, document: Document, unreadable: str | None) -> str:
        """The token in the clear; `unreadable` instead of CannotOpen, when it is given."""
        if "token" not in document:
            return ""
        try:
            return self._keyring.open(document["token"], f"{document['app_id']}|token").decode()
        except CannotOpen as error:
            if unreadable is None:
                raise
            log.warning("device.unreadable", device_id=document["_id"], error=str(error))
            return unreadable

    def _from(self, document: Document, *, unreadable: str | None = None) -> Device:
        fields: dict[str, Any] = {
            name: document[name]
            for name in Device.__struct_fields__
            if name in document and name not in ("token", "token_hash")
        }
        return Device(
            device_id=document["_id"],
            token=self._token(document, unreadable),
            token_hash=bytes(document["token_hash"]),
            **fields,
        )
