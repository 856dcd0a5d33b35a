"""What an app is: its configuration, its webhook and whom its receipts are for."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

ReceiptChoice = Literal["all", "failures", "none"]
WebhookFault = Literal["gone", "failing"]  # it answered 410; nothing but failures for five days


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One `whsec_` secret; `expires_at` is set once a newer secret has replaced it."""

    secret: str
    expires_at: datetime | None = None


class App(msgspec.Struct, frozen=True, kw_only=True):
    """One app. `daily_quota` None is unlimited; `webhook_secrets` has the newest first.

    Workers note how its webhook does: since when it has taken no call, until when it wants none,
    and that it was disabled.
    """

    app_id: UUID
    name: str
    created_at: datetime
    tenant_id: str | None = None
    enabled: bool = False
    webhook_url: str | None = None
    webhook_failing_since: datetime | None = None
    webhook_paused_until: datetime | None = None
    webhook_disabled_at: datetime | None = None
    webhook_disabled_reason: WebhookFault | None = None
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

    @property
    def posting_url(self) -> str | None:
        """Where receipts are posted: nowhere while the webhook is disabled."""
        return self.webhook_url if self.webhook_disabled_at is None else None
