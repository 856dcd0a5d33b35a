"""One row per documented answer of the push services."""

import pytest

from shared.outbound.interface import Response
from shared.providers.outcomes import (
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from shared.providers.webpush_answers import classify
from tests.unit.shared.providers.builders import NOW
from tests.unit.shared.providers.fake_http import json_response


def text(status: int, body: str = "", **headers: str) -> Response:
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, body.encode())


def mozilla(status: int, errno: int | None, **headers: str) -> Response:
    return json_response(status, {"code": status, "errno": errno, "error": "…"}, **headers)


def apple(status: int, reason: str) -> Response:
    return json_response(status, {"reason": reason})


def origin(status: int, wait: float | None = None) -> Unavailable:
    return Unavailable(f"http_{status}", wait, "origin")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        # RFC 8030 and all
        (text(201, location="https://push.example/m/abc"), Sent("abc")),
        (text(201, apns_id="id-1"), Sent("id-1")),
        (text(201, x_wns_msg_id="id-2", location="https://x/y"), Sent("id-2")),
        *((text(status), Sent(None)) for status in (200, 202, 204)),
        *((text(status, location="https://x"), Rejected(f"http_{status}"))
          for status in (301, 302, 307, 308)),
        (text(400), Rejected("http_400")),
        (text(401), Misconfigured("http_401")),
        (text(403), Suspect("http_403")),
        (text(404), Unregistered("http_404")),
        (text(410), Unregistered("http_410")),
        (text(406, retry_after="900"), origin(406, 900.0)),
        (text(406), origin(406, 60.0)),
        (text(413), Rejected("http_413")),
        (text(429), origin(429, 60.0)),
        (text(429, retry_after="5"), origin(429, 5.0)),
        *((text(status), origin(status)) for status in (500, 502, 503, 504)),
        # Mozilla
        (mozilla(400, 101), Rejected("mozilla_101")),
        (mozilla(404, 102), Unregistered("mozilla_102")),
        (mozilla(410, 103), Unregistered("mozilla_103")),
        (mozilla(413, 104), Rejected("mozilla_104")),
        (mozilla(410, 105), Unregistered("mozilla_105")),
        (mozilla(410, 106), Unregistered("mozilla_106")),
        (mozilla(400, 108), Unregistered("mozilla_108")),
        (mozilla(401, 109), Misconfigured("mozilla_109")),
        *((mozilla(400, errno), Rejected(f"mozilla_{errno}"))
          for errno in (110, 111, 112, 113, 114)),
        (mozilla(503, 201, retry_after="120"), origin(503, 120.0)),
        (mozilla(503, 202), origin(503)),
        *((mozilla(502, errno), origin(502)) for errno in (900, 901, 902, 903)),
        (mozilla(500, 999), origin(500)),
        (mozilla(503, None), origin(503)),
        (mozilla(400, None), Rejected("http_400")),
        # Apple
        (apple(400, "VapidPkHashMismatch"), Suspect("VapidPkHashMismatch")),
        (apple(403, "VapidPkHashMismatch"), Suspect("VapidPkHashMismatch")),
        *((apple(400, reason), Rejected(reason))
          for reason in ("BadTtl", "BadUrgency", "BadWebPushTopic", "BadWebPushRequest")),
        *((apple(403, reason), Misconfigured(reason))
          for reason in ("BadAuthorizationHeader", "BadJwtToken", "BadVapidPublicKey")),
        (apple(404, "BadPath"), Suspect("BadPath")),
        (apple(410, "Unregistered"), Unregistered("http_410")),
        (apple(413, "PayloadTooLarge"), Rejected("http_413")),
        (apple(429, "TooManyRequests"), origin(429, 60.0)),
        (apple(500, "InternalServerError"), origin(500)),
        (apple(503, "ServiceUnavailable"), origin(503)),
        (apple(503, "Shutdown"), origin(503)),
        # Google
        (text(400, "UnauthorizedRegistration"), Suspect("UnauthorizedRegistration")),
        (text(400, "<H1>InvalidTokenFormat</H1>"), Suspect("InvalidTokenFormat")),
        (text(403, "the VAPID credentials … do not correspond …"), Suspect("http_403")),
        (text(403, "invalid push subscription endpoint"), Suspect("http_403")),
        (text(403, "aud claim in the token MUST include the origin"),
         Misconfigured("vapid_audience")),
        (text(404, "NotFound"), Unregistered("http_404")),
        (text(410, "push subscription has unsubscribed or expired."), Unregistered("http_410")),
        # Windows
        (text(400, x_wns_error_description="Ttl value conflicts"), Rejected("http_400")),
        (text(401, x_wns_status="dropped"), Misconfigured("http_401")),
        (text(410, x_wns_status="dropped"), Unregistered("http_410")),
        # neither
        (text(418), Rejected("http_418")),
        (Response(400, {}, b"\xff\xfe{"), Rejected("http_400")),
        (json_response(400, {"errno": "101"}), Rejected("http_400")),
        (json_response(400, ["errno", 101]), Rejected("http_400")),
    ],
)  # fmt: skip
def test_classify_every_answer(response: Response, expected: Outcome) -> None:
    assert classify(response, NOW) == expected
