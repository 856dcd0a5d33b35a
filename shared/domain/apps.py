"""What an app is: its configuration, its webhook and whom its receipts are for."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

ReceiptChoice = Literal["all", "failures", "none"]


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One `whsec_` secret; `expires_at` is set once a newer secret has replaced it."""

    secret: str
    expires_at: datetime | None = None


class App(msgspec.Struct, frozen=True, kw_only=True):
    """One app. `daily_quota` None is unlimited; `webhook_secrets` has the newest first."""

    app_id: UUID
    name: str
    created_at: datetime
    tenant_id: str | None = None
    enabled: bool = False
    webhook_url: str | None = None
    webhook_secrets: tuple[WebhookSecret, ...] = ()
    daily_quota: int | None = None
    auto_enroll: bool = True
    receipts: ReceiptChoice = "all"
    vapid_public_key: str | None = None
    version: int = 0

    @property
    def webhook_secret(self) -> str | None:
        """The secret that signs now, or None before the app was first enabled."""
        return self.webhook_secrets[0].secret if self.webhook_secrets else None
