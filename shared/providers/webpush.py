"""Web Push: encrypts the message and posts it to the subscription (CONTRACT §7, RFC 8030)."""

from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from shared.clock import Clock
from shared.crypto.vapid import VapidHeaders, load_private_key, origin_of, public_key_of
from shared.domain.credentials import WebPushCredential
from shared.domain.devices import Device, Subscription
from shared.domain.notifications import Notification
from shared.outbound.addresses import AddressPolicy, host_matches
from shared.outbound.interface import HttpClient, Response, TransportError
from shared.providers.collapse import collapse_id
from shared.providers.columns import URGENCIES, Json, given, web_message
from shared.providers.deadline import Deadline
from shared.providers.expiry import ttl_seconds
from shared.providers.failures import outcome_of
from shared.providers.fit import Fitted, Text, fit_content, text_of
from shared.providers.outcomes import TOO_LARGE, Misconfigured, Outcome, Rejected, Sent, with_cut
from shared.providers.overrides import apply_override
from shared.providers.webpush_answers import classify, is_signature_refused
from shared.providers.webpush_encryption import PLAINTEXT_BYTES_MAX, encrypt
from shared.providers.webpush_subscription import (
    InvalidSubscription,
    endpoint_refusal,
    parse_subscription,
    receiver_of,
)

__all__ = ["InvalidSubscription", "WebPushAdapter", "endpoint_refusal", "parse_subscription"]

_RESPONSE_BYTES_MAX = 65_536
_WNS = ("*.notify.windows.com",)


class WebPushAdapter:
    def __init__(
        self,
        http: HttpClient,
        *,
        allowed_hosts: tuple[str, ...],
        clock: Clock,
        timeout_seconds: float,
        is_local: bool = False,
    ) -> None:
        self._http = http
        self._allowed_hosts = allowed_hosts
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._is_local = is_local
        self._allow_address = AddressPolicy(allow_loopback=is_local).is_public
        self._vapid = VapidHeaders(clock)

    async def send(
        self, notification: Notification, device: Device, credential: WebPushCredential
    ) -> Outcome:
        subscription = _read_subscription(device.token)
        if subscription is None:
            return Rejected("invalid_subscription")
        endpoint = subscription.endpoint
        if endpoint_refusal(endpoint, self._allowed_hosts, is_local=self._is_local) is not None:
            return Rejected("endpoint_not_allowed")
        fitted = fit_plaintext(notification, device)
        if fitted is None:
            return TOO_LARGE
        try:
            body = encrypt(fitted.content, receiver_of(subscription))
        except ValueError:
            return Rejected("invalid_subscription")
        outcome = await self._deliver(notification, endpoint, credential, body)
        return with_cut(outcome, fitted.text.cut)

    def verify(self, credential: WebPushCredential) -> Outcome:
        """Whether the key pair signs and belongs together."""
        try:
            public_key = public_key_of(load_private_key(credential.vapid_private_key))
            self._vapid.authorization(*_signer(credential, "https://push.example"))
        except ValueError:
            return Misconfigured("invalid_vapid_key")
        if public_key != credential.vapid_public_key:
            return Misconfigured("vapid_keys_differ")
        return Sent()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _deliver(
        self, notification: Notification, endpoint: str, credential: WebPushCredential, body: bytes
    ) -> Outcome:
        """One request; a second one only with another signature than the one refused."""
        signer, deadline = _signer(credential, endpoint), Deadline(self._timeout_seconds)
        try:
            vapid = self._vapid.authorization(*signer)
        except ValueError:
            return Misconfigured("invalid_vapid_key")
        try:
            response = await self._post(notification, endpoint, vapid, body, deadline)
            if is_signature_refused(response):
                again = self._vapid.renewed(*signer, refused=vapid)
                if again is not None:
                    response = await self._post(notification, endpoint, again, body, deadline)
        except TransportError as failure:
            return outcome_of(failure, fixed_host=False)
        return classify(response, self._clock())

    async def _post(
        self, notification: Notification, endpoint: str, vapid: str, body: bytes, deadline: Deadline
    ) -> Response:
        headers = build_headers(notification, endpoint, self._clock())
        return await self._http.request(
            "POST",
            endpoint,
            {"authorization": vapid, **headers},
            body,
            timeout=deadline.rest(),
            max_response_bytes=_RESPONSE_BYTES_MAX,
            allow_address=self._allow_address,
        )


def _plaintext(text: Text, notification: Notification) -> bytes:
    """The JSON that the service worker gets, with a text that fits."""
    message: Json = web_message(text, notification)
    patch = notification.content.options.overrides.get("webpush")
    return msgspec.json.encode(apply_override(message, patch))


def fit_plaintext(notification: Notification, device: Device) -> Fitted[bytes] | None:
    """The message that fits for this device; None when it cannot, or may not be shortened."""
    content = notification.content
    return fit_content(
        text_of(content, device.language),
        content.options.oversize,
        lambda text: _plaintext(text, notification),
        len,
        PLAINTEXT_BYTES_MAX,
    )


def build_headers(notification: Notification, endpoint: str, now: datetime) -> dict[str, str]:
    """All but the authorization."""
    ttl = ttl_seconds(notification, now)
    headers = {
        "ttl": str(ttl),
        "urgency": URGENCIES[notification.content.options.priority],
        **given({"topic": collapse_id(notification)}),
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
    }
    # Windows answers 400 "Ttl value conflicts with X-WNS-Cache-Policy" to a bare TTL of 0.
    if ttl == 0 and host_matches(urlsplit(endpoint).hostname or "", _WNS):
        headers["x-wns-cache-policy"] = "no-cache"
    return headers


def _signer(credential: WebPushCredential, endpoint: str) -> tuple[str, str, str]:
    """Key, subject and audience: what a header is signed with, and kept for."""
    return credential.vapid_private_key, credential.subject, origin_of(endpoint)


def _read_subscription(token: str) -> Subscription | None:
    """It was checked in full when it was registered."""
    try:
        return msgspec.json.decode(token, type=Subscription)
    except (msgspec.DecodeError, UnicodeError):
        return None
