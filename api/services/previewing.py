"""Previews of a send: what each of a user's devices would get, without sending anything."""

import asyncio
from uuid import UUID

import msgspec

from api.services.accept import NotEnrolled, NotSchedulable
from api.services.planning import Request, at_once, build, unschedulable
from shared.clock import Clock
from shared.domain.apps import App
from shared.domain.credentials import Credential
from shared.domain.devices import PROVIDERS, Device, Provider
from shared.domain.notifications import Notification
from shared.providers.previews import Preview, Skipped, preview
from shared.providers.registry import ProviderSettings
from shared.storage.credentials import CredentialRepository
from shared.storage.devices import DeviceFilter, DeviceRepository
from shared.storage.enrolments import EnrolmentRepository

DEVICES_MAX = 200


class DevicePreview(msgspec.Struct, frozen=True):
    """One device, and its request or why there is none."""

    device: Device
    outcome: Preview | Skipped


class Previewer:
    """Reads what a send would read, and stops before it writes."""

    def __init__(
        self,
        devices: DeviceRepository,
        enrolments: EnrolmentRepository,
        credentials: CredentialRepository,
        settings: ProviderSettings,
        clock: Clock,
    ) -> None:
        self._devices, self._enrolments = devices, enrolments
        self._credentials, self._settings = credentials, settings
        self._clock = clock

    async def preview(
        self, app: App, request: Request
    ) -> list[DevicePreview] | NotEnrolled | NotSchedulable:
        """Every device of the request's one recipient, active or not, oldest first."""
        now = self._clock()
        request = at_once(request, now)
        if misplaced := unschedulable(request, now):
            return NotSchedulable(misplaced)
        user_id = request.recipients[0].user_id
        if not await self._enrolments.is_enrolled(app.app_id, user_id):
            return NotEnrolled({user_id})
        send, _ = build(app.app_id, request, [], now)
        devices, credentials = await asyncio.gather(
            self._devices_of(app.app_id, user_id), self._credentials_of(app.app_id)
        )
        notification = send.notification(0)
        return [
            DevicePreview(d, self._outcome(notification, d, credentials[d.provider]))
            for d in devices
        ]

    async def _devices_of(self, app_id: UUID, user_id: UUID) -> list[Device]:
        which = DeviceFilter(user_id=user_id, active=None)
        rows = await self._devices.page(app_id, which, limit=DEVICES_MAX)
        opened = await self._devices.of_ids([row.device_id for row in rows])
        return [opened[row.device_id] for row in rows if row.device_id in opened]

    async def _credentials_of(self, app_id: UUID) -> dict[Provider, Credential | None]:
        found = await asyncio.gather(*(self._credentials.get(app_id, p) for p in PROVIDERS))
        return dict(zip(PROVIDERS, found, strict=True))

    def _outcome(
        self, notification: Notification, device: Device, credential: Credential | None
    ) -> Preview | Skipped:
        if not device.active:
            return Skipped(f"inactive: {device.deactivated_reason}")
        if device.token == "":
            return Skipped("unreadable_token")
        if not notification.content.options.takes(device.platform):
            return Skipped("platform_not_meant")
        return preview(notification, device, credential, self._settings, notification.starts_at)
