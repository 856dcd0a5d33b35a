"""How five push services word the same faults."""

from __future__ import annotations

import http
import uuid
from typing import Any, Literal

import msgspec

from tests.simulators.exchange import SimResponse

Personality = Literal["rfc", "mozilla", "apple", "google", "wns"]

# Every fault that the checks can find:
Trouble = Literal[
    "missing_ttl",
    "bad_ttl",
    "bad_urgency",
    "bad_topic",
    "bad_encoding",
    "too_large",
    "undecryptable",
    "same_keys",
    "vapid_missing",
    "vapid_bad",
    "vapid_sub",
    "vapid_key",
    "unknown",
    "gone",
    "ttl_conflict",
    "method",
    "unavailable",
]

# trouble -> status where the personality does not say otherwise
USUAL: dict[Trouble, int] = {
    "missing_ttl": 400,
    "bad_ttl": 400,
    "bad_urgency": 400,
    "bad_topic": 400,
    "bad_encoding": 400,
    "too_large": 413,
    "undecryptable": 400,  # a real service cannot know; here the browser's key is at hand
    "same_keys": 400,  # RFC 8292 §3.2: the message's key must not be the one that signs
    "vapid_missing": 401,
    "vapid_bad": 403,
    "vapid_sub": 403,
    "vapid_key": 403,
    "unknown": 404,
    "gone": 410,
    "ttl_conflict": 400,
    "method": 405,
    "unavailable": 503,
}

MOZILLA: dict[Trouble, tuple[int, int]] = {
    "missing_ttl": (400, 111),
    "bad_ttl": (400, 112),
    "bad_topic": (400, 113),
    "bad_encoding": (400, 110),
    "undecryptable": (400, 110),
    "too_large": (413, 104),
    "vapid_missing": (401, 109),
    "vapid_bad": (401, 109),
    "vapid_sub": (401, 109),
    "vapid_key": (401, 109),
    "unknown": (404, 102),
    "gone": (410, 103),
    "unavailable": (503, 201),
}
MOZILLA_ERRNO_BY_STATUS = {
    400: 110,
    401: 109,
    404: 102,
    410: 103,
    413: 104,
    500: 999,
    502: 902,
    503: 201,
}

APPLE: dict[Trouble, tuple[int, str]] = {
    "missing_ttl": (400, "BadTtl"),
    "bad_ttl": (400, "BadTtl"),
    "bad_urgency": (400, "BadUrgency"),
    "bad_topic": (400, "BadWebPushTopic"),
    "bad_encoding": (400, "BadWebPushRequest"),
    "undecryptable": (400, "BadWebPushRequest"),
    "too_large": (413, "PayloadTooLarge"),
    "vapid_missing": (403, "BadJwtToken"),
    "vapid_bad": (403, "BadJwtToken"),
    "vapid_sub": (403, "BadJwtToken"),
    "vapid_key": (400, "VapidPkHashMismatch"),
    "unknown": (404, "BadPath"),
    "gone": (410, "Unregistered"),
    "unavailable": (503, "ServiceUnavailable"),
}
APPLE_REASON_BY_STATUS = {429: "TooManyRequests", 500: "InternalServerError"}

OTHER_KEY = (
    "permission denied: the VAPID credentials in the authorization header do not correspond to "
    "the credentials used to create the subscriptions."
)
GOOGLE: dict[Trouble, tuple[int, str]] = {
    "vapid_missing": (400, "UnauthorizedRegistration"),
    "vapid_bad": (403, "permission denied: invalid JWT provided"),
    "vapid_sub": (403, "permission denied: invalid JWT provided"),
    "vapid_key": (
        403,
        OTHER_KEY,
    ),
    "unknown": (404, "NotFound"),
    "gone": (410, "push subscription has unsubscribed or expired."),
}

TTL_CONFLICT = "Ttl value conflicts with X-WNS-Cache-Policy."


def trouble_response(personality: Personality, trouble: Trouble) -> SimResponse:
    """The answer of that service to that fault."""
    match personality:
        case "mozilla":
            status, errno = MOZILLA.get(trouble, (USUAL[trouble], None))
            return _mozilla(status, errno, trouble)
        case "apple":
            status, reason = APPLE.get(trouble, (USUAL[trouble], "BadWebPushRequest"))
            return _apple(status, reason)
        case "google":
            status, text = GOOGLE.get(trouble, (USUAL[trouble], trouble))
            return SimResponse(
                status, text.encode(), [("content-type", "text/plain; charset=utf-8")]
            )
        case "wns":
            return _wns(USUAL[trouble], trouble)
        case _:
            return SimResponse(USUAL[trouble], trouble.encode(), [("content-type", "text/plain")])


def scripted_response(personality: Personality, status: int, reason: str | None) -> SimResponse:
    """That service's body for a scripted status; `reason` is its errno, reason or text."""
    match personality:
        case "mozilla":
            errno = None if reason == "null" else MOZILLA_ERRNO_BY_STATUS.get(status)
            if reason and reason.isdecimal():
                errno = int(reason)
            return _mozilla(status, errno, reason or "scripted")
        case "apple":
            usual = next(
                (name for code, name in APPLE.values() if code == status),
                APPLE_REASON_BY_STATUS.get(status),
            )
            return _apple(status, reason or usual or "BadWebPushRequest")
        case "wns":
            return _wns(status, reason or "scripted")
        case _:
            text = reason or http.HTTPStatus(status).phrase
            return SimResponse(
                status, text.encode(), [("content-type", "text/plain; charset=utf-8")]
            )


def accepted_response(personality: Personality, location: str, ttl: int) -> tuple[SimResponse, str]:
    """201 with what that service adds, and the message's id."""
    headers = [("location", location), ("ttl", str(ttl))]
    message_id = location.rpartition("/")[2]
    if personality == "apple":
        message_id = str(uuid.uuid4()).upper()
        headers = [("apns-id", message_id)]
    elif personality == "wns":
        headers += [
            ("x-wns-status", "received"),
            ("x-wns-msg-id", message_id[:16]),
            ("x-wns-debug-trace", "SIM"),
        ]
    return SimResponse(201, b"", headers), message_id


def _mozilla(status: int, errno: int | None, message: str) -> SimResponse:
    content: dict[str, Any] = {
        "code": status,
        "errno": errno,
        "error": http.HTTPStatus(status).phrase,
        "message": message,
        "more_info": "http://autopush.readthedocs.io/en/latest/http.html#error-codes",
    }
    headers = [("content-type", "application/json")]
    if status == 410:
        headers.append(("cache-control", "max-age=86400"))
    if status == 503 and errno == 201:
        headers.append(("retry-after", "120"))
    return SimResponse(status, msgspec.json.encode(content), headers)


def _apple(status: int, reason: str) -> SimResponse:
    headers = [("content-type", "application/json"), ("apns-id", str(uuid.uuid4()).upper())]
    return SimResponse(status, msgspec.json.encode({"reason": reason}), headers)


def _wns(status: int, text: str) -> SimResponse:
    headers = [("x-wns-status", "dropped"), ("x-wns-debug-trace", "SIM")]
    if text in {"ttl_conflict", TTL_CONFLICT}:
        headers.append(("x-wns-error-description", TTL_CONFLICT))
    elif status in (406, 429):
        headers += [("retry-after", "900"), ("x-wns-notificationstatus", "channelthrottled")]
    else:
        headers.append(("x-wns-error-description", text))
    return SimResponse(status, b"", headers)
