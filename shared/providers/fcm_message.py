"""FCM's message for one device (CONTRACT §7): the FCM column, or APNs' or Web Push's inside it.

`android.collapse_key` only when the caller gave one: collapsible messages are limited to a burst of
20 and then one in three minutes per app and device, and to four distinct keys, which ordinary
traffic would hit (firebase.google.com/docs/cloud-messaging/throttling-and-quotas).
`notification.tag` replaces what is shown, and that is all that a resend needs.
"""

from datetime import datetime
from typing import Any

import msgspec

from shared.domain.devices import Device, Platform
from shared.domain.notifications import Notification
from shared.domain.options import Options
from shared.providers.collapse import collapse_id
from shared.providers.columns import (
    URGENCIES,
    Json,
    apns_payload,
    apns_priority,
    given,
    identity,
    is_background,
    is_https,
    localization,
    web_notification,
)
from shared.providers.expiry import expiry_epoch_seconds, ttl_seconds
from shared.providers.fit import Fitted, Text, fit_content, text_of, wordless
from shared.providers.overrides import apply_override

PAYLOAD_BYTES_MAX = 4_096
_COLLAPSE_ID_BYTES_MAX = 64  # of APNs
_PRIORITIES = {"high": "HIGH", "normal": "NORMAL", "low": "NORMAL"}
_RESERVED = frozenset({"", "from", "message_type", "notification"})
_RESERVED_PREFIXES = ("google", "gcm")
_FOREIGN: dict[Platform, tuple[str, str]] = {  # one override may name every platform's column
    "android": ("apns", "webpush"),
    "ios": ("android", "webpush"),
    "web": ("android", "apns"),
}
_OURS = frozenset({"notification_id", "data_truncated"})


def build_message(content: Json, notification: Notification, device: Device, now: datetime) -> Json:
    """The message, with a content that fits; the content becomes part of it."""
    message = {"token": device.token, **content}
    options = notification.content.options
    ttl = ttl_seconds(notification, now)
    match device.platform:
        case "android":
            fixed: Json = {"priority": _PRIORITIES[options.priority], "ttl": f"{ttl}s"}
            message["android"] = (
                fixed | given({"collapse_key": options.collapse_key}) | message["android"]
            )
        case "ios":
            headers = _apns_headers(notification, message["apns"]["payload"])
            message["apns"]["headers"] = headers | message["apns"]["headers"]
        case "web":
            message["webpush"]["headers"] = (
                _web_headers(notification, ttl) | message["webpush"]["headers"]
            )
    return message


def _apns_headers(notification: Notification, payload: Json) -> Json:
    is_silent = is_background(payload)
    collapse = collapse_id(notification, as_it_is_bytes_max=_COLLAPSE_ID_BYTES_MAX)
    return given({"apns-collapse-id": collapse}) | {
        "apns-expiration": str(expiry_epoch_seconds(notification)),
        "apns-priority": str(apns_priority(notification.content.options, is_silent=is_silent)),
        "apns-push-type": "background" if is_silent else "alert",
    }


def _web_headers(notification: Notification, ttl: int) -> Json:
    urgency = URGENCIES[notification.content.options.priority]
    topic = collapse_id(notification)
    return {"TTL": str(ttl), "Urgency": urgency} | given({"Topic": topic})


def fit_message(notification: Notification, device: Device) -> Fitted[Json] | None:
    """The content that fits for this device; None when it cannot, or may not be shortened."""
    content = notification.content
    text = text_of(content, device.language)
    is_wordless = content.options.silent and device.platform != "web"
    return fit_content(
        wordless(text) if is_wordless else text,
        content.options.oversize,
        lambda text: _content(text, notification, device.platform),
        payload_bytes,
        PAYLOAD_BYTES_MAX,
    )


def payload_bytes(message: Json) -> int:
    """What the device's platform would get of this: Google does not say how it counts."""
    data = message["data"]
    if "apns" in message:
        return len(msgspec.json.encode({**data, **message["apns"]["payload"]}))
    if "webpush" in message:
        shown = message["webpush"]["notification"]
        return len(msgspec.json.encode({"notification": shown, "data": data}))
    shown = _members(message.get("notification")) | _members(message["android"].get("notification"))
    return _weight(shown) + _weight(data)


def _members(value: Any) -> Json:
    """No members where an override has put something else than an object: FCM will refuse it."""
    return value if isinstance(value, dict) else {}


def _weight(value: Any) -> int:
    """Keys and values without JSON's punctuation."""
    match value:
        case dict():
            return sum(len(key.encode()) + _weight(inner) for key, inner in value.items())
        case list():
            return sum(map(_weight, value))
        case str():
            return len(value.encode())
        case _:
            return len(msgspec.json.encode(value))


def _content(text: Text, notification: Notification, platform: Platform) -> Json:
    """All that depends on the text, with the caller's own changes."""
    options = notification.content.options
    shown: Json = {} if options.silent else {"notification": _shown(text, options, platform)}
    match platform:
        case "android":
            column = _android(text, notification)
        case "ios":
            column = _ios(text, notification)
        case "web":
            column = _web(text, notification)
    content = apply_override(shown | column, options.overrides.get("fcm"))
    return {name: value for name, value in content.items() if name not in _FOREIGN[platform]}


def _shown(text: Text, options: Options, platform: Platform) -> Json:
    image = options.image if platform == "android" else None  # the others have it in their column
    return {"title": text.title, "body": text.body, **given({"image": image})}


def _android(text: Text, notification: Notification) -> Json:
    options = notification.content.options
    data = data_entries(text) | _identity(notification)
    if options.silent:
        return {"data": data, "android": {}}
    return {
        "data": data,
        "android": {
            "notification": {
                **given(
                    {
                        "tag": options.collapse_key or collapse_id(notification),
                        "notification_count": options.badge,
                        "sound": options.sound,
                        "click_action": options.click_action,
                    }
                ),
                **localization("title_loc_key", "title_loc_args", options.title_loc),
                **localization("body_loc_key", "body_loc_args", options.body_loc),
            }
        },
    }


def _ios(text: Text, notification: Notification) -> Json:
    apns = {"headers": {}, "payload": apns_payload(text, notification)}
    return {"data": _identity(notification), "apns": apns}


def _web(text: Text, notification: Notification) -> Json:
    options = notification.content.options
    link = options.click_action if is_https(options.click_action) else None
    shown = web_notification(text, options) | identity(text, notification)
    webpush = {"headers": {}, "notification": shown}
    return {
        "data": _identity(notification),
        "webpush": webpush | ({"fcm_options": {"link": link}} if link else {}),
    }


def _identity(notification: Notification) -> dict[str, str]:
    return {"notification_id": str(notification.notification_id)}


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
