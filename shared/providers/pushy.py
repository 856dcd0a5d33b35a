"""Pushy: builds the request, classifies its answer (CONTRACT §7).

The secret API key travels in the query string, so no text made from a URL leaves this module.
"""

from datetime import datetime

import msgspec

from shared.clock import Clock
from shared.domain.credentials import PushyCredential
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.domain.options import Options
from shared.outbound.interface import HttpClient, Response, TransportError
from shared.providers.collapse import collapse_id
from shared.providers.columns import Json, given, identity, localization
from shared.providers.expiry import ttl_seconds
from shared.providers.failures import outcome_of
from shared.providers.fit import Fitted, Text, fit_content, text_of
from shared.providers.outcomes import (
    TOO_LARGE,
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
    with_cut,
)
from shared.providers.overrides import apply_override
from shared.providers.pushy_api import endpoint
from shared.providers.retry_after import parse_retry_after

DATA_BYTES_MAX = 4_096
COLLAPSE_KEY_BYTES_MAX = 32
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
        fitted = fit_body(notification, device)
        if fitted is None:
            return TOO_LARGE
        body = build_body(fitted.content, notification, device, self._clock())
        try:
            response = await self._http.request(
                "POST",
                endpoint(self._base_url, "/push", credential.api_key),
                {"content-type": "application/json"},
                msgspec.json.encode(body),
                timeout=self._timeout_seconds,
                max_response_bytes=_RESPONSE_BYTES_MAX,
            )
        except TransportError as failure:
            return outcome_of(failure, body_decides=True)
        return with_cut(classify(response, device.token, self._clock()), fitted.text.cut)

    async def aclose(self) -> None:
        await self._http.aclose()


def build_body(content: Json, notification: Notification, device: Device, now: datetime) -> Json:
    """The request's body, with a content that fits."""
    target = {
        "to": device.token,
        "time_to_live": max(_LEAST_TTL_SECONDS, ttl_seconds(notification, now)),
        **given(
            {"collapse_key": collapse_id(notification, as_it_is_bytes_max=COLLAPSE_KEY_BYTES_MAX)}
        ),
    }
    return target | content


def fit_body(notification: Notification, device: Device) -> Fitted[Json] | None:
    """The content that fits for this device; None when it cannot, or may not be shortened."""
    content = notification.content
    return fit_content(
        text_of(content, device.language),
        content.options.oversize,
        lambda text: _content(text, notification),
        data_bytes,
        DATA_BYTES_MAX,
    )


def data_bytes(content: Json) -> int:
    """What Pushy counts: `data`, not what is shown."""
    return len(msgspec.json.encode(content.get("data")))


def _content(text: Text, notification: Notification) -> Json:
    options = notification.content.options
    is_mutable = options.mutable_content or options.image is not None
    content: Json = {
        "data": _data(text, notification),
        **({"content_available": True} if options.silent else {}),
        **({"mutable_content": True} if is_mutable else {}),
        **({} if options.silent else {"notification": _shown(text, options)}),
    }
    return apply_override(content, options.overrides.get("pushy"))


def _data(text: Text, notification: Notification) -> Json:
    options = notification.content.options
    return {
        "title": text.title,
        "message": text.body,
        **identity(text, notification),
        **given({"image": options.image, "click_action": options.click_action}),
    }


def _shown(text: Text, options: Options) -> Json:
    return {
        "title": text.title,
        "body": text.body,
        **given({"badge": options.badge, "sound": options.sound, "category": options.category}),
        **localization("title_loc_key", "title_loc_args", options.title_loc),
        **localization("loc_key", "loc_args", options.body_loc),
    }


class _Info(msgspec.Struct, frozen=True):
    devices: int = 0
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
        # Like NO_RECIPIENTS, unless the key is proven to be this app's by others that it reached.
        is_proven = body.info.devices > 0
        return Unregistered("info.failed") if is_proven else Suspect("info.failed")
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
