"""Valid objects for the adapters' tests; a test overrides what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shared.crypto.vapid import b64url_encode, generate_keys
from shared.domain.credentials import (
    ApnsCertificate,
    ApnsCredential,
    FcmCredential,
    PushyCredential,
    WebPushCredential,
)
from shared.domain.devices import Device, Subscription, SubscriptionKeys
from shared.domain.notifications import Content, Notification
from shared.domain.options import Options

NOW = datetime(2026, 3, 19, 8, 0, tzinfo=UTC)
NOTIFICATION_ID = UUID("018f0000-0000-7000-8000-000000000001")
DEVICE_ID = UUID("018f0000-0000-7000-8000-000000000002")
APP_ID = UUID("018f0000-0000-7000-8000-000000000003")
USER_ID = UUID("018f0000-0000-7000-8000-000000000004")
APNS_TOKEN = "ab" * 32
# The browser of RFC 8291 §5.
RECEIVER_KEY = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
AUTH_SECRET = "BTBZMqHH6r4Tts7J_aSIgg"


_CONTENT = ("title", "body", "data")


def make_notification(**changes: Any) -> Notification:
    content = {name: changes.pop(name) for name in _CONTENT if name in changes}
    options = {name: changes.pop(name) for name in Options.__struct_fields__ if name in changes}
    if options:
        content["options"] = Options(**options)
    ttl = changes.pop("ttl_seconds", 3_600)
    fields: dict[str, Any] = {
        "notification_id": NOTIFICATION_ID,
        "app_id": APP_ID,
        "user_id": USER_ID,
        "content": Content(**{"title": "Hello", "body": "World", "ttl_seconds": ttl} | content),
        "starts_at": NOW,
        "expires_at": NOW + timedelta(seconds=ttl),
    }
    return Notification(**fields | changes)


def make_device(**changes: Any) -> Device:
    fields: dict[str, Any] = {
        "device_id": DEVICE_ID,
        "app_id": APP_ID,
        "user_id": USER_ID,
        "platform": "ios",
        "provider": "apns",
        "token": APNS_TOKEN,
        "token_hash": b"hash",
        "registered_at": NOW,
        "created_at": NOW,
        "last_seen_at": NOW,
    }
    return Device(**fields | changes)


def make_subscription(
    endpoint: str = "https://updates.push.services.mozilla.com/wpush/v2/x",
) -> str:
    keys = SubscriptionKeys(p256dh=RECEIVER_KEY, auth=AUTH_SECRET)
    return msgspec.json.encode(Subscription(endpoint=endpoint, keys=keys)).decode()


def private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


APNS_KEY = ec.generate_private_key(ec.SECP256R1())
FCM_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def make_apns_credential(**changes: Any) -> ApnsCredential:
    fields: dict[str, Any] = {
        "team_id": "TEAM000001",
        "key_id": "KEY0000001",
        "private_key": private_pem(APNS_KEY),
        "topic": "com.example.app",
    }
    return ApnsCredential(**fields | changes)


def make_apns_certificate(**changes: Any) -> ApnsCertificate:
    fields: dict[str, Any] = {
        "certificate": "certificate",
        "private_key": "key",
        "topic": "com.example.app",
        "serial_number": "1f",
        "expires_at": NOW + timedelta(days=10_000),
    }
    return ApnsCertificate(**fields | changes)


def make_fcm_credential(**changes: Any) -> FcmCredential:
    fields: dict[str, Any] = {
        "project_id": "example-project",
        "client_email": "push@example-project.iam.gserviceaccount.com",
        "private_key": private_pem(FCM_KEY),
        "private_key_id": "0123456789abcdef",
    }
    return FcmCredential(**fields | changes)


def make_webpush_credential(**changes: Any) -> WebPushCredential:
    keys = generate_keys()
    fields: dict[str, Any] = {
        "subject": "mailto:push@example.com",
        "vapid_private_key": keys.private_key,
        "vapid_public_key": keys.public_key,
    }
    return WebPushCredential(**fields | changes)


def make_pushy_credential(**changes: Any) -> PushyCredential:
    return PushyCredential(**{"api_key": "s3cret/key&more"} | changes)


def random_subscription_keys() -> tuple[ec.EllipticCurvePrivateKey, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return key, b64url_encode(point)
