"""Wire format of an app's push configuration."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas.base import Body
from api.services.config import ConfigChange, Usage
from shared.domain.apps import App, ReceiptChoice, WebhookFault

DAILY_QUOTA_MAX = 1_000_000_000
Quota = Annotated[
    int, Meta(ge=0, le=DAILY_QUOTA_MAX, description="notifications a day (UTC); null: no limit")
]
WebhookUrl = Annotated[
    str,
    Meta(
        description="where receipts go: https, at a public address",
        examples=["https://gymops.example/hooks/push"],
    ),
]
RegenerateSecret = Annotated[
    bool, Meta(description="a new webhook secret; the old one signs beside it for 24 hours")
]
AutoEnroll = Annotated[
    bool, Meta(description="whether a user is enrolled when they register a device")
]


class ConfigBody(Body, frozen=True, kw_only=True):
    """Only what is given changes; null clears `webhook_url` and lifts `daily_quota`."""

    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    webhook_url: WebhookUrl | msgspec.UnsetType | None = msgspec.UNSET
    daily_quota: Quota | msgspec.UnsetType | None = msgspec.UNSET
    auto_enroll: AutoEnroll | msgspec.UnsetType = msgspec.UNSET
    receipts: ReceiptChoice | msgspec.UnsetType = msgspec.UNSET
    regenerate_webhook_secret: RegenerateSecret = False

    def change(self) -> ConfigChange:
        return ConfigChange(**msgspec.structs.asdict(self))


class ConfigAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`device_count` and `notifications_today` come with GET.

    A disabled webhook is not called: it answered 410 (`gone`), or nothing but failures for five
    days (`failing`). Setting `webhook_url`, be it to the same address, enables it again.
    """

    enabled: bool
    webhook_url: str | None
    webhook_secret: str | None
    webhook_failing_since: Annotated[datetime, Meta(tz=True)] | None
    webhook_disabled_at: Annotated[datetime, Meta(tz=True)] | None
    webhook_disabled_reason: WebhookFault | None
    daily_quota: int | None
    auto_enroll: bool
    receipts: ReceiptChoice
    vapid_public_key: str | None
    device_count: int | msgspec.UnsetType = msgspec.UNSET
    notifications_today: int | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, app: App, usage: Usage | None = None) -> "ConfigAnswer":
        return cls(
            enabled=app.enabled,
            webhook_url=app.webhook_url,
            webhook_secret=app.webhook_secret,
            webhook_failing_since=app.webhook_failing_since,
            webhook_disabled_at=app.webhook_disabled_at,
            webhook_disabled_reason=app.webhook_disabled_reason,
            daily_quota=app.daily_quota,
            auto_enroll=app.auto_enroll,
            receipts=app.receipts,
            vapid_public_key=app.vapid_public_key,
            device_count=usage.device_count if usage else msgspec.UNSET,
            notifications_today=usage.notifications_today if usage else msgspec.UNSET,
        )
