"""APNs: builds the request and sends it, to the other environment's host too where nobody knows.

Apple answers BadDeviceToken for a token of its other environment as well. When neither the
registration nor an earlier push told the environment, the other host is asked within the same
attempt: the first one has refused provably, so this can be no second push, and the retry policy
need not know that a provider may have two hosts. The outcome names the host that took it, and the
worker remembers that.
"""

from typing import cast

import msgspec
from aioapns import PushType

from shared.clock import Clock
from shared.domain.credentials import AnyApnsCredential, ApnsCertificate, ApnsCredential
from shared.domain.devices import ApnsEnvironment, Device
from shared.domain.notifications import Notification
from shared.outbound.interface import TransportError
from shared.providers.apns_answers import BAD_DEVICE_TOKEN, EXPIRED_TOKEN, classify
from shared.providers.apns_pool import (
    ApnsClient,
    ApnsPool,
    ApnsRequest,
    ApnsResult,
    ApnsTransports,
    encode,
)
from shared.providers.apns_tokens import InvalidSigningKey, ProviderTokens
from shared.providers.collapse import collapse_id, delivery_id
from shared.providers.columns import Json, apns_payload, apns_priority, is_background
from shared.providers.deadline import Deadline
from shared.providers.expiry import expiry_epoch_seconds
from shared.providers.failures import outcome_of
from shared.providers.fit import Fitted, Text, fit_content, text_of, wordless
from shared.providers.outcomes import (
    TOO_LARGE,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    with_cut,
)
from shared.providers.overrides import apply_override

PAYLOAD_BYTES_MAX = 4_096
COLLAPSE_ID_BYTES_MAX = 64
_OTHER: dict[ApnsEnvironment, ApnsEnvironment] = {"production": "sandbox", "sandbox": "production"}


class ApnsAdapter:
    def __init__(
        self,
        transports: ApnsTransports,
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
        self, notification: Notification, device: Device, credential: AnyApnsCredential
    ) -> Outcome:
        deadline = Deadline(self._timeout_seconds)
        fitted = fit_payload(notification, device)
        if fitted is None:
            return TOO_LARGE
        request = build_request(fitted.content, notification, device, credential)
        assumed = device.apns_environment or credential.environment
        outcome = await self._ask(request, assumed, credential, deadline)
        if outcome == BAD_DEVICE_TOKEN and device.apns_environment is None:
            outcome = await self._ask_other(request, _OTHER[assumed], credential, deadline)
        return with_cut(outcome, fitted.text.cut)

    async def aclose(self) -> None:
        await self._transports.aclose()

    async def _ask_other(
        self,
        request: ApnsRequest,
        environment: ApnsEnvironment,
        credential: AnyApnsCredential,
        deadline: Deadline,
    ) -> Outcome:
        """The other host's outcome, unless it only speaks of our key or certificate there."""
        if isinstance(credential, ApnsCertificate) and environment not in credential.environments:
            return BAD_DEVICE_TOKEN
        outcome = await self._ask(request, environment, credential, deadline)
        match outcome:
            case Sent():
                return msgspec.structs.replace(outcome, apns_environment=environment)
            case Misconfigured() | Rejected():
                return BAD_DEVICE_TOKEN
            case _:
                return outcome

    async def _ask(
        self,
        request: ApnsRequest,
        environment: ApnsEnvironment,
        credential: AnyApnsCredential,
        deadline: Deadline,
    ) -> Outcome:
        """One environment's outcome, with a renewed token if need be."""
        url = self._urls[environment]
        try:
            if isinstance(credential, ApnsCertificate):
                if credential.expires_at <= self._clock():
                    return Misconfigured("certificate_expired")
                pool = ApnsPool(
                    self._transports.of(credential), url, None, timeout=deadline.remaining()
                )
                result = await _once(request, pool)
            else:
                result = await self._with_token(request, url, credential, deadline)
        except InvalidSigningKey:
            return Misconfigured("invalid_signing_key")
        except TransportError as failure:
            return outcome_of(failure)
        return classify(result, self._clock())

    async def _with_token(
        self, request: ApnsRequest, url: str, credential: ApnsCredential, deadline: Deadline
    ) -> ApnsResult:
        transport = self._transports.of(credential)
        shown = ""

        def bearer() -> str:
            nonlocal shown
            shown = self._tokens.current(credential)
            return shown

        pool = ApnsPool(transport, url, bearer, timeout=deadline.remaining())
        result = await _once(request, pool)
        if result.description != EXPIRED_TOKEN:
            return result
        is_renewed = self._tokens.renewed(credential, shown) is not None
        transport.rotate()  # APNs keeps refusing fresh tokens on such a connection
        if not is_renewed:
            return result
        pool = ApnsPool(transport, url, bearer, timeout=deadline.rest())
        return await _once(request, pool)


async def _once(request: ApnsRequest, pool: ApnsPool) -> ApnsResult:
    return cast("ApnsResult", await ApnsClient(pool).send_notification(request))


def build_request(
    payload: Json, notification: Notification, device: Device, credential: AnyApnsCredential
) -> ApnsRequest:
    """The request as aioapns knows it, with a payload that fits."""
    is_silent = is_background(payload)
    return ApnsRequest(
        device_token=device.token,
        message=payload,
        notification_id=delivery_id(notification.notification_id, device.device_id),
        expiration=expiry_epoch_seconds(notification),
        priority=apns_priority(notification.content.options, is_silent=is_silent),
        collapse_key=collapse_id(notification, as_it_is_bytes_max=COLLAPSE_ID_BYTES_MAX),
        push_type=PushType.BACKGROUND if is_silent else PushType.ALERT,
        apns_topic=credential.topic,
    )


def fit_payload(notification: Notification, device: Device) -> Fitted[Json] | None:
    """The payload that fits for this device; None when it cannot, or may not be shortened."""
    content = notification.content
    text = text_of(content, device.language)
    return fit_content(
        wordless(text) if content.options.silent else text,
        content.options.oversize,
        lambda text: _payload(text, notification),
        lambda payload: len(encode(payload)),
        PAYLOAD_BYTES_MAX,
    )


def _payload(text: Text, notification: Notification) -> Json:
    patch = notification.content.options.overrides.get("apns")
    return apply_override(apns_payload(text, notification), patch)
