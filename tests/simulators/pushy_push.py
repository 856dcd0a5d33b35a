"""What Pushy refuses and how it says so: error codes and the checks of `POST /push`."""

from __future__ import annotations

import re
import time
from typing import Any

import msgspec

TOKENS_MAX = 100_000
TOPICS_MAX = 100
DATA_BYTES_MAX = 4096
YEAR_SECONDS = 365 * 86_400
COLLAPSE_KEY_MAX = 32
TOKEN = re.compile(r"[\x21-\x7e]{1,512}")
FIELDS = {
    "to", "data", "time_to_live", "content_available",
    "mutable_content", "notification", "schedule", "collapse_key",
}  # fmt: skip

# code -> HTTP status (not documented by Pushy: change with settings.statuses), text
CODES = {
    "NO_RECIPIENTS": (400, "We could not find any devices matching the specified condition."),
    "NO_APNS_AUTH": (400, "You have not uploaded an APNs certificate or key in the dashboard."),
    "PAYLOAD_LIMIT_EXCEEDED": (400, "Your request exceeded the 4KB payload limit."),
    "INVALID_PARAM": (400, "The request contains an invalid parameter."),
    "INVALID_API_KEY": (401, "The Secret API Key you used to authenticate is invalid."),
    "AUTH_LIMIT_EXCEEDED": (401, "You have exceeded the authentication limit."),
    "ACCOUNT_SUSPENDED": (403, "Your account has been suspended."),
    "RATE_LIMIT_EXCEEDED": (429, "You have exceeded the rate limit."),
    "INTERNAL_SERVER_ERROR": (500, "An internal server error occurred."),
    "INVALID_DEVICE_TOKEN": (404, "The device token is invalid."),
    "INVALID_PUSH_ID": (404, "The push ID is invalid."),
    "NO_RESULTS": (404, "No results were found."),
}
CODE_BY_STATUS = {
    400: "INVALID_PARAM",
    401: "INVALID_API_KEY",
    403: "ACCOUNT_SUSPENDED",
    404: "INVALID_DEVICE_TOKEN",
    429: "RATE_LIMIT_EXCEEDED",
}


class PushyFault(Exception):
    """A request that Pushy refuses with `code`."""

    def __init__(self, code: str, text: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


def check_push(content: dict[str, Any] | None) -> dict[str, Any]:
    """The body of `POST /push` when every field is as documented; raises PushyFault."""
    if content is None or content.keys() - FIELDS:
        raise PushyFault(
            "INVALID_PARAM",
            f"Unknown fields: {sorted(content.keys() - FIELDS) if content else 'not an object'}",
        )
    to, data, collapse_key = content.get("to"), content.get("data"), content.get("collapse_key", "")
    is_list = (
        isinstance(to, list)
        and 1 <= len(to) <= TOKENS_MAX
        and all(isinstance(item, str) and item for item in to)
    )
    checks = (
        is_list or (isinstance(to, str) and to != ""),
        isinstance(data, dict),
        isinstance(collapse_key, str) and len(collapse_key) <= COLLAPSE_KEY_MAX,
        _is_number(content.get("time_to_live", 1), 1, YEAR_SECONDS),
        _is_number(content.get("schedule", time.time()), 0, time.time() + YEAR_SECONDS),
        all(
            isinstance(content.get(name, False), bool)
            for name in ("content_available", "mutable_content")
        ),
        isinstance(content.get("notification", {}), dict),
    )
    if not all(checks):
        raise PushyFault("INVALID_PARAM")
    if len(msgspec.json.encode(data)) > DATA_BYTES_MAX:
        raise PushyFault("PAYLOAD_LIMIT_EXCEEDED")
    return content


def _is_number(value: object, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
