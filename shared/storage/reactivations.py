"""Undoing deactivations: devices that a provider's answers took away come back.

Each is looked at by itself and changed only if nothing has happened to it meanwhile, so this may be
stopped, repeated, and run beside registrations.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from shared.domain.devices import ACTIVE_DEVICES_PER_USER_MAX, PROVIDERS, Provider
from shared.storage.mongo import Collection, Database, Document, Transaction

Verdict = Literal["reactivated", "over_cap", "other_session", "changed"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A device that a provider's answer has deactivated."""

    device_id: UUID
    user_id: UUID
    provider: Provider
    registered_at: datetime
    deactivated_at: datetime
    deactivated_reason: str


class ReactivationRepository:
    """What an operator undoes in the collection `devices`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._devices = database["devices"]

    async def count(self, app_id: UUID, since: datetime, provider: Provider | None) -> int:
        return await self._devices.count(_gone(app_id, since, provider))

    async def page(
        self,
        app_id: UUID,
        since: datetime,
        provider: Provider | None,
        *,
        after: UUID | None,
        limit: int,
    ) -> list[Candidate]:
        """Devices that providers' answers have deactivated since an instant, in id order."""
        query = _gone(app_id, since, provider)
        if after is not None:
            query["_id"] = {"$gt": after}
        fields = {name: 1 for name in Candidate.__struct_fields__ if name != "device_id"}
        rows = await self._devices.find(query, projection=fields, sort=[("_id", 1)], limit=limit)
        return [Candidate(device_id=row.pop("_id"), **row) for row in rows]

    async def examine(self, app_id: UUID, candidate: Candidate) -> Verdict:
        """What `reactivate` would say."""
        return await _obstacle(self._devices, app_id, candidate) or "reactivated"

    async def reactivate(self, app_id: UUID, candidate: Candidate) -> Verdict:
        """Give a device back to its user, if there is room for it and nothing has changed.

        A user has one session with Pushy, which is why that takes a transaction (sessions.py).
        """
        if candidate.provider != "pushy":
            return await self._reactivate(app_id, candidate)

        async def work(inside: Transaction) -> Verdict:
            session = {"_id": f"{app_id}:{candidate.user_id}"}
            await inside["sessions"].update_one(
                session, {"$set": {"app_id": app_id}, "$inc": {"count": 1}}, upsert=True
            )
            return await _give_back(inside["devices"], app_id, candidate)

        return await self._database.in_transaction(work)

    async def _reactivate(self, app_id: UUID, candidate: Candidate) -> Verdict:
        verdict = await _give_back(self._devices, app_id, candidate)
        if verdict == "reactivated" and await _active(self._devices, app_id, candidate) > (
            ACTIVE_DEVICES_PER_USER_MAX
        ):  # the user registered another one at this moment
            given = {"active": True, "registered_at": candidate.registered_at}
            await self._devices.update_one(
                _row(app_id, candidate) | given, {"$set": _state_of(candidate)}
            )
            return "over_cap"
        return verdict


async def _give_back(devices: Collection, app_id: UUID, candidate: Candidate) -> Verdict:
    obstacle = await _obstacle(devices, app_id, candidate)
    if obstacle is not None:
        return obstacle
    unchanged = _row(app_id, candidate) | _state_of(candidate)
    change = {
        "$set": {"active": True, "deactivated_reason": None, "suspicions": 0},
        "$unset": {"deactivated_at": ""},
    }
    return "reactivated" if await devices.update_one(unchanged, change) else "changed"


async def _obstacle(devices: Collection, app_id: UUID, candidate: Candidate) -> Verdict | None:
    if candidate.provider == "pushy" and await devices.count(
        _of_user(app_id, candidate) | {"provider": "pushy"}
    ):
        return "other_session"
    if await _active(devices, app_id, candidate) >= ACTIVE_DEVICES_PER_USER_MAX:
        return "over_cap"
    return None


async def _active(devices: Collection, app_id: UUID, candidate: Candidate) -> int:
    return await devices.count(_of_user(app_id, candidate))


def _gone(app_id: UUID, since: datetime, provider: Provider | None) -> Document:
    """Those whose reason is a provider's answer: `<provider>:<what it said>`."""
    names = "|".join(PROVIDERS if provider is None else [provider])
    return {
        "app_id": app_id,
        "active": False,
        "deactivated_at": {"$gte": since},
        "deactivated_reason": {"$regex": f"^({names}):"},
    }


def _row(app_id: UUID, candidate: Candidate) -> Document:
    return {"_id": candidate.device_id, "app_id": app_id, "user_id": candidate.user_id}


def _of_user(app_id: UUID, candidate: Candidate) -> Document:
    return {"app_id": app_id, "user_id": candidate.user_id, "active": True}


def _state_of(candidate: Candidate) -> Document:
    return {
        "active": False,
        "deactivated_at": candidate.deactivated_at,
        "deactivated_reason": candidate.deactivated_reason,
    }
