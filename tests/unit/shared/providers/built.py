"""What each adapter would send: the text fitted, then built, as `send` does it."""

from datetime import datetime
from typing import Any

import msgspec

from shared.domain.credentials import ApnsCredential
from shared.domain.devices import Device
from shared.domain.notifications import Notification
from shared.providers import apns, fcm_message, pushy, webpush
from shared.providers.apns_pool import ApnsRequest
from shared.providers.fit import BuiltT, Fitted
from tests.unit.shared.providers.builders import NOW, make_apns_credential, make_device

Json = dict[str, Any]
WEB = make_device(platform="web", provider="webpush")


def decoded(value: object) -> Json:
    """As the receiver reads it."""
    read: Json = msgspec.json.decode(msgspec.json.encode(value))
    return read


def apns_request(
    notification: Notification,
    device: Device | None = None,
    credential: ApnsCredential | None = None,
) -> ApnsRequest:
    device = device or make_device()
    payload = _content(apns.fit_payload(notification, device))
    return apns.build_request(payload, notification, device, credential or make_apns_credential())


def fcm(notification: Notification, device: Device, now: datetime = NOW) -> Json:
    content = _content(fcm_message.fit_message(notification, device))
    return decoded(fcm_message.build_message(content, notification, device, now))


def web_plaintext(notification: Notification, device: Device = WEB) -> bytes:
    return _content(webpush.fit_plaintext(notification, device))


def pushy_body(notification: Notification, device: Device, now: datetime = NOW) -> Json:
    content = _content(pushy.fit_body(notification, device))
    return pushy.build_body(content, notification, device, now)


def _content(fitted: Fitted[BuiltT] | None) -> BuiltT:
    assert fitted is not None
    return fitted.content
