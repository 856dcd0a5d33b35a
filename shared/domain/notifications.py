"""What a caller asks for: contents, notifications and the limits on them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

TITLE_CHARACTERS_MAX = 256
BODY_CHARACTERS_MAX = 4_096
DATA_BYTES_MAX = 4_096  # of the compact UTF-8 JSON
DATA_DEPTH_MAX = 16
USERS_PER_BULK_MAX = 500
NOTIFICATIONS_PER_BATCH_MAX = 500
TTL_SECONDS_MAX = 2_419_200  # 28 days: FCM's limit, the lowest of the four
TTL_SECONDS_DEFAULT = 86_400

NotificationStatus = Literal[
    "scheduled", "pending", "sent", "expired", "cancelled", "no_devices", "failed"
]
Lane = Literal["hi", "lo"]


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one notification says. `data` is the JSON text of an object, kept as it was sent."""

    title: str
    body: str
    data: str | None = None
    ttl_seconds: int = TTL_SECONDS_DEFAULT


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One content for one user, as a provider adapter needs it."""

    notification_id: UUID
    app_id: UUID
    user_id: UUID
    content: Content
    accepted_at: datetime
    expires_at: datetime

    @property
    def is_now_or_never(self) -> bool:
        """Whether ttl was 0: one attempt, nothing stored by the provider, no retry."""
        return self.content.ttl_seconds == 0
