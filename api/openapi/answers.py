"""Examples of answers in the OpenAPI document: what came of the story that the requests tell."""

from collections.abc import Mapping
from typing import Any

from api.openapi.requests import (
    APP,
    CONTENT,
    DEVICE,
    NOTIFICATION,
    OTHER_DEVICE,
    OTHER_NOTIFICATION,
    USER,
)

_AT = "2026-03-19T08:00:00Z"
VAPID = "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM"
_APP = {
    "app_id": APP,
    "name": "GymOps",
    "tenant_id": None,
    "enabled": False,
    "created_at": _AT,
}
_CONFIG = {
    "enabled": True,
    "webhook_url": "https://gymops.example/hooks/push",
    "webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw3K5c6dZ7eFg=",
    "webhook_failing_since": None,
    "webhook_disabled_at": None,
    "webhook_disabled_reason": None,
    "daily_quota": 100_000,
    "auto_enroll": True,
    "receipts": "all",
    "vapid_public_key": VAPID,
}
_ROW = {
    "notification_id": NOTIFICATION,
    "user_id": USER,
    "status": "sent",
    "accepted_at": _AT,
    "send_at": None,
    "expires_at": "2026-03-20T08:00:00Z",
}
_DELIVERY: Mapping[str, Any] = {
    "device_id": DEVICE,
    "provider": "fcm",
    "state": "sent",
    "reason": None,
    "attempts": 1,
    "provider_message_id": "projects/gymops-prod/messages/1",
    "next_attempt_at": None,
    "updated_at": "2026-03-19T08:00:01Z",
    "cut": [],
}
_RECEIPT = {
    "id": "0195a2c7-2e3f-5a66-8b7c-9d0e1f2a3b4c",
    "seq": 1_041,
    "notification_id": NOTIFICATION,
    "user_id": USER,
    "device_id": DEVICE,
    "platform": "android",
    "provider": "fcm",
    "state": "sent",
    "reason": None,
    "attempts": 1,
    "provider_message_id": "projects/gymops-prod/messages/1",
    "occurred_at": "2026-03-19T08:00:01Z",
}
_HEALTH = {"status": "ok", "mongo": True, "keys": True, "broker": True}
_SKIPPED = {
    "device_id": DEVICE,
    "platform": "android",
    "provider": "fcm",
    "skipped": "no_credential",
    "request": None,
}
_REQUEST = {
    "method": "POST",
    "url": "https://web.push.example/<token>",
    "headers": {"authorization": "<hidden>", "ttl": "86400", "urgency": "high"},
    "body": {
        "notification": {"title": CONTENT["title"], "body": CONTENT["body"]},
        "data": CONTENT["data"],
        "notification_id": NOTIFICATION,
    },
    "payload_bytes": 213,
    "payload_bytes_max": 3993,
    "cut": [],
}

_WEBHOOK_ANSWER = {
    "webhook_id": "msg_0195a2c70a1b7c8d9e0f1a2b3c4d5e6f",
    "status": 503,
    "problem": "status 503",
    "took_ms": 87,
    "answer": "try later",
}

_DEAD_LETTER: Mapping[str, Any] = {
    "dead_letter_id": "0195a2c7-3f40-5b77-8c8d-ae1f2a3b4c5d",
    "app_id": APP,
    "notification_id": NOTIFICATION,
    "device_id": DEVICE,
    "provider": "apns",
    "reason": "PayloadTooLarge",
    "attempts": 1,
    "died_at": "2026-03-19T08:00:01Z",
}

ANSWERS: Mapping[str, Any] = {
    "Ok": {"status": "ok"},
    "AppAnswer": _APP,
    "SecretAnswer": {"client_id": APP, "client_secret": "shown-only-once"},
    "EnrolAnswer": {"enrolled": 2},
    "EnrolmentAnswer": {"user_id": USER, "enrolled": True},
    "ConfigAnswer": _CONFIG,
    "CredentialAnswer": {
        "provider": "apns",
        "fingerprint": "9f86d081884c7d65",
        "updated_at": _AT,
        "details": {},
        "expires_at": None,
        "last_success_at": "2026-03-19T08:00:01Z",
        "last_error_at": None,
        "last_error": None,
        "deactivation_held_since": None,
    },
    "VerifyAnswer": {"provider": "apns", "verdict": "valid", "reason": None},
    "RegisteredAnswer": {"device_id": DEVICE},
    "DevicesAnswer": {
        "devices": [
            {
                "device_id": DEVICE,
                "user_id": USER,
                "platform": "android",
                "provider": "fcm",
                "active": True,
                "created_at": _AT,
                "last_seen_at": _AT,
                "deactivated_reason": None,
            }
        ],
        "total": 1,
    },
    "SentAnswer": {"notification_id": NOTIFICATION},
    "SentManyAnswer": {"notification_ids": [NOTIFICATION, OTHER_NOTIFICATION]},
    "PreviewAnswer": {
        "user_id": USER,
        "devices": [
            _SKIPPED,
            {
                "device_id": OTHER_DEVICE,
                "platform": "web",
                "provider": "webpush",
                "skipped": None,
                "request": _REQUEST,
            },
        ],
    },
    "NotificationAnswer": _ROW | {"devices": [_DELIVERY]},
    "NotificationsAnswer": {"notifications": [_ROW]},
    "DataAnswer": {"data": CONTENT["data"]},
    "DeadLettersAnswer": {"dead_letters": [_DEAD_LETTER]},
    "DeadLetterAnswer": {
        **_DEAD_LETTER,
        "message_bytes": None,
        "notification": _ROW | {"status": "failed"},
        "delivery": {
            **_DELIVERY,
            "provider": "apns",
            "state": "rejected",
            "reason": "PayloadTooLarge",
            "provider_message_id": None,
        },
    },
    "DiscardAnswer": {"discarded": 12, "has_more": False},
    "ReceiptsAnswer": {
        "receipts": [_RECEIPT],
        "next_after": 1_041,
        "has_more": False,
        "oldest_seq": 1,
        "newest_seq": 1_041,
    },
    "ReplayAnswer": {"calls": 2, "receipts": 58, "calls_queued_before": 0},
    "AttemptsAnswer": {
        "attempts": [_WEBHOOK_ANSWER | {"first_seq": 1_041, "attempt": 1, "at": _AT}]
    },
    "WebhookTestAnswer": _WEBHOOK_ANSWER
    | {"status": 204, "problem": None, "took_ms": 41, "answer": ""},
    "HealthAnswer": _HEALTH,
    "TokenAnswer": {
        "access_token": "eyJhbGciOiJFUzI1NiJ9.eyJ0b2tlbl90eXBlIjoic2VydmljZSJ9.c2lnbmF0dXJl",
        "token_type": "bearer",
        "expires_in": 900,
        "scope": "push:send",
    },
    "KeySetAnswer": {
        "keys": [
            {
                "kid": "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",
                "kty": "EC",
                "crv": "P-256",
                "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
                "use": "sig",
                "alg": "ES256",
            }
        ]
    },
}
_TOKEN_ROW = {"token": "pushy-device-token", "platform": "ANDROID"}
# Handler -> what stands in its envelope.
ENVELOPED: Mapping[str, Any] = {
    "register_token": _TOKEN_ROW,
    "list_tokens": [_TOKEN_ROW],
    "subscribe_token": {"success": True, "message": "Successfully subscribed to topics"},
    "unsubscribe_token": {"success": True, "message": "Successfully unsubscribed from topics"},
    "list_subscribers": {"topic": "announcements", "subscribers": ["pushy-device-token"]},
    "send_dev": {"success": True, "message": "Notification sent successfully"},
    "get_dev_send": {
        "id": NOTIFICATION,
        "pushy_id": "5ea9b214b47cad768a35f13a",
        "devices": 1,
        "failed": [],
        "created_at": _AT,
    },
    "get_key_pair": {
        "kid": "2026-03-19",
        "alg": "ECDH-ES+A256KW",
        "enc": "A256GCM",
        "key": {
            "kty": "EC",
            "crv": "P-256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        },
        "expires_at": "2026-03-26T08:00:00Z",
    },
}
