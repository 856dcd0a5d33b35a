"""Identifiers derived from a delivery, so that sending it again is recognisable as the same."""

import base64
import hashlib
from uuid import UUID, uuid5

_DELIVERIES = UUID("0b8a3d3e-6f0c-5d0b-9a53-6a3f3a4f9e51")  # our own namespace; never changes


def delivery_uuid(notification_id: UUID, device_id: UUID) -> UUID:
    """The same for every attempt of this notification at this device, in every process."""
    return uuid5(_DELIVERIES, f"{notification_id}/{device_id}")


def collapse_id(notification_id: UUID) -> str:
    """32 base64url characters: fits APNs (64 bytes), Web Push and Pushy (32).

    Apple's web push wants a Topic that can be decoded: a length of 32 always can.
    """
    digest = hashlib.sha256(notification_id.bytes).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode("ascii")
