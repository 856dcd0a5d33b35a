"""One row per documented answer of FCM."""

from typing import Any

import pytest

from shared.outbound.interface import Response
from shared.providers.fcm import classify, is_stale_token
from shared.providers.outcomes import (
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from tests.unit.shared.providers.builders import NOW
from tests.unit.shared.providers.fake_http import json_response

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def refusal(
    http: int, grpc: str, code: str | None = None, *details: dict[str, Any], message: str = "Text"
) -> Response:
    entries = [{"@type": FCM_ERROR, "errorCode": code}] if code else []
    error = {"code": http, "message": message, "status": grpc, "details": [*details, *entries]}
    return json_response(http, {"error": error})


def violation(field: str) -> dict[str, Any]:
    return {"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": "Bad"}]}


NOT_A_TOKEN = "The registration token is not a valid FCM registration token"
RATE_LIMIT = {
    "@type": ERROR_INFO,
    "reason": "RATE_LIMIT_EXCEEDED",
    "domain": "googleapis.com",
    "metadata": {"quota_limit": "SendsPerMinutePerProject"},
}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (json_response(200, {"name": "projects/p/messages/1"}), Sent("projects/p/messages/1")),
        (Response(200, {}, b"<html>"), Sent(None)),
        (
            refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", message=NOT_A_TOKEN),
            Suspect("INVALID_ARGUMENT"),
        ),
        (
            refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", violation("message.token")),
            Suspect("INVALID_ARGUMENT"),
        ),
        (
            refusal(
                400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", violation("message.data[0].value")
            ),
            Rejected("INVALID_ARGUMENT"),
        ),
        (
            refusal(
                400,
                "INVALID_ARGUMENT",
                "INVALID_ARGUMENT",
                violation("message"),
                message=NOT_A_TOKEN,
            ),
            Rejected("INVALID_ARGUMENT"),
        ),
        (
            refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", message="Message too big"),
            Rejected("INVALID_ARGUMENT"),
        ),
        (refusal(400, "INVALID_ARGUMENT"), Rejected("INVALID_ARGUMENT")),
        (refusal(400, "FAILED_PRECONDITION"), Misconfigured("FAILED_PRECONDITION")),
        (refusal(401, "UNAUTHENTICATED"), Misconfigured("UNAUTHENTICATED")),
        (
            refusal(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
            Misconfigured("THIRD_PARTY_AUTH_ERROR"),
        ),
        (refusal(401, "UNAUTHENTICATED", "APNS_AUTH_ERROR"), Misconfigured("APNS_AUTH_ERROR")),
        (refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Suspect("SENDER_ID_MISMATCH")),
        (refusal(403, "PERMISSION_DENIED"), Misconfigured("PERMISSION_DENIED")),
        (refusal(404, "NOT_FOUND", "UNREGISTERED"), Unregistered("UNREGISTERED")),
        (refusal(404, "NOT_FOUND"), Misconfigured("NOT_FOUND")),
        (Response(404, {}, b"<html>Not Found</html>"), Misconfigured("http_404")),
        (
            refusal(429, "RESOURCE_EXHAUSTED", None, RATE_LIMIT),
            Unavailable("RESOURCE_EXHAUSTED", 60.0, "project"),
        ),
        (
            refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
            Unavailable("QUOTA_EXCEEDED", 60.0, "device"),
        ),
        (refusal(500, "INTERNAL", "INTERNAL"), Unavailable("INTERNAL", scope="origin")),
        (refusal(503, "UNAVAILABLE", "UNAVAILABLE"), Unavailable("UNAVAILABLE", scope="origin")),
        (Response(502, {}, b"<html>"), Unavailable("http_502", scope="origin")),
        (Response(504, {}, b""), Unavailable("http_504", scope="origin")),
        (refusal(409, "ABORTED", "SOMETHING_NEW"), Rejected("SOMETHING_NEW")),
        (Response(302, {}, b""), Unavailable("http_302", scope="origin")),
    ],
)
def test_classify_every_answer(response: Response, expected: Outcome) -> None:
    assert classify(response, NOW) == expected


@pytest.mark.parametrize(
    ("grpc", "code", "scope"),
    [("RESOURCE_EXHAUSTED", None, "project"), ("UNAVAILABLE", "UNAVAILABLE", "origin")],
)
def test_classify_honours_retry_after(grpc: str, code: str | None, scope: str) -> None:
    status = 429 if code is None else 503
    refused = refusal(status, grpc, code)
    response = Response(status, {"retry-after": "17"}, refused.body)

    outcome = classify(response, NOW)

    assert isinstance(outcome, Unavailable)
    assert (outcome.retry_after_seconds, outcome.scope) == (17.0, scope)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (refusal(401, "UNAUTHENTICATED"), True),
        (Response(401, {}, b""), True),
        (refusal(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), False),
        (refusal(403, "PERMISSION_DENIED"), False),
    ],
)
def test_only_a_generic_401_asks_for_a_new_token(response: Response, *, expected: bool) -> None:
    assert is_stale_token(response) is expected
