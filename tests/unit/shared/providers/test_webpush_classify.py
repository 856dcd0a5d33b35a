"""One row per documented answer of the push services, and no documented answer without one."""

import pytest

from shared.outbound.interface import Response
from shared.providers import webpush_answers
from shared.providers.outcomes import Misconfigured, Outcome, Rejected, Sent
from shared.providers.webpush_answers import classify, is_signature_refused
from tests.unit.shared.providers.builders import NOW
from tests.unit.shared.providers.fake_http import json_response
from tests.unit.shared.providers.webpush_rows import ROWS, Row, Vendor

# What the services' documents, sources and issue trackers name, as a list of its own.
MOZILLA_ERRNOS = {
    *(101, 102, 103, 104, 105, 106, 108, 109, 110, 111, 112, 113, 114),
    *(201, 202, 900, 901, 902, 903, 999),
}
APPLE_REASONS = {
    *("BadTtl", "BadUrgency", "BadWebPushTopic", "BadWebPushRequest", "VapidPkHashMismatch"),
    *("BadAuthorizationHeader", "BadJwtToken", "BadVapidPublicKey", "BadPath", "PayloadTooLarge"),
    *("TooManyRequests", "InternalServerError", "ServiceUnavailable", "Shutdown"),
}
GOOGLE_WORDS = {
    *("UnauthorizedRegistration", "InvalidTokenFormat", "do not correspond"),
    *("invalid push subscription endpoint", "MUST include the origin", "NotFound"),
    *("unsubscribed or expired", "NotRegistered"),
}
STATUSES: dict[Vendor, set[int]] = {
    "rfc": {
        *(200, 201, 202, 204, 301, 302, 307, 308),
        *(400, 401, 403, 404, 406, 410, 413, 429, 500, 502, 503, 504),
    },
    "mozilla": {201, 301, 400, 401, 404, 410, 413, 429, 500, 502, 503},
    "apple": {201, 400, 403, 404, 410, 413, 429, 500, 503},
    "google": {201, 400, 401, 403, 404, 410, 413, 429, 500, 503},
    "wns": {201, 400, 401, 403, 404, 406, 410, 413, 429, 500, 503},
}


def text(status: int, body: str = "", **headers: str) -> Response:
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, body.encode())


def response_of(row: Row) -> Response:
    if row.status < 400:
        return Response(row.status, row.headers | {"location": ""}, b"")
    match row.vendor:
        case "mozilla":
            errno = None if row.word in {None, "null"} else int(row.word or "")
            made = json_response(row.status, {"code": row.status, "errno": errno, "error": "…"})
        case "apple":
            made = json_response(row.status, {"reason": row.word})
        case "wns":
            made = Response(row.status, {"x-wns-error-description": row.word or "…"}, b"")
        case _:
            made = text(row.status, row.word or "")
    return Response(made.status, made.headers | row.headers, made.body)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_classify_every_answer(row: Row) -> None:
    assert classify(response_of(row), NOW) == row.expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (text(201, location="https://push.example/m/abc"), Sent("abc")),
        (text(201, apns_id="id-1"), Sent("id-1")),
        (text(201, x_wns_msg_id="id-2", location="https://x/y"), Sent("id-2")),
        (text(201, location="https://x/" + "y" * 300), Sent("y" * 200)),
        (Response(400, {}, b"\xff\xfe{"), Rejected("http_400")),
        (json_response(400, {"errno": "101"}), Rejected("http_400")),
        (json_response(400, ["errno", 101]), Rejected("http_400")),
        (json_response(401, {"errno": 2**70}), Misconfigured("http_401")),
    ],
)
def test_classify_reads_ids_and_survives_bodies(response: Response, expected: Outcome) -> None:
    assert classify(response, NOW) == expected


def test_no_documented_errno_reason_word_or_status_lacks_a_row() -> None:
    words = {(row.vendor, row.word or "") for row in ROWS}

    assert {("mozilla", str(errno)) for errno in MOZILLA_ERRNOS} <= words
    assert {("apple", reason) for reason in APPLE_REASONS} <= words
    google = " ".join(word for vendor, word in words if vendor == "google")
    assert [word for word in GOOGLE_WORDS if word not in google] == []
    for vendor, statuses in STATUSES.items():
        assert statuses <= {row.status for row in ROWS if row.vendor == vendor}, vendor


def test_no_row_of_the_code_lacks_a_row_here() -> None:
    assert set(webpush_answers._MOZILLA) <= MOZILLA_ERRNOS
    assert set(webpush_answers._APPLE) <= APPLE_REASONS


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_new_signature_is_tried_for_what_it_may_cure(row: Row) -> None:
    may_be_cured = row.status == 401 or row.word == "BadJwtToken"

    assert is_signature_refused(response_of(row)) is may_be_cured
