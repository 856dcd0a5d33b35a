"""FCM HTTP v1: builds the message, classifies Google's answer (CONTRACT §7)."""

from datetime import datetime
from urllib.parse import quote

import msgspec

from shared.clock import Clock
from shared.domain.credentials import FcmCredential
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.outbound.interface import HttpClient, Response, TransportError
from shared.providers.deadline import Deadline
from shared.providers.failures import outcome_of
from shared.providers.fcm_message import build_message, fit_message
from shared.providers.oauth import AccessTokens
from shared.providers.outcomes import (
    TOO_LARGE,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
    with_cut,
)
from shared.providers.retry_after import parse_retry_after

_RESPONSE_BYTES_MAX = 65_536
_QUOTA_WAIT_SECONDS = 60.0  # Google's default when a 429 has no Retry-After


class FcmAdapter:
    def __init__(
        self,
        http: HttpClient,
        *,
        base_url: str,
        token_url: str,
        clock: Clock,
        timeout_seconds: float,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._tokens = AccessTokens(http, token_url, clock)

    async def send(
        self,
        notification: Notification,
        device: Device,
        credential: FcmCredential,
        *,
        is_dry_run: bool = False,
    ) -> Outcome:
        """A dry run is checked by Google like any other, and delivered to nobody."""
        deadline = Deadline(self._timeout_seconds)
        fitted = fit_message(notification, device)
        if fitted is None:
            return TOO_LARGE
        message = build_message(fitted.content, notification, device, self._clock())
        dry_run = {"validate_only": True} if is_dry_run else {}
        body = msgspec.json.encode({"message": message, **dry_run})
        token = await self._tokens.current(credential, deadline.remaining())
        if not isinstance(token, str):
            return token
        try:
            response = await self._post(body, credential, token, deadline)
            if is_stale_token(response):
                token = await self._tokens.renewed(credential, token, deadline.remaining())
                if not isinstance(token, str):
                    return token
                response = await self._post(body, credential, token, deadline)
        except TransportError as failure:
            return outcome_of(failure)
        return with_cut(classify(response, self._clock()), fitted.text.cut)

    async def aclose(self) -> None:
        await self._tokens.aclose()
        await self._http.aclose()

    async def _post(
        self, body: bytes, credential: FcmCredential, token: str, deadline: Deadline
    ) -> Response:
        return await self._http.request(
            "POST",
            f"{self._base_url}/v1/projects/{quote(credential.project_id, safe='')}/messages:send",
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
            body,
            timeout=deadline.rest(),
            max_response_bytes=_RESPONSE_BYTES_MAX,
        )


class _Violation(msgspec.Struct, frozen=True):
    field: str = ""


class _Detail(msgspec.Struct, frozen=True):
    type: str = msgspec.field(default="", name="@type")
    errorCode: str | None = None  # noqa: N815 - Google's name
    fieldViolations: tuple[_Violation, ...] = ()  # noqa: N815


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    status: str = ""
    details: tuple[_Detail, ...] = ()

    @property
    def code(self) -> str | None:
        """The FcmError's code: it rules over `status`, and that over the HTTP status."""
        codes = (d.errorCode for d in self.details if d.type.endswith("fcm.v1.FcmError"))
        return next(codes, None)

    @property
    def violated(self) -> frozenset[str]:
        return frozenset(v.field for detail in self.details for v in detail.fieldViolations)


class _Body(msgspec.Struct, frozen=True):
    error: _Error = _Error()
    name: str | None = None


def is_stale_token(response: Response) -> bool:
    """A 401 that a new access token may cure: THIRD_PARTY_AUTH_ERROR is about APNs' key instead."""
    return response.status == 401 and _read(response.body).error.code is None  # noqa: PLR2004


def classify(response: Response, now: datetime) -> Outcome:
    status, body = response.status, _read(response.body)
    if 200 <= status < 300:  # noqa: PLR2004 - the success class of HTTP
        return Sent(body.name)
    wait = parse_retry_after(response.headers.get("retry-after"), now)
    code = body.error.code
    # FcmError.errorCode -> outcome: firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
    match code:
        case None:
            return _classify_status(status, body.error, wait)
        case "UNREGISTERED":  # 404
            return Unregistered(code)
        case "SENDER_ID_MISMATCH":  # 403: the token's project or ours is the wrong one
            return Suspect(code)
        case "THIRD_PARTY_AUTH_ERROR" | "APNS_AUTH_ERROR":  # 401: APNs or Web Push key in Firebase
            return Misconfigured(code)
        case "QUOTA_EXCEEDED":  # 429 of one device or topic
            return Unavailable(code, _QUOTA_WAIT_SECONDS if wait is None else wait, "device")
        case "INVALID_ARGUMENT":  # 400
            return _invalid_argument(body.error)
        case "UNAVAILABLE" | "INTERNAL":  # 503, 500
            return Unavailable(code, wait, "origin")
        case _:
            return _classify_status(status, body.error, wait)


def _invalid_argument(error: _Error) -> Outcome:
    """The token or the payload: Google uses one code for both, and only the token is named."""
    if error.violated:
        blames_token = error.violated == {"message.token"}
    else:
        blames_token = "registration token" in error.message
    return Suspect("INVALID_ARGUMENT") if blames_token else Rejected("INVALID_ARGUMENT")


def _classify_status(status: int, error: _Error, wait: float | None) -> Outcome:
    """Answers without an FcmError: Google's front, IAM, quota; HTML in an outage."""
    reason = error.code or error.status or f"http_{status}"
    match status:
        case 400 if error.status == "INVALID_ARGUMENT" or not error.status:
            return _invalid_argument(error)
        # FAILED_PRECONDITION; 401 again after a new token; PERMISSION_DENIED, SERVICE_DISABLED;
        # a 404 without UNREGISTERED is a wrong project id, never a dead token.
        case 400 | 401 | 403 | 404:
            return Misconfigured(reason)
        case 429:  # RATE_LIMIT_EXCEEDED of SendsPerMinutePerProject
            return Unavailable(reason, _QUOTA_WAIT_SECONDS if wait is None else wait, "project")
        case _ if 400 <= status < 500:  # noqa: PLR2004 - the client-error class of HTTP
            return Rejected(reason)
        case _:
            return Unavailable(reason, wait, "origin")


def _read(body: bytes) -> _Body:
    try:
        return msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Body()
