"""Every documented answer of Pushy and what it means, for tests of ours and of the simulator."""

from dataclasses import dataclass, field

from shared.providers.outcomes import (
    Misconfigured,
    Outcome,
    Rejected,
    Suspect,
    Unavailable,
)


@dataclass(frozen=True)
class Row:
    """A refusal of a push; `code` None is a body that is not Pushy's."""

    status: int
    code: str | None
    expected: Outcome
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code or ''} {self.headers or ''}".strip()


def _limited(reason: str, seconds: float) -> Unavailable:
    return Unavailable(reason, seconds, "credential")


def _down(reason: str, seconds: float | None = None) -> Unavailable:
    return Unavailable(reason, seconds, "origin")


ROWS = [
    # A token that nobody knows, or a key of another app, to which every token is one.
    Row(400, "NO_RECIPIENTS", Suspect("NO_RECIPIENTS")),
    *(Row(status, "INVALID_DEVICE_TOKEN", Suspect("INVALID_DEVICE_TOKEN"))
      for status in (400, 404)),
    Row(400, "NO_APNS_AUTH", Misconfigured("NO_APNS_AUTH")),
    Row(401, "INVALID_API_KEY", Misconfigured("INVALID_API_KEY")),
    Row(401, "AUTH_LIMIT_EXCEEDED", Misconfigured("AUTH_LIMIT_EXCEEDED")),
    Row(403, "ACCOUNT_SUSPENDED", Misconfigured("ACCOUNT_SUSPENDED")),
    Row(400, "PAYLOAD_LIMIT_EXCEEDED", Rejected("PAYLOAD_LIMIT_EXCEEDED")),
    Row(400, "INVALID_PARAM", Rejected("INVALID_PARAM")),
    Row(429, "RATE_LIMIT_EXCEEDED", _limited("RATE_LIMIT_EXCEEDED", 60.0)),
    Row(429, "RATE_LIMIT_EXCEEDED", _limited("RATE_LIMIT_EXCEEDED", 7.0), {"retry-after": "7"}),
    Row(500, "INTERNAL_SERVER_ERROR", _down("INTERNAL_SERVER_ERROR")),
    Row(503, "INTERNAL_SERVER_ERROR", _down("INTERNAL_SERVER_ERROR", 9.0), {"retry-after": "9"}),
    # of other calls; a push cannot be answered with them, but must survive it
    *(Row(404, code, Rejected("http_404")) for code in ("INVALID_PUSH_ID", "NO_RESULTS")),
    # Pushy documents no status: the code rules
    Row(500, "INVALID_API_KEY", Misconfigured("INVALID_API_KEY")),
    Row(400, "RATE_LIMIT_EXCEEDED", _limited("RATE_LIMIT_EXCEEDED", 60.0)),
    # and a code that is new, or none, leaves the status' class
    Row(400, "SOMETHING_NEW", Rejected("http_400")),
    Row(503, "SOMETHING_NEW", _down("http_503")),
    *(Row(status, None, Rejected(f"http_{status}")) for status in (400, 404, 413)),
    *(Row(status, None, Misconfigured(f"http_{status}")) for status in (401, 403)),
    Row(429, None, _limited("http_429", 60.0)),
    Row(429, None, _limited("http_429", 9.0), {"retry-after": "9"}),
    *(Row(status, None, _down(f"http_{status}")) for status in (302, 500, 502, 503, 504)),
]  # fmt: skip
