"""Examples of requests in the OpenAPI document: one small story, told in valid JSON."""

from collections.abc import Mapping
from typing import Any

APP = "0195a2c4-7f3e-7c31-9d4e-5b6a7c8d9e0f"
USER = "0195a2c4-8a10-7d52-8c3b-1f2e3d4c5b6a"
OTHER_USER = "0195a2c4-8b21-7e63-9d4c-2a3b4c5d6e7f"
DEVICE = "0195a2c5-1b2c-7f44-a1b2-c3d4e5f60718"
OTHER_DEVICE = "0195a2c5-2c3d-7a55-b2c3-d4e5f6071829"
NOTIFICATION = "0195a2c6-0d1e-7a55-b2c3-d4e5f6071800"
OTHER_NOTIFICATION = "0195a2c6-0d1e-7a55-b2c3-d4e5f6071801"
_PEM = "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"
CONTENT = {
    "title": "Your shift starts in 30 min",
    "body": "Open GymOps to view details.",
    "data": {"route": "/schedule", "shift_id": 4711},
}

REQUESTS: Mapping[str, Any] = {
    "AppBody": {"name": "GymOps"},
    "EnrolBody": {"user_ids": [USER, OTHER_USER]},
    "ConfigBody": {
        "enabled": True,
        "webhook_url": "https://gymops.example/hooks/push",
        "daily_quota": 100_000,
    },
    "ApnsBody": {
        "team_id": "A1B2C3D4E5",
        "key_id": "F6G7H8J9K0",
        "private_key": _PEM,
        "topic": "example.gymops.app",
        "environment": "production",
    },
    "FcmBody": {
        "service_account": {
            "type": "service_account",
            "project_id": "gymops-prod",
            "client_email": "push@gymops-prod.example",
            "private_key": _PEM,
            "private_key_id": "4f5d2c1b0a",
        }
    },
    "WebPushBody": {"subject": "mailto:ops@gymops.example"},
    "PushyBody": {"api_key": "a-secret-api-key"},
    "RegisterBody": {
        "app_id": APP,
        "platform": "android",
        "push_token": "cGxhY2Vob2xkZXI6dG9rZW4",
        "language": "en",
    },
    "SendBody": {"user_id": USER, **CONTENT},
    "BulkBody": {"user_ids": [USER, OTHER_USER], **CONTENT},
    "BatchBody": {
        "notifications": [
            {"user_id": USER, **CONTENT},
            {"user_id": OTHER_USER, "title": "Shift cancelled", "body": "", "priority": "normal"},
        ]
    },
    "DiscardBody": {"filter": {"provider": "apns", "until": "2026-03-19T08:00:00Z"}},
    "ReplayBody": {"from_seq": 1_042, "to_seq": 1_099},
    "TokenRequest": {
        "grant_type": "client_credentials",
        "client_id": APP,
        "client_secret": "shown-only-once",
        "scope": "push:send",
    },
    "DeviceInfoBody": {"token": "pushy-device-token", "platform": "ANDROID", "language": "en"},
    "SubscribeBody": {
        "token": "pushy-device-token",
        "topics": ["announcements", "system-updates"],
    },
    "UnsubscribeBody": {"token": "pushy-device-token", "topics": ["announcements"]},
    "SendDevBody": {
        "title": "Balance Updated",
        "content": "Your wallet has been credited.",
        "to": ["pushy-device-token"],
        "action": "wallet_refresh",
        "additional_data": {"wallet_id": 17, "source": "topup"},
    },
}


def request_example(schema: Mapping[str, Any]) -> Any:
    """A request of that shape."""
    return REQUESTS.get(schema.get("$ref", "").rpartition("/")[2])
