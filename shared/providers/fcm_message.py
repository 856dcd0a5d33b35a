"""FCM's message for one device (CONTRACT §7): the FCM column, or APNs' or Web Push's inside it.

No `android.collapse_key`: collapsible messages are limited to a burst of 20 and then one in three
minutes per app and device, and to four distinct keys, which ordinary traffic would hit
(firebase.google.com/docs/cloud-messaging/throttling-and-quotas). `notification.tag` replaces what
is shown, and that is all that a resend needs.
"""

from datetime import datetime
from typing import Any

import msgspec

from shared.domain.devices import Device, Platform
from shared.domain.notifications import Notification
from shared.providers.collapse import collapse_id
from shared.providers.expiry import expiry_epoch_seconds, ttl_seconds
from shared.providers.fit import Text, fit, text_of

PAYLOAD_BYTES_MAX = 4_096
_RESERVED = frozenset({"", "from", "message_type", "notification"})
_RESERVED_PREFIXES = ("google", "gcm")
_OURS = frozenset({"notification_id", "data_truncated"})

Json = dict[str, Any]


def build_message(notification: Notification, device: Device, now: datetime) -> Json:
    text = fit_text(notification, device.platform)
    message: Json = {"token": device.token, **_content(text, notification, device.platform)}
    collapse, ttl = collapse_id(notification.notification_id), ttl_seconds(notification, now)
    match device.platform:
        case "android":
            message["android"] |= {"priority": "HIGH", "ttl": f"{ttl}s"}
        case "ios":
            message["apns"]["headers"] = {
                "apns-collapse-id": collapse,
                "apns-expiration": str(expiry_epoch_seconds(notification)),
                "apns-priority": "10",
                "apns-push-type": "alert",
            }
        case "web":
            message["webpush"]["headers"] = {"TTL": str(ttl), "Urgency": "high", "Topic": collapse}
    return message


def fit_text(notification: Notification, platform: Platform) -> Text:
    return fit(
        text_of(notification.content),
        lambda text: payload_bytes(_content(text, notification, platform)),
        PAYLOAD_BYTES_MAX,
    )


def payload_bytes(content: Json) -> int:
    """What the device's platform would get of this: Google does not say how it counts."""
    if "apns" in content:
        return len(msgspec.json.encode({**content["data"], **content["apns"]["payload"]}))
    if "webpush" in content:
        shown = content["webpush"]["notification"]
        return len(msgspec.json.encode({"notification": shown, "data": content["data"]}))
    shown = content["notification"] | content["android"]["notification"]
    parts: tuple[dict[str, str], ...] = (shown, content["data"])
    return sum(len(k.encode()) + len(v.encode()) for part in parts for k, v in part.items())


def _content(text: Text, notification: Notification, platform: Platform) -> Json:
    identity = {"notification_id": str(notification.notification_id)}
    shown: Json = {"title": text.title, "body": text.body}
    if platform == "android":
        tag = {"tag": collapse_id(notification.notification_id)}
        data = data_entries(text) | identity
        return {"notification": shown, "data": data, "android": {"notification": tag}}
    nested: Json = dict(identity)
    if text.data is not None:
        nested["data"] = msgspec.Raw(text.data.encode())
    if text.data_truncated:
        nested["data_truncated"] = True
    column: Json = (
        {"apns": {"payload": {"aps": {"alert": shown}, **nested}}}
        if platform == "ios"
        else {"webpush": {"notification": shown | nested}}
    )
    return {"notification": shown, "data": identity, **column}


def data_entries(text: Text) -> dict[str, str]:
    """One entry per top-level key, strings as they are, other values as their JSON text."""
    if text.data_truncated:
        return {"data_truncated": "true"}
    if text.data is None:
        return {}
    values = msgspec.json.decode(text.data, type=dict[str, msgspec.Raw])
    entries: dict[str, str] = {}
    for key, value in values.items():
        name = key
        while _is_taken(name) or (name != key and name in values):
            name = f"x_{name}"
        entries[name] = _entry(bytes(value))
    return entries


def _is_taken(name: str) -> bool:
    """FCM refuses the whole message for one of its own keys; ours must not be overwritten."""
    return name in _RESERVED or name in _OURS or name.lower().startswith(_RESERVED_PREFIXES)


def _entry(value: bytes) -> str:
    text = value.decode()
    return msgspec.json.decode(value, type=str) if text.startswith('"') else text
