"""What a caller asks for: contents, notifications and the limits on them."""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from shared.domain.options import PLAIN, Options

TITLE_CHARACTERS_MAX = 256
BODY_CHARACTERS_MAX = 4_096
DATA_BYTES_MAX = 4_096  # of the compact UTF-8 JSON
DATA_DEPTH_MAX = 16
USERS_PER_BULK_MAX = 500
NOTIFICATIONS_PER_BATCH_MAX = 500
TTL_SECONDS_MAX = 2_419_200  # 28 days: FCM's limit, the lowest of the four
TTL_SECONDS_DEFAULT = 86_400
AHEAD_MAX = timedelta(days=30)  # how far in the future a send may be scheduled

NotificationStatus = Literal[
    "scheduled", "pending", "sent", "expired", "cancelled", "no_devices", "failed"
]
Lane = Literal["hi", "lo"]


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one notification says. `data` is the JSON text of an object, kept as it was sent.

    `send_at` None means at once; else devices are looked up then, and ttl counts from then.
    """

    title: str
    body: str
    data: str | None = None
    ttl_seconds: int = TTL_SECONDS_DEFAULT
    send_at: datetime | None = None
    options: Options = PLAIN


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One content for one user, as a provider adapter needs it.

    `starts_at` is when it may first be sent: when it was accepted, or its `send_at`.
    """

    notification_id: UUID
    app_id: UUID
    user_id: UUID
    content: Content
    starts_at: datetime
    expires_at: datetime

    @property
    def is_now_or_never(self) -> bool:
        """Whether ttl was 0: one attempt, nothing stored by the provider, no retry."""
        return self.content.ttl_seconds == 0
