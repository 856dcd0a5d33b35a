"""APNs: builds the request, classifies Apple's answer (CONTRACT §7)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import msgspec
from aioapns import PushType

from shared.clock import Clock
from shared.domain.credentials import ApnsCredential
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.outbound.interface import TransportError
from shared.providers.apns_pool import (
    ApnsClient,
    ApnsPool,
    ApnsRequest,
    ApnsResult,
    TeamTransports,
    encode,
)
from shared.providers.apns_tokens import InvalidSigningKey, ProviderTokens
from shared.providers.collapse import collapse_id, delivery_uuid
from shared.providers.columns import Json, apns_payload, apns_priority
from shared.providers.deadline import Deadline
from shared.providers.expiry import expiry_epoch_seconds
from shared.providers.failures import outcome_of
from shared.providers.fit import Text, fit, text_of, wordless
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
from shared.providers.overrides import apply_override
from shared.providers.retry_after import parse_retry_after

PAYLOAD_BYTES_MAX = 4_096
COLLAPSE_ID_BYTES_MAX = 64
_EXPIRED_TOKEN = "ExpiredProviderToken"  # noqa: S105 - a reason, not a secret


class ApnsAdapter:
    def __init__(
        self,
        transports: TeamTransports,
        *,
        production_url: str,
        sandbox_url: str,
        clock: Clock,
        timeout_seconds: float,
    ) -> None:
        self._transports = transports
        self._urls = {"production": production_url, "sandbox": sandbox_url}
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._tokens = ProviderTokens(clock)

    async def send(
        self, notification: Notification, device: Device, credential: ApnsCredential
    ) -> Outcome:
        deadline = Deadline(self._timeout_seconds)
        text = fit_text(notification, device)
        if text is None:
            return TOO_LARGE
        request = build_request(text, notification, device, credential)
        url = self._urls[device.apns_environment or credential.environment]
        try:
            result = await self._attempt(request, url, credential, deadline)
        except InvalidSigningKey:
            return Misconfigured("invalid_signing_key")
        except TransportError as failure:
            return outcome_of(failure)
        return with_cut(classify(result, self._clock()), text.cut)

    async def aclose(self) -> None:
        await self._transports.aclose()

    async def _attempt(
        self, request: ApnsRequest, url: str, credential: ApnsCredential, deadline: Deadline
    ) -> ApnsResult:
        transport = self._transports.of(credential.team_id)
        bearer = self._tokens.current(credential)
        result = await _once(request, ApnsPool(transport, url, bearer, deadline.remaining()))
        if result.description != _EXPIRED_TOKEN:
            return result
        fresh = self._tokens.renewed(credential, bearer)
        if fresh is None:
            return result
        transport.rotate()  # APNs keeps refusing fresh tokens on such a connection
        return await _once(request, ApnsPool(transport, url, fresh, deadline.remaining()))


async def _once(request: ApnsRequest, pool: ApnsPool) -> ApnsResult:
    return cast("ApnsResult", await ApnsClient(pool).send_notification(request))


def build_request(
    text: Text, notification: Notification, device: Device, credential: ApnsCredential
) -> ApnsRequest:
    """The request as aioapns knows it, with a text that fits."""
    options = notification.content.options
    return ApnsRequest(
        device_token=device.token,
        message=_payload(text, notification),
        notification_id=str(delivery_uuid(notification.notification_id, device.device_id)),
        expiration=expiry_epoch_seconds(notification),
        priority=apns_priority(options),
        collapse_key=collapse_id(notification, as_it_is_bytes_max=COLLAPSE_ID_BYTES_MAX),
        push_type=PushType.BACKGROUND if options.silent else PushType.ALERT,
        apns_topic=credential.topic,
    )


def fit_text(notification: Notification, device: Device) -> Text | None:
    """The text that fits for this device; None when it cannot, or may not be shortened."""
    content = notification.content
    text = text_of(content, device.language)
    return fit(
        wordless(text) if content.options.silent else text,
        content.options.oversize,
        lambda text: len(encode(_payload(text, notification))),
        PAYLOAD_BYTES_MAX,
    )


def _payload(text: Text, notification: Notification) -> Json:
    patch = notification.content.options.overrides.get("apns")
    return apply_override(apns_payload(text, notification), patch)


# Reason -> outcome; what is not here goes by its status. The reasons:
# developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
_REJECTED = frozenset(
    {
        "BadCollapseId", "BadExpirationDate", "BadMessageId", "BadPriority",  # 400: our builder
        "DuplicateHeaders", "InvalidPushType", "PayloadEmpty", "MissingDeviceToken",
        "BadPath", "MethodNotAllowed",  # 404, 405
        "PayloadTooLarge",  # 413
    }
)  # fmt: skip
_SUSPECT = frozenset(
    {
        "BadDeviceToken",  # malformed, or of the other environment
        "DeviceTokenNotForTopic",  # of another app, or our topic is wrong
    }
)
_MISCONFIGURED = frozenset(
    {
        # The table drops the first two, as a builder's fault; our topic is the credential's.
        "MissingTopic", "BadTopic", "TopicDisallowed",
        "ExpiredProviderToken",  # after a renewal, or too soon for one: clocks disagree
        "InvalidProviderToken", "MissingProviderToken", "UnrelatedKeyIdInToken",
        "BadEnvironmentKeyIdInToken",  # Apple's documents
        "BadEnvironmentKeyInToken",  # what is on the wire
        "BadCertificate", "BadCertificateEnvironment", "Forbidden",
    }
)  # fmt: skip
_UNREGISTERED = frozenset({"Unregistered", "ExpiredToken"})  # 410
_WAITS: Mapping[str, Unavailable] = {
    # Apple sends no Retry-After; the waits are our judgement.
    "TooManyRequests": Unavailable("TooManyRequests", 60.0, "device"),
    "TooManyProviderTokenUpdates": Unavailable("TooManyProviderTokenUpdates", 300.0, "credential"),
}


def classify(result: ApnsResult, now: datetime) -> Outcome:
    status, reason = int(result.status), result.description or f"http_{result.status}"
    if result.is_successful:
        return Sent(result.notification_id)
    if reason in _UNREGISTERED:
        return Unregistered(reason, _instant(result.timestamp))
    if reason in _SUSPECT:
        return Suspect(reason)
    if reason in _MISCONFIGURED:
        return Misconfigured(reason)
    if reason in _REJECTED:
        return Rejected(reason)
    wait = parse_retry_after(result.retry_after, now)
    if reason in _WAITS:
        return msgspec.structs.replace(
            _WAITS[reason], retry_after_seconds=wait or _WAITS[reason].retry_after_seconds
        )
    if reason == "IdleTimeout":  # 400, but it is about the connection
        return Unavailable(reason, wait, "origin")
    return _classify_status(status, reason, wait)


def _classify_status(status: int, reason: str, wait: float | None) -> Outcome:
    """Reasons that are new to us, answers without one, 500 InternalServerError, 503 Shutdown."""
    match status:
        case 403:  # every documented 403 is about the key; new kinds appeared in 2025
            return Misconfigured(reason)
        case 410:
            return Suspect(reason)  # gone, but Apple did not say what
        case 429:
            return Unavailable(reason, 60.0 if wait is None else wait, "device")
        case _ if 400 <= status < 500:  # noqa: PLR2004 - the client-error class of HTTP
            return Rejected(reason)
        case _:
            return Unavailable(reason, wait, "origin")


def _instant(milliseconds: int | None) -> datetime | None:
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
