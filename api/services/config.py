"""An app's push configuration: changed field by field, with its secrets made on first enable."""

import base64
import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from api.directory import AppDirectory
from api.errors import AppNotFoundError, invalid
from api.services.credentials import CredentialService
from shared.clock import Clock
from shared.domain.apps import App, ReceiptChoice, WebhookSecret
from shared.outbound.addresses import check_url
from shared.storage.apps import AppRepository
from shared.storage.devices import DeviceFilter, DeviceRepository
from shared.storage.quotas import QuotaRepository
from shared.storage.webhooks import RENEWED

OLD_SECRET_SIGNS_FOR = timedelta(hours=24)
OLD_SECRETS_MAX = 3
SECRET_BYTES = 32
WEBHOOK_REFUSED = "must be https with a public host name, on port 443 or 8443"


class ConfigChange(msgspec.Struct, frozen=True, kw_only=True):
    """The fields to change; UNSET ones stay."""

    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    webhook_url: str | msgspec.UnsetType | None = msgspec.UNSET
    daily_quota: int | msgspec.UnsetType | None = msgspec.UNSET
    auto_enroll: bool | msgspec.UnsetType = msgspec.UNSET
    receipts: ReceiptChoice | msgspec.UnsetType = msgspec.UNSET
    regenerate_webhook_secret: bool = False

    def given(self) -> dict[str, Any]:
        """The App fields to set. A webhook that is given again is enabled again."""
        fields = msgspec.structs.asdict(self)
        del fields["regenerate_webhook_secret"]
        given = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
        return given | (RENEWED if "webhook_url" in given else {})


class Usage(msgspec.Struct, frozen=True):
    """How much an app has and did today (UTC)."""

    device_count: int
    notifications_today: int


class ConfigService:
    """Each change is one conditional write."""

    def __init__(
        self,
        *,
        apps: AppRepository,
        directory: AppDirectory,
        credentials: CredentialService,
        devices: DeviceRepository,
        quotas: QuotaRepository,
        clock: Clock,
        is_local: bool,
    ) -> None:
        self._apps = apps
        self._directory = directory
        self._credentials = credentials
        self._devices = devices
        self._quotas = quotas
        self._clock = clock
        self._is_local = is_local

    async def change(self, app: App, change: ConfigChange) -> App:
        """Apply the change; the app as it is then.

        Raises:
            ValidationFailedError: a webhook address that is not allowed.
            AppNotFoundError: it was deleted meanwhile.
        """
        self._check(change)
        fields = change.given()
        updated = None
        if change.enabled is True:
            if app.vapid_public_key is None:
                await self._credentials.ensure_vapid(app.app_id)
            if not app.webhook_secrets:
                updated = await self._enable_first(app.app_id, fields)
        if updated is None and change.regenerate_webhook_secret:
            updated = await self._rotated(app, fields)
        elif updated is None:
            updated = await self._apps.update(app.app_id, fields)
        self._directory.forget(app.app_id)
        if updated is None:
            raise AppNotFoundError
        return updated

    async def usage(self, app_id: UUID) -> Usage:
        count = await self._devices.count(app_id, DeviceFilter(active=True))
        return Usage(count, await self._quotas.used_today(app_id))

    def _check(self, change: ConfigChange) -> None:
        if isinstance(change.webhook_url, str):
            fault = check_url(change.webhook_url, allow_http_loopback=self._is_local)
            if fault is not None:  # which of the rules it was is for nobody who probes them
                raise invalid("#/webhook_url", WEBHOOK_REFUSED)

    async def _enable_first(self, app_id: UUID, fields: dict[str, Any]) -> App | None:
        """None when another request has enabled the app just before: its secret stays."""
        secrets = (WebhookSecret(secret=_new_secret()),)
        return await self._apps.enable_first(app_id, fields | {"webhook_secrets": secrets})

    async def _rotated(self, app: App | None, fields: dict[str, Any]) -> App | None:
        """With a fresh secret: a second rotation at the same time goes behind the first."""
        while app is not None:
            secrets = {"webhook_secrets": self._rotated_secrets(app)}
            updated = await self._apps.update(app.app_id, fields | secrets, version=app.version)
            if updated is not None:
                return updated
            app = await self._apps.get(app.app_id)
        return None

    def _rotated_secrets(self, app: App) -> tuple[WebhookSecret, ...]:
        """A fresh secret in front; those before it sign beside it for a day, the latest three."""
        now = self._clock()
        kept = [
            secret if secret.expires_at else _expiring(secret, now + OLD_SECRET_SIGNS_FOR)
            for secret in app.webhook_secrets
            if secret.expires_at is None or secret.expires_at > now
        ]
        return (WebhookSecret(secret=_new_secret()), *kept[:OLD_SECRETS_MAX])


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def _expiring(secret: WebhookSecret, at: Any) -> WebhookSecret:
    return msgspec.structs.replace(secret, expires_at=at)
