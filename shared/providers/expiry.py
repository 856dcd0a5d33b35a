"""How long a provider may still try: recomputed at each attempt from the one `expires_at`."""

from datetime import datetime

from shared.domain.notifications import TTL_SECONDS_MAX, Notification


def ttl_seconds(notification: Notification, now: datetime) -> int:
    """0 for now-or-never, else the whole seconds left, at least 1 (0 would mean now-or-never)."""
    if notification.is_now_or_never:
        return 0
    left = int((notification.expires_at - now).total_seconds())
    return min(max(1, left), TTL_SECONDS_MAX)


def expiry_epoch_seconds(notification: Notification) -> int:
    """0 for now-or-never, else the instant in epoch seconds (apns-expiration)."""
    return 0 if notification.is_now_or_never else int(notification.expires_at.timestamp())
