"""Every documented answer of the push services and what it means, for tests of ours and theirs."""

from dataclasses import dataclass, field
from typing import Literal

from shared.providers.outcomes import (
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)

Vendor = Literal["rfc", "mozilla", "apple", "google", "wns"]
OTHER_KEY = (
    "permission denied: the VAPID credentials in the authorization header do not correspond to "
    "the credentials used to create the subscriptions."
)
NO_AUDIENCE = "the aud claim in the token MUST include the origin of the endpoint"


@dataclass(frozen=True)
class Row:
    """`word` is Mozilla's errno ("null": none), Apple's reason, else the body's text."""

    vendor: Vendor
    status: int
    word: str | None
    expected: Outcome
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.vendor} {self.status} {self.word or ''} {self.headers or ''}".strip()


def _origin(status: int, wait: float | None = None) -> Unavailable:
    return Unavailable(f"http_{status}", wait, "origin")


def _after(seconds: int) -> dict[str, str]:
    return {"retry-after": str(seconds)}


# RFC 8030 and those who deviate. A moved endpoint is an address that a stranger gives: it is not
# followed, and the browser tells the new one when it registers the next time.
RFC = [
    *(Row("rfc", status, None, Sent()) for status in (200, 201, 202, 204)),
    *(Row("rfc", status, None, Rejected(f"http_{status}"), {"location": "https://elsewhere/x"})
      for status in (301, 302, 307, 308)),
    Row("rfc", 400, None, Rejected("http_400")),
    Row("rfc", 401, None, Misconfigured("http_401")),
    Row("rfc", 403, None, Suspect("http_403")),
    Row("rfc", 404, None, Unregistered("http_404")),
    Row("rfc", 406, None, _origin(406, 60.0)),
    Row("rfc", 406, None, _origin(406, 900.0), _after(900)),
    Row("rfc", 408, None, _origin(408)),
    Row("rfc", 410, None, Unregistered("http_410")),
    Row("rfc", 413, None, Rejected("http_413")),
    Row("rfc", 418, None, Rejected("http_418")),
    Row("rfc", 429, None, _origin(429, 60.0)),
    Row("rfc", 429, None, _origin(429, 5.0), _after(5)),
    *(Row("rfc", status, None, _origin(status)) for status in (500, 502, 503, 504)),
    Row("rfc", 503, None, _origin(503, 30.0), _after(30)),
]  # fmt: skip

MOZILLA = [
    Row("mozilla", 201, None, Sent()),
    Row("mozilla", 301, None, Rejected("http_301"), {"location": "https://elsewhere/x"}),
    Row("mozilla", 400, "101", Rejected("mozilla_101")),
    Row("mozilla", 404, "102", Unregistered("mozilla_102")),
    Row("mozilla", 410, "103", Unregistered("mozilla_103")),
    Row("mozilla", 413, "104", Rejected("mozilla_104")),
    Row("mozilla", 410, "105", Unregistered("mozilla_105")),
    Row("mozilla", 410, "106", Unregistered("mozilla_106")),
    Row("mozilla", 400, "108", Unregistered("mozilla_108")),
    Row("mozilla", 401, "109", Misconfigured("mozilla_109")),
    *(Row("mozilla", 400, errno, Rejected(f"mozilla_{errno}"))
      for errno in ("110", "111", "112", "113", "114")),
    Row("mozilla", 503, "201", _origin(503, 120.0), _after(120)),
    Row("mozilla", 503, "202", _origin(503)),
    *(Row("mozilla", 502, errno, _origin(502)) for errno in ("900", "901", "902", "903")),
    Row("mozilla", 500, "999", _origin(500)),
    Row("mozilla", 503, "null", _origin(503)),  # a conflict in its database
    Row("mozilla", 400, "null", Rejected("http_400")),  # a message id that is none
    Row("mozilla", 429, "null", _origin(429, 60.0)),
]  # fmt: skip

APPLE = [
    Row("apple", 201, None, Sent()),
    *(Row("apple", 400, reason, Rejected(reason))
      for reason in ("BadTtl", "BadUrgency", "BadWebPushTopic", "BadWebPushRequest")),
    *(Row("apple", status, "VapidPkHashMismatch", Suspect("VapidPkHashMismatch"))
      for status in (400, 403)),
    *(Row("apple", 403, reason, Misconfigured(reason))
      for reason in ("BadAuthorizationHeader", "BadJwtToken", "BadVapidPublicKey")),
    Row("apple", 404, "BadPath", Suspect("BadPath")),
    Row("apple", 410, "Unregistered", Unregistered("http_410")),
    Row("apple", 413, "PayloadTooLarge", Rejected("http_413")),
    Row("apple", 429, "TooManyRequests", _origin(429, 60.0)),
    Row("apple", 500, "InternalServerError", _origin(500)),
    *(Row("apple", 503, reason, _origin(503)) for reason in ("ServiceUnavailable", "Shutdown")),
]  # fmt: skip

GOOGLE = [
    Row("google", 201, None, Sent()),
    Row("google", 400, "UnauthorizedRegistration", Suspect("UnauthorizedRegistration")),
    Row("google", 400, "<H1>InvalidTokenFormat</H1>", Suspect("InvalidTokenFormat")),
    Row("google", 401, None, Misconfigured("http_401")),
    Row("google", 403, OTHER_KEY, Suspect("http_403")),
    Row("google", 403, "invalid push subscription endpoint", Suspect("http_403")),
    Row("google", 403, NO_AUDIENCE, Misconfigured("vapid_audience")),
    Row("google", 404, "NotFound", Unregistered("http_404")),
    Row("google", 410, "push subscription has unsubscribed or expired.", Unregistered("http_410")),
    Row("google", 410, "NotRegistered", Unregistered("http_410")),
    Row("google", 413, None, Rejected("http_413")),
    Row("google", 429, None, _origin(429, 60.0)),
    *(Row("google", status, "<H1>Error</H1>", _origin(status)) for status in (500, 502, 503)),
]  # fmt: skip

WNS = [
    Row("wns", 201, None, Sent()),
    Row("wns", 400, "Ttl value conflicts with X-WNS-Cache-Policy.", Rejected("http_400")),
    Row("wns", 401, None, Misconfigured("http_401")),
    Row("wns", 403, None, Suspect("http_403")),
    Row("wns", 404, None, Unregistered("http_404")),
    Row("wns", 406, None, _origin(406, 900.0), _after(900)),
    Row("wns", 410, None, Unregistered("http_410")),
    Row("wns", 413, None, Rejected("http_413")),
    Row("wns", 429, None, _origin(429, 900.0), _after(900)),
    *(Row("wns", status, None, _origin(status)) for status in (500, 503)),
]

ROWS = [*RFC, *MOZILLA, *APPLE, *GOOGLE, *WNS]
