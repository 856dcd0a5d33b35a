"""FCM's and Google's error bodies, exactly as documented (FCM ErrorCode reference)."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.simulators.exchange import SimResponse

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
HELP = "type.googleapis.com/google.rpc.Help"
NO_CREDENTIAL = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, "
    "login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
BAD_CREDENTIAL = NO_CREDENTIAL.replace(
    "Request is missing required authentication credential",
    "Request had invalid authentication credentials",
)
QUOTA_EXCEEDED = (
    "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute' "
    "of service 'fcm.googleapis.com'."
)
BAD_TOKEN = "The registration token is not a valid FCM registration token"

# errorCode of the FcmError detail -> HTTP, status, message
FCM_CODES = {
    "UNREGISTERED": (404, "NOT_FOUND", "Requested entity was not found."),
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT", BAD_TOKEN),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED", "SenderId mismatch"),
    "THIRD_PARTY_AUTH_ERROR": (401, "UNAUTHENTICATED", NO_CREDENTIAL),
    "APNS_AUTH_ERROR": (401, "UNAUTHENTICATED", NO_CREDENTIAL),
    "QUOTA_EXCEEDED": (
        429,
        "RESOURCE_EXHAUSTED",
        "Resource has been exhausted (e.g. check quota).",
    ),
    "INTERNAL": (500, "INTERNAL", "Internal error encountered."),
    "UNAVAILABLE": (503, "UNAVAILABLE", "The service is currently unavailable."),
}

# failures of Google's front, without an FcmError: name -> HTTP, status, message, details
PLAIN_CODES: dict[str, tuple[int, str, str, list[dict[str, Any]]]] = {
    "UNAUTHENTICATED": (
        401,
        "UNAUTHENTICATED",
        BAD_CREDENTIAL,
        [
            {
                "@type": ERROR_INFO,
                "reason": "ACCESS_TOKEN_EXPIRED",
                "domain": "googleapis.com",
                "metadata": {"service": "fcm.googleapis.com"},
            }
        ],
    ),
    "MISSING_CREDENTIAL": (401, "UNAUTHENTICATED", NO_CREDENTIAL, []),
    "PERMISSION_DENIED": (
        403,
        "PERMISSION_DENIED",
        "Permission 'cloudmessaging.messages.create' denied on resource (or it may not exist).",
        [
            {
                "@type": ERROR_INFO,
                "reason": "IAM_PERMISSION_DENIED",
                "domain": "cloudresourcemanager.googleapis.com",
            }
        ],
    ),
    "SERVICE_DISABLED": (
        403,
        "PERMISSION_DENIED",
        "Firebase Cloud Messaging API has not been used in this project before or it is disabled.",
        [{"@type": ERROR_INFO, "reason": "SERVICE_DISABLED", "domain": "googleapis.com"}],
    ),
    "NOT_FOUND": (404, "NOT_FOUND", "Requested entity was not found.", []),
    "FAILED_PRECONDITION": (400, "FAILED_PRECONDITION", "Precondition check failed.", []),
    "RATE_LIMIT_EXCEEDED": (
        429,
        "RESOURCE_EXHAUSTED",
        QUOTA_EXCEEDED,
        [
            {
                "@type": ERROR_INFO,
                "reason": "RATE_LIMIT_EXCEEDED",
                "domain": "googleapis.com",
                "metadata": {
                    "service": "fcm.googleapis.com",
                    "quota_metric": "fcm.googleapis.com/send_requests",
                    "quota_limit": "SendsPerMinutePerProject",
                    "quota_unit": "1/min/{project}",
                },
            },
            {
                "@type": HELP,
                "links": [
                    {
                        "description": "Request a higher quota limit.",
                        "url": "https://cloud.google.com/docs/quota",
                    }
                ],
            },
        ],
    ),
}

BY_STATUS = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "SENDER_ID_MISMATCH",
    404: "UNREGISTERED",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def fcm_error(reason: str | None, status: int | None = None) -> SimResponse:
    """The answer for an errorCode, a name of PLAIN_CODES, or `BAD_REQUEST` (with that detail)."""
    reason = reason or BY_STATUS.get(status or 0, "INTERNAL")
    if reason == "BAD_REQUEST":
        return invalid_argument("message", "Invalid value")
    if reason in PLAIN_CODES:
        usual, name, message, plain_details = PLAIN_CODES[reason]
        return _error(status or usual, message, name, plain_details)
    usual, name, message = FCM_CODES.get(reason, (status or 500, reason, reason))
    details: list[dict[str, Any]] = [{"@type": FCM_ERROR, "errorCode": reason}]
    if reason == "QUOTA_EXCEEDED":
        details.append(
            {
                "@type": QUOTA_FAILURE,
                "violations": [{"subject": "device", "description": "Message rate exceeded."}],
            }
        )
    return _error(status or usual, message, name, details)


def invalid_argument(field: str, description: str, message: str | None = None) -> SimResponse:
    """400 with a BadRequest detail: the message is wrong, not the token."""
    details: list[dict[str, Any]] = [
        {"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": description}]},
        {"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"},
    ]
    return _error(400, message or description, "INVALID_ARGUMENT", details)


def malformed(description: str, field: str | None = None) -> SimResponse:
    """400 of Google's JSON parser, before FCM saw the message: no FcmError."""
    violation = {"description": description} | ({"field": field} if field else {})
    return _error(
        400,
        description,
        "INVALID_ARGUMENT",
        [{"@type": BAD_REQUEST, "fieldViolations": [violation]}],
    )


def _error(code: int, message: str, status: str, details: list[dict[str, Any]]) -> SimResponse:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        error["details"] = details
    return SimResponse(
        code,
        msgspec.json.encode({"error": error}),
        [("content-type", "application/json; charset=UTF-8")],
    )
