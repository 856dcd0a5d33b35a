"""Previews: the request that a device's provider would get, without secrets and without sending.

Built by the adapters' own builders; what a reader must not see is replaced: the device's token, the
subscription's path, and everything that authenticates.
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

import msgspec

from shared.crypto.vapid import origin_of
from shared.domain.credentials import (
    AnyApnsCredential,
    ApnsCertificate,
    ApnsCredential,
    Credential,
    FcmCredential,
    PushyCredential,
    WebPushCredential,
)
from shared.domain.devices import Device, Subscription
from shared.domain.notifications import Notification
from shared.providers import apns, fcm_message, pushy, webpush
from shared.providers.apns_pool import encode, headers_of
from shared.providers.registry import ProviderSettings
from shared.providers.webpush_encryption import PLAINTEXT_BYTES_MAX

HIDDEN = "<hidden>"
TOKEN = "<token>"  # noqa: S105 what stands in a token's place
_JSON = {"content-type": "application/json"}


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and how much of what a device may get it holds.

    `body` is JSON: for Web Push what the service worker reads, which travels encrypted.
    `payload_bytes` is counted as the provider counts; `cut` is what of title, body and data does
    not go out whole.
    """

    method: str = "POST"
    url: str
    headers: Mapping[str, str]
    body: msgspec.Raw
    payload_bytes: int
    payload_bytes_max: int
    cut: tuple[str, ...]


class Skipped(msgspec.Struct, frozen=True):
    """Nothing would be sent, and why."""

    reason: str


def preview(
    notification: Notification,
    device: Device,
    credential: Credential | None,
    settings: ProviderSettings,
    now: datetime,
) -> Preview | Skipped:
    """What would be sent to a device now."""
    match device.provider, credential:
        case _, None:
            return Skipped("no_credential")
        case "apns", ApnsCredential() | ApnsCertificate():
            return _apns(notification, device, credential, settings)
        case "fcm", FcmCredential():
            return _fcm(notification, device, credential, settings, now)
        case "webpush", WebPushCredential():
            return _webpush(notification, device, now)
        case "pushy", PushyCredential():
            return _pushy(notification, device, settings, now)
        case _:
            return Skipped("credential_of_another_provider")


_TOO_LARGE = Skipped("payload_too_large")


def _apns(
    notification: Notification,
    device: Device,
    credential: AnyApnsCredential,
    settings: ProviderSettings,
) -> Preview | Skipped:
    fitted = apns.fit_payload(notification, device)
    if fitted is None:
        return _TOO_LARGE
    environment = device.apns_environment or credential.environment
    urls = {"production": settings.apns_production_url, "sandbox": settings.apns_sandbox_url}
    request = apns.build_request(fitted.content, notification, _masked(device), credential)
    body = encode(request.message)
    is_by_token = isinstance(credential, ApnsCredential)
    return Preview(
        url=f"{urls[environment].rstrip('/')}/3/device/{TOKEN}",
        headers={**({"authorization": HIDDEN} if is_by_token else {}), **headers_of(request)},
        body=msgspec.Raw(body),
        payload_bytes=len(body),
        payload_bytes_max=apns.PAYLOAD_BYTES_MAX,
        cut=fitted.text.cut,
    )


def _fcm(
    notification: Notification,
    device: Device,
    credential: FcmCredential,
    settings: ProviderSettings,
    now: datetime,
) -> Preview | Skipped:
    fitted = fcm_message.fit_message(notification, device)
    if fitted is None:
        return _TOO_LARGE
    message = fcm_message.build_message(fitted.content, notification, _masked(device), now)
    project = quote(credential.project_id, safe="")
    return Preview(
        url=f"{settings.fcm_url.rstrip('/')}/v1/projects/{project}/messages:send",
        headers={"authorization": HIDDEN, **_JSON},
        body=_raw({"message": message}),
        payload_bytes=fcm_message.payload_bytes(message),
        payload_bytes_max=fcm_message.PAYLOAD_BYTES_MAX,
        cut=fitted.text.cut,
    )


def _webpush(notification: Notification, device: Device, now: datetime) -> Preview | Skipped:
    fitted = webpush.fit_plaintext(notification, device)
    if fitted is None:
        return _TOO_LARGE
    endpoint = msgspec.json.decode(device.token, type=Subscription).endpoint
    plaintext = fitted.content
    return Preview(
        url=f"{origin_of(endpoint)}/{TOKEN}",
        headers={
            "authorization": HIDDEN,
            **webpush.build_headers(notification, endpoint, now),
        },
        body=msgspec.Raw(plaintext),
        payload_bytes=len(plaintext),
        payload_bytes_max=PLAINTEXT_BYTES_MAX,
        cut=fitted.text.cut,
    )


def _pushy(
    notification: Notification, device: Device, settings: ProviderSettings, now: datetime
) -> Preview | Skipped:
    fitted = pushy.fit_body(notification, device)
    if fitted is None:
        return _TOO_LARGE
    body = pushy.build_body(fitted.content, notification, _masked(device), now)
    return Preview(
        url=f"{settings.pushy_url.rstrip('/')}/push?api_key={HIDDEN}",
        headers=_JSON,
        body=_raw(body),
        payload_bytes=pushy.data_bytes(fitted.content),
        payload_bytes_max=pushy.DATA_BYTES_MAX,
        cut=fitted.text.cut,
    )


def _masked(device: Device) -> Device:
    return msgspec.structs.replace(device, token=TOKEN)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
