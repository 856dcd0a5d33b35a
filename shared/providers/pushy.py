"""Pushy: builds the request, classifies its answer (CONTRACT §7).

The secret API key travels in the query string, so no text made from a URL leaves this module.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from shared.clock import Clock
from shared.domain.credentials import PushyCredential
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.outbound.interface import HttpClient, Response, TransportError
from shared.providers.collapse import collapse_id
from shared.providers.expiry import ttl_seconds
from shared.providers.failures import outcome_of
from shared.providers.fit import Text, fit, text_of
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from shared.providers.retry_after import parse_retry_after

DATA_BYTES_MAX = 4_096
_RESPONSE_BYTES_MAX = 65_536
_RATE_LIMIT_SECONDS = 60.0  # Pushy documents none
_LEAST_TTL_SECONDS = 1  # Pushy knows no "now or never"


class PushyAdapter:
    def __init__(
        self, http: HttpClient, *, base_url: str, clock: Clock, timeout_seconds: float
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._timeout_seconds = timeout_seconds

    async def send(
        self, notification: Notification, device: Device, credential: PushyCredential
    ) -> Outcome:
        body = build_body(notification, device, self._clock())
        try:
            response = await self._http.request(
                "POST",
                f"{self._base_url}/push?api_key={quote(credential.api_key, safe='')}",
                {"content-type": "application/json"},
                msgspec.json.encode(body),
                timeout=self._timeout_seconds,
                max_response_bytes=_RESPONSE_BYTES_MAX,
            )
        except TransportError as failure:
            return outcome_of(failure, body_decides=True)
        return classify(response, device.token, self._clock())

    async def aclose(self) -> None:
        await self._http.aclose()


def build_body(notification: Notification, device: Device, now: datetime) -> dict[str, Any]:
    text = fit_text(notification)
    return {
        "to": device.token,
        "data": _data(text, notification),
        "notification": {"title": text.title, "body": text.body},
        "time_to_live": max(_LEAST_TTL_SECONDS, ttl_seconds(notification, now)),
        "collapse_key": collapse_id(notification.notification_id),
    }


def fit_text(notification: Notification) -> Text:
    return fit(
        text_of(notification.content),
        lambda text: len(msgspec.json.encode(_data(text, notification))),
        DATA_BYTES_MAX,
    )


def _data(text: Text, notification: Notification) -> dict[str, Any]:
    data: dict[str, Any] = {
        "title": text.title,
        "message": text.body,
        "notification_id": str(notification.notification_id),
    }
    if text.data is not None:
        data["data"] = msgspec.Raw(text.data.encode())
    if text.data_truncated:
        data["data_truncated"] = True
    return data


class _Info(msgspec.Struct, frozen=True):
    failed: tuple[str, ...] = ()


class _Body(msgspec.Struct, frozen=True):
    success: bool = False
    id: str | None = None
    code: str | None = None
    info: _Info = _Info()


def classify(response: Response, token: str, now: datetime) -> Outcome:
    """By `code`; of the status only the class is relied on, since Pushy documents none."""
    body = _read(response.body)
    if 200 <= response.status < 300:  # noqa: PLR2004 - the success class of HTTP
        return _classify_success(body, token)
    wait = parse_retry_after(response.headers.get("retry-after"), now)
    match body.code:
        # None of the recipients is known to the app whose key this is: a dead token, or the key
        # of another app, which would make every token look dead. So not Unregistered.
        case "NO_RECIPIENTS" | "INVALID_DEVICE_TOKEN":
            return Suspect(body.code)
        case "NO_APNS_AUTH" | "INVALID_API_KEY" | "AUTH_LIMIT_EXCEEDED" | "ACCOUNT_SUSPENDED":
            return Misconfigured(body.code)
        case "PAYLOAD_LIMIT_EXCEEDED" | "INVALID_PARAM":
            return Rejected(body.code)
        case "RATE_LIMIT_EXCEEDED":
            seconds = _RATE_LIMIT_SECONDS if wait is None else wait
            return Unavailable(body.code, seconds, "credential")
        case "INTERNAL_SERVER_ERROR":
            return Unavailable(body.code, wait, "origin")
        case _:
            return _classify_status(response.status, wait)


def _classify_success(body: _Body, token: str) -> Outcome:
    if token in body.info.failed:
        return Unregistered("info.failed")
    return Sent(body.id) if body.success else Ambiguous("unreadable_answer")


def _classify_status(status: int, wait: float | None) -> Outcome:
    """A code that is new to us, or none: pigeon has seen bodies missing on 400, 401 and 500."""
    reason = f"http_{status}"
    match status:
        case 401 | 403:
            return Misconfigured(reason)
        case 429:
            seconds = _RATE_LIMIT_SECONDS if wait is None else wait
            return Unavailable(reason, seconds, "credential")
        case _ if 400 <= status < 500:  # noqa: PLR2004 - the client-error class of HTTP
            return Rejected(reason)
        case _:
            return Unavailable(reason, wait, "origin")


def _read(body: bytes) -> _Body:
    try:
        return msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Body()
