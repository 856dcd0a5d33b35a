"""Header fields, words for parameters, and tags, which the routes cannot tell by themselves."""

from collections.abc import Iterable, Mapping
from typing import Any

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "makes a repeated call safe: for 24 hours the same key with the same body gets "
    "the first answer again and pushes nothing; with another body 422, while the first call is "
    "being answered 409",
    "schema": {
        "type": "string",
        "pattern": r'^([!#-\[\]-~]{1,255}|"[ !#-\[\]-~]{1,255}")$',
        "examples": ["shift-4711-reminder"],
    },
}
_APP_ID = {
    "name": "X-App-Id",
    "in": "header",
    "required": False,
    "description": "which app, for a token that names several",
    "schema": {"type": "string", "format": "uuid"},
}
_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "description": "`zh` gives Chinese messages",
    "schema": {"type": "string", "examples": ["zh"]},
}
# Handler or gate -> header fields that its requests may have.
HEADER_PARAMETERS: Mapping[str, Any] = {
    "send": (_IDEMPOTENCY_KEY,),
    "send_bulk": (_IDEMPOTENCY_KEY,),
    "send_batch": (_IDEMPOTENCY_KEY,),
    "MobileGate": (_APP_ID, _LANGUAGE),
}
PARAMETERS = {
    "app_id": "the app",
    "user_id": "the user, as the app's identity provider names them",
    "device_id": "the device",
    "notification_id": "the notification, as a send has named it",
    "dead_letter_id": "the dead letter, as the list has named it",
    "topic": "the topic",
    "id": "the app whose devices are listed (GET), or the device to unregister (DELETE)",
}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "the `trace_id`: from `traceparent` where that came, else a new one",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "Retry-After": {
        "description": "seconds to wait before trying again",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Policy": {
        "description": "the limit: so many (`q`) in so many seconds (`w`)",
        "schema": {"type": "string", "examples": ['"daily";q=1000;w=86400']},
    },
    "RateLimit": {
        "description": "what is left of it (`r`), and in how many seconds more comes back (`t`)",
        "schema": {"type": "string", "examples": ['"daily";r=999;t=3600']},
    },
    "WWW-Authenticate": {
        "description": "how to authenticate",
        "schema": {"type": "string", "examples": ["Bearer"]},
    },
    "Accept-Encoding": {
        "description": "what a body may be encoded as",
        "schema": {"type": "string", "examples": ["identity"]},
    },
    "Idempotent-Replayed": {
        "description": "`true` when this is the first answer, repeated",
        "schema": {"const": "true"},
    },
    "X-Notification-Id": {
        "description": "what to ask `GET /api/v1/notifications/{notification_id}` for",
        "schema": {"type": "string", "format": "uuid"},
    },
    "Cache-Control": {
        "description": "how long the answer may be kept",
        "schema": {"type": "string"},
    },
}
_LIMIT = ("RateLimit-Policy", "RateLimit")
# Handler and status -> header fields of the answer, beside X-Request-Id.
ANSWER_HEADERS = {
    "register_device 201": _LIMIT,
    "send 200": ("Idempotent-Replayed", *_LIMIT),
    "send_bulk 200": ("Idempotent-Replayed", *_LIMIT),
    "send_batch 200": ("Idempotent-Replayed", *_LIMIT),
    "send_dev 200": ("X-Notification-Id",),
    "jwks 200": ("Cache-Control",),
    "issue_token 200": ("Cache-Control",),
    "issue_token 401": ("WWW-Authenticate",),
    "issue_token 429": ("Retry-After",),
}
TAGS = {
    "sends": "To one user, the same to many, or many different ones at once.",
    "notifications": "What became of what was sent.",
    "receipts": "What became of deliveries: pulled, posted again; and how the webhook fares.",
    "dead letters": "Deliveries that failed by no fault of the device's, for operators.",
    "devices": "Register, list and unregister devices.",
    "apps": "Apps, their client secrets and their users.",
    "config": "Push configuration of an app.",
    "credentials": "What an app needs to speak to the providers; secrets go in only.",
    "pushy": "The Pushy API: every answer in its envelope.",
    "issuer": "Tokens for teams without an identity provider of their own.",
    "health": "For load balancers and supervisors.",
}


def header_references(names: Iterable[str]) -> dict[str, Any]:
    """Those of an answer's fields that the document describes, and the one that all have."""
    shown = dict.fromkeys(["X-Request-Id", *(name for name in names if name in HEADERS)])
    return {name: {"$ref": f"#/components/headers/{name}"} for name in shown}
