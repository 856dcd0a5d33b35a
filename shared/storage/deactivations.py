"""Deactivations that an app has not been told of: notes on its devices' rows.

A note is part of the write that deactivates, so none is lost; it goes once the app was told.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from shared.domain.devices import Platform, Provider
from shared.storage.mongo import Database


class Deactivation(msgspec.Struct, frozen=True, kw_only=True):
    """What a device was when it was deactivated, and why; it may be active again."""

    at: datetime
    reason: str
    user_id: UUID
    platform: Platform
    provider: Provider


class Untold(msgspec.Struct, frozen=True, kw_only=True):
    """The notes of one device."""

    device_id: UUID
    app_id: UUID
    deactivations: tuple[Deactivation, ...]


class DeactivationRepository:
    """What is in the collection `devices` beside the devices."""

    def __init__(self, database: Database) -> None:
        self._devices = database["devices"]

    async def untold(self, *, limit: int) -> list[Untold]:
        """Devices with notes, those that have waited longest first."""
        rows = await self._devices.find(
            {"untold": {"$exists": True}},
            projection={"app_id": 1, "untold": 1},
            sort=[("untold.at", 1)],
            limit=limit,
        )
        return [
            Untold(
                device_id=row["_id"],
                app_id=row["app_id"],
                deactivations=tuple(Deactivation(**note) for note in row["untold"]),
            )
            for row in rows
        ]

    async def told(self, devices: list[Untold]) -> None:
        """Drop notes, unless more have come to a device since; then all of them are told again."""
        for device in devices:
            notes = [msgspec.structs.asdict(note) for note in device.deactivations]
            await self._devices.update_one(
                {"_id": device.device_id, "app_id": device.app_id, "untold": notes},
                {"$unset": {"untold": ""}},
            )
