"""Identifiers derived from a delivery, so that sending it again is recognisable as the same."""

import base64
import hashlib
import re
from uuid import UUID

from shared.domain.notifications import Notification

_PRINTABLE = re.compile(r"[!-~]+")


def delivery_id(notification_id: UUID, device_id: UUID) -> str:
    """A UUID (version 8), the same for every attempt of this notification at this device."""
    digest = hashlib.sha256(notification_id.bytes + device_id.bytes).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


def collapse_id(notification: Notification, *, as_it_is_bytes_max: int = 0) -> str | None:
    """What makes a later push replace this one: the caller's key, or one of the notification's own.

    The notification's own makes a resend harmless; where none may happen there is none. A caller's
    key that is longer, or not printable ASCII, is hashed. 32 base64url characters fit APNs (64
    bytes), Web Push and Pushy (32), and Apple's web push, which wants a Topic that can be decoded:
    a length of 32 always can.
    """
    options = notification.content.options
    key = options.collapse_key
    if key is None:
        is_resent = options.on_unknown == "resend"
        return _hashed(notification.notification_id.bytes) if is_resent else None
    fits = len(key) <= as_it_is_bytes_max and _PRINTABLE.fullmatch(key)
    return key if fits else _hashed(key.encode())


def _hashed(key: bytes) -> str:
    """32 base64url characters, the same for the same key everywhere."""
    return base64.urlsafe_b64encode(hashlib.sha256(key).digest()[:24]).decode("ascii")
