"""Devices: registered under a limit, listed page by page, unregistered by owner or app."""

import asyncio
import math
from uuid import UUID

import msgspec

from api.auth.principals import Service, User, reaches
from api.directory import AppDirectory
from api.errors import (
    AppNotFoundError,
    DeviceNotFoundError,
    FieldError,
    PushNotEnabledError,
    TooManyRegistrationsError,
    UserNotEnrolledError,
)
from api.services.push_tokens import TokenRules
from shared.domain.apps import App
from shared.domain.devices import ApnsEnvironment, Device, Platform, Provider
from shared.storage.devices import DeviceFilter, DeviceRepository, Registration
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.limits import (
    REGISTRATION_WINDOW,
    REGISTRATIONS_MAX,
    LimitRepository,
    Window,
)


class DevicePage(msgspec.Struct, frozen=True):
    """Some devices of an app, how many there are in all, and where the next page begins."""

    devices: list[Device]
    total: int
    next_after: UUID | None


class DeviceWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a user wants to register; Web Push subscriptions come as their JSON text."""

    platform: Platform
    push_token: str
    provider: Provider | None = None
    language: str | None = None
    timezone: str | None = None
    app_version: str | None = None
    apns_environment: ApnsEnvironment | None = None


class Registered(msgspec.Struct, frozen=True):
    """The device, and what is left of its user's registrations."""

    device_id: UUID
    remaining: int
    frees_in_seconds: int


class DeviceService:
    """Everything callers do with devices."""

    def __init__(
        self,
        devices: DeviceRepository,
        enrolments: EnrolmentRepository,
        limits: LimitRepository,
        *,
        directory: AppDirectory,
        rules: TokenRules,
    ) -> None:
        self._rules = rules
        self._devices = devices
        self._enrolments = enrolments
        self._limits = limits
        self._directory = directory

    async def register(self, user: User, app_id: UUID, wish: DeviceWish) -> Registered:
        """Create the token's device, or move it to this user, or note that it was seen again.

        Raises:
            ValidationFailedError: no push token of that provider.
            AppNotFoundError: not an app of the caller's token, whether it exists or not.
            PushNotEnabledError: the app has not enabled push.
            UserNotEnrolledError: the app enrols its users itself, and has not enrolled this one.
            TooManyRegistrationsError: an eleventh within 60 minutes.
        """
        app = await self._enabled_app(user, app_id)
        registration = self._registration(user, wish)
        if not app.auto_enroll:
            await self._require_enrolment(app_id, user.user_id)
        known = await self._devices.touch(app_id, registration)
        window = await self._count(app_id, user.user_id, is_free=known is not None)
        if app.auto_enroll:
            await self._enrolments.enroll(app_id, [user.user_id])
        device_id = known or await self._devices.register(app_id, registration)
        return Registered(device_id, window.remaining, math.ceil(window.frees_seconds))

    async def _count(self, app_id: UUID, user_id: UUID, *, is_free: bool) -> Window:
        """Registering one's own unchanged token again is free."""
        if is_free:
            return await self._limits.registrations(app_id, user_id)
        window = await self._limits.try_registration(app_id, user_id)
        if not window.is_taken:
            raise TooManyRegistrationsError(
                most=REGISTRATIONS_MAX,
                window_seconds=int(REGISTRATION_WINDOW.total_seconds()),
                wait_seconds=math.ceil(window.frees_seconds),
            )
        return window

    async def _enabled_app(self, user: User, app_id: UUID) -> App:
        app = await self._directory.find(app_id) if app_id in user.app_ids else None
        if app is None or not reaches(user.tenants, app.tenant_id):
            raise AppNotFoundError
        if not app.enabled:
            raise PushNotEnabledError
        return app

    def _registration(self, user: User, wish: DeviceWish) -> Registration:
        provider, token = self._rules.resolve(wish.platform, wish.push_token, wish.provider)
        return Registration(
            user_id=user.user_id,
            platform=wish.platform,
            provider=provider,
            token=token,
            language=wish.language,
            timezone=wish.timezone,
            app_version=wish.app_version,
            apns_environment=wish.apns_environment,
        )

    async def _require_enrolment(self, app_id: UUID, user_id: UUID) -> None:
        if not await self._enrolments.is_enrolled(app_id, user_id):
            raise UserNotEnrolledError([FieldError("#", "the token's user is not enrolled")])

    async def page(
        self, app_id: UUID, which: DeviceFilter, *, limit: int, after: UUID | None
    ) -> DevicePage:
        rows, total = await asyncio.gather(
            self._devices.page(app_id, which, limit=limit + 1, after=after),
            self._devices.count(app_id, which),
        )
        has_more = len(rows) > limit
        shown = rows[:limit]
        return DevicePage(shown, total, shown[-1].device_id if has_more else None)

    async def unregister(self, caller: User | Service, device_id: UUID | None) -> None:
        """Deactivate a device of the calling user or app.

        Raises:
            DeviceNotFoundError: absent, or somebody else's.
        """
        user_id = caller.user_id if isinstance(caller, User) else None
        if device_id is not None:
            for app_id in caller.app_ids:
                if await self._directory.find(app_id) is None:  # deleted; its rows are still there
                    continue
                if await self._devices.unregister(app_id, device_id, user_id=user_id):
                    return
        raise DeviceNotFoundError
