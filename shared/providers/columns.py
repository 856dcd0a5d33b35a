"""Payload columns that two providers share (CONTRACT §7): FCM carries APNs' and Web Push's too."""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from shared.domain.notifications import Notification
from shared.domain.options import LocKey, Options
from shared.providers.fit import Text

Json = dict[str, Any]

APNS_PRIORITIES = {"high": 10, "normal": 5, "low": 1}
APNS_BACKGROUND_PRIORITY = 5  # Apple refuses 10 for a background push
URGENCIES = {"high": "high", "normal": "normal", "low": "low"}  # RFC 8030 §5.3
_DECLARATIVE = 8030


def given(members: Json) -> Json:
    """Only the members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def identity(text: Text, notification: Notification) -> Json:
    """`notification_id`, and `data` as one object with its text unchanged, where that fits."""
    members: Json = {"notification_id": str(notification.notification_id)}
    if text.data is not None:
        members["data"] = msgspec.Raw(text.data.encode())
    if text.data_truncated:
        members["data_truncated"] = True
    return members


def apns_payload(text: Text, notification: Notification) -> Json:
    """`aps` and its siblings. A silent one has nothing in it that a person would notice."""
    options = notification.content.options
    return {
        "aps": _aps(text, options),
        **identity(text, notification),
        **given({"image": options.image, "click_action": options.click_action}),
    }


def _aps(text: Text, options: Options) -> Json:
    if options.silent:
        return {"content-available": 1}
    is_mutable = options.mutable_content or options.image is not None
    return {
        "alert": {
            "title": text.title,
            "body": text.body,
            **localization("title-loc-key", "title-loc-args", options.title_loc),
            **localization("loc-key", "loc-args", options.body_loc),
        },
        **given(
            {
                "badge": options.badge,
                "sound": options.sound,
                "category": options.category,
                "thread-id": options.thread_id,
                "mutable-content": 1 if is_mutable else None,
            }
        ),
    }


def localization(key_name: str, args_name: str, loc: LocKey | None) -> Json:
    """The two members that name a text in the app's resources; nothing when none is named."""
    if loc is None:
        return {}
    return {key_name: loc.key} | ({args_name: list(loc.args)} if loc.args else {})


# What Apple lets a push do decides its type, and that must reflect the payload; of Apple's types
# `alert` and `background` are those that a caller can ask for: the others have topics of their own
# and payloads without our members.
# developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
def is_background(payload: Json) -> bool:
    """Whether the device only wakes the app: also when an override made it so."""
    aps = payload.get("aps")
    return (
        isinstance(aps, dict)
        and aps.get("content-available") == 1
        and not aps.keys() & {"alert", "badge", "sound"}
    )


def apns_priority(options: Options, *, is_silent: bool) -> int:
    return APNS_BACKGROUND_PRIORITY if is_silent else APNS_PRIORITIES[options.priority]


def web_notification(text: Text, options: Options) -> Json:
    """The `notification` member of a Web Push message."""
    return {
        "title": text.title,
        "body": text.body,
        **given(
            {
                "silent": options.silent or None,
                "app_badge": options.badge,
                "image": options.image,
                "navigate": options.click_action,
                "tag": options.thread_id,
            }
        ),
    }


def web_message(text: Text, notification: Notification) -> Json:
    """The JSON that a service worker gets; a browser shows it by itself when it can navigate."""
    options = notification.content.options
    is_declarative = is_https(options.click_action)
    return {
        **({"web_push": _DECLARATIVE} if is_declarative else {}),
        "notification": web_notification(text, options),
        **identity(text, notification),
    }


def is_https(address: str | None) -> bool:
    """Whether this is an absolute https URL."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.netloc)
