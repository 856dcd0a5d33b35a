"""Web Push: encrypts the message and posts it to the subscription (CONTRACT §7, RFC 8030)."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shared.clock import Clock
from shared.crypto.vapid import VapidHeaders, origin_of
from shared.domain.credentials import WebPushCredential
from shared.domain.devices import Device, Subscription
from shared.domain.notifications import Notification
from shared.outbound.addresses import AddressPolicy, host_matches
from shared.outbound.interface import HttpClient, TransportError
from shared.providers.collapse import collapse_id
from shared.providers.expiry import ttl_seconds
from shared.providers.failures import outcome_of
from shared.providers.fit import Text, fit, text_of
from shared.providers.outcomes import Misconfigured, Outcome, Rejected
from shared.providers.webpush_answers import classify
from shared.providers.webpush_encryption import PLAINTEXT_BYTES_MAX, encrypt
from shared.providers.webpush_subscription import (
    InvalidSubscription,
    decode_keys,
    endpoint_refusal,
    parse_subscription,
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
        try:
            body = encrypt(build_plaintext(notification), *decode_keys(subscription))
        except ValueError:
            return Rejected("invalid_subscription")
        try:
            vapid = self._authorization(credential, endpoint)
        except ValueError:
            return Misconfigured("invalid_vapid_key")
        return await self._post(notification, endpoint, vapid, body)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _post(
        self, notification: Notification, endpoint: str, vapid: str, body: bytes
    ) -> Outcome:
        headers = build_headers(notification, endpoint, self._clock())
        try:
            response = await self._http.request(
                "POST",
                endpoint,
                {"authorization": vapid, **headers},
                body,
                timeout=self._timeout_seconds,
                max_response_bytes=_RESPONSE_BYTES_MAX,
                allow_address=self._allow_address,
            )
        except TransportError as failure:
            return outcome_of(failure, fixed_host=False)
        return classify(response, self._clock())

    def _authorization(self, credential: WebPushCredential, endpoint: str) -> str:
        return self._vapid.authorization(
            credential.vapid_private_key, credential.subject, origin_of(endpoint)
        )


def build_plaintext(notification: Notification) -> bytes:
    """The JSON that the service worker gets, shortened if it must be."""
    return _encode(fit_text(notification), notification)


def fit_text(notification: Notification) -> Text:
    return fit(
        text_of(notification.content),
        lambda text: len(_encode(text, notification)),
        PLAINTEXT_BYTES_MAX,
    )


def build_headers(notification: Notification, endpoint: str, now: datetime) -> dict[str, str]:
    """All but the authorization."""
    ttl = ttl_seconds(notification, now)
    headers = {
        "ttl": str(ttl),
        "urgency": "high",
        "topic": collapse_id(notification.notification_id),
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
    }
    # Windows answers 400 "Ttl value conflicts with X-WNS-Cache-Policy" to a bare TTL of 0.
    if ttl == 0 and host_matches(urlsplit(endpoint).hostname or "", _WNS):
        headers["x-wns-cache-policy"] = "no-cache"
    return headers


def _encode(text: Text, notification: Notification) -> bytes:
    payload: dict[str, Any] = {
        "notification": {"title": text.title, "body": text.body},
        "notification_id": str(notification.notification_id),
    }
    if text.data is not None:
        payload["data"] = msgspec.Raw(text.data.encode())
    if text.data_truncated:
        payload["data_truncated"] = True
    return msgspec.json.encode(payload)


def _read_subscription(token: str) -> Subscription | None:
    """It was checked in full when it was registered."""
    try:
        return msgspec.json.decode(token, type=Subscription)
    except (msgspec.DecodeError, UnicodeError):
        return None
