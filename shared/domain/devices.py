"""What a device is, and which provider a push token belongs to."""

import re
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Platform = Literal["web", "ios", "android"]
Provider = Literal["apns", "fcm", "webpush", "pushy"]
ApnsEnvironment = Literal["production", "sandbox"]
PROVIDERS: tuple[Provider, ...] = ("apns", "fcm", "webpush", "pushy")
ACTIVE_DEVICES_PER_USER_MAX = 50
_APNS_TOKEN = re.compile(r"[0-9a-fA-F]{64,400}")


class SubscriptionKeys(msgspec.Struct, frozen=True):
    """The browser's keys, base64url: a 65-byte P-256 point and 16 bytes (RFC 8291)."""

    p256dh: str
    auth: str


class Subscription(msgspec.Struct, frozen=True, rename="camel"):
    """A browser's push subscription, as `PushSubscription.toJSON()` gives it."""

    endpoint: str
    keys: SubscriptionKeys
    expiration_time: float | None = None


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One install of an app. `token` is in the clear: for Web Push the subscription's JSON text.

    `registered_at` is when this token was last registered: a provider's verdict about an older
    registration does not count against it.
    """

    device_id: UUID
    app_id: UUID
    user_id: UUID
    platform: Platform
    provider: Provider
    token: str
    token_hash: bytes
    registered_at: datetime
    created_at: datetime
    last_seen_at: datetime
    active: bool = True
    deactivated_reason: str | None = None
    language: str | None = None
    timezone: str | None = None
    app_version: str | None = None
    apns_environment: ApnsEnvironment | None = None  # as registered, or found out
    suspicions: int = 0  # answers in a row that make the token look dead


class ActiveDevice(msgspec.Struct, frozen=True):
    """What accepting a send needs to know of a device."""

    device_id: UUID
    user_id: UUID
    provider: Provider
    platform: Platform


def provider_for(platform: Platform, token: str) -> Provider:
    """The provider of a token whose caller named none (CONTRACT: Register)."""
    if platform == "web":
        return "webpush" if token.lstrip().startswith("{") else "fcm"
    if platform == "ios" and _APNS_TOKEN.fullmatch(token):
        return "apns"
    return "fcm"


def is_apns_token(token: str) -> bool:
    """Whether this is hexadecimal of at least 32 bytes, as APNs device tokens are."""
    return _APNS_TOKEN.fullmatch(token) is not None


def identity_of(provider: Provider, token: str) -> str:
    """What stays the same while a device is the same: a subscription's endpoint, else the token."""
    if provider != "webpush":
        return token
    return msgspec.json.decode(token, type=Subscription).endpoint
