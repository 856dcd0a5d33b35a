"""One row per documented answer of FCM."""

import re
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
from tests.simulators.fcm_errors import FCM_CODES, PLAIN_CODES, fcm_error
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
DISABLED = {"@type": ERROR_INFO, "reason": "SERVICE_DISABLED", "domain": "googleapis.com"}
RATE_LIMIT = {
    "@type": ERROR_INFO,
    "reason": "RATE_LIMIT_EXCEEDED",
    "domain": "googleapis.com",
    "metadata": {"quota_limit": "SendsPerMinutePerProject"},
}


ROWS: list[tuple[Response, Outcome]] = [
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
        refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", violation("message.data[0].value")),
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
    (refusal(400, "INVALID_ARGUMENT", None, violation("message.x")), Rejected("INVALID_ARGUMENT")),
    (Response(400, {}, b"<html>"), Rejected("INVALID_ARGUMENT")),
    (Response(401, {}, b"<html>"), Misconfigured("http_401")),
    (
        refusal(
            403, "PERMISSION_DENIED", None, {"@type": ERROR_INFO, "reason": "SERVICE_DISABLED"}
        ),
        Misconfigured("PERMISSION_DENIED"),
    ),
    (Response(403, {}, b"<html>"), Misconfigured("http_403")),
    (Response(429, {}, b"<html>"), Unavailable("http_429", 60.0, "project")),
    (Response(500, {}, b'{"error":{"code":500,"mess'), Unavailable("http_500", scope="origin")),
    (Response(503, {}, b""), Unavailable("http_503", scope="origin")),
    (refusal(500, "INTERNAL", "INTERNAL"), Unavailable("INTERNAL", scope="origin")),
    (refusal(503, "UNAVAILABLE", "UNAVAILABLE"), Unavailable("UNAVAILABLE", scope="origin")),
    (Response(502, {}, b"<html>"), Unavailable("http_502", scope="origin")),
    (Response(504, {}, b""), Unavailable("http_504", scope="origin")),
    (refusal(409, "ABORTED", "SOMETHING_NEW"), Rejected("SOMETHING_NEW")),
    (Response(302, {}, b""), Unavailable("http_302", scope="origin")),
]


@pytest.mark.parametrize(("response", "expected"), ROWS)
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


# What our simulator can say, in Google's words; each must mean something here.
SIMULATED: dict[str, Outcome] = {
    "UNREGISTERED": Unregistered("UNREGISTERED"),
    "INVALID_ARGUMENT": Suspect("INVALID_ARGUMENT"),
    "SENDER_ID_MISMATCH": Suspect("SENDER_ID_MISMATCH"),
    "THIRD_PARTY_AUTH_ERROR": Misconfigured("THIRD_PARTY_AUTH_ERROR"),
    "APNS_AUTH_ERROR": Misconfigured("APNS_AUTH_ERROR"),
    "QUOTA_EXCEEDED": Unavailable("QUOTA_EXCEEDED", 60.0, "device"),
    "INTERNAL": Unavailable("INTERNAL", scope="origin"),
    "UNAVAILABLE": Unavailable("UNAVAILABLE", scope="origin"),
    "UNAUTHENTICATED": Misconfigured("UNAUTHENTICATED"),
    "MISSING_CREDENTIAL": Misconfigured("UNAUTHENTICATED"),
    "PERMISSION_DENIED": Misconfigured("PERMISSION_DENIED"),
    "SERVICE_DISABLED": Misconfigured("PERMISSION_DENIED"),
    "NOT_FOUND": Misconfigured("NOT_FOUND"),
    "FAILED_PRECONDITION": Misconfigured("FAILED_PRECONDITION"),
    "RATE_LIMIT_EXCEEDED": Unavailable("RESOURCE_EXHAUSTED", 60.0, "project"),
}


@pytest.mark.parametrize("name", [*FCM_CODES, *PLAIN_CODES])
def test_no_answer_is_without_a_meaning(name: str) -> None:
    answer = fcm_error(name)

    assert classify(Response(answer.status, {}, answer.body), NOW) == SIMULATED[name]


# firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode, and the two that went before
DOCUMENTED = {
    "INVALID_ARGUMENT", "UNREGISTERED", "SENDER_ID_MISMATCH", "QUOTA_EXCEEDED", "UNAVAILABLE",
    "INTERNAL", "THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR",
}  # fmt: skip


def test_no_error_code_is_without_a_row() -> None:
    codes = {code for row, _ in ROWS for code in re.findall(rb'"errorCode":"(\w+)"', row.body)}

    assert {code.decode() for code in codes} >= DOCUMENTED >= FCM_CODES.keys()
