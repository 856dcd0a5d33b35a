"""A caller's own changes to a built payload: JSON merge patches (RFC 7396) with bounds."""

from typing import Any

import msgspec

from shared.domain.devices import Provider

Json = dict[str, Any]

# What a patch must leave alone: target, topic, id, expiry and `notification_id`. Compared without
# regard to case, since some of these are header names.
_PROTECTED: dict[Provider, tuple[str, ...]] = {
    "apns": ("notification_id",),
    "fcm": (
        "name", "token", "topic", "condition", "fid",
        "data.notification_id",
        "android.ttl", "android.restricted_package_name", "android.restrictedpackagename",
        "android.data", "webpush.data",  # each would take the place of `data` as a whole
        "android_v2", "androidv2",  # a second `android` with a target, ttl and data of its own
        "apns.headers.apns-id", "apns.headers.apns-topic", "apns.headers.apns-expiration",
        "apns.payload.notification_id", "apns.live_activity_token", "apns.liveactivitytoken",
        "webpush.headers.ttl", "webpush.notification.notification_id",
    ),
    "webpush": ("notification_id",),
    "pushy": ("to", "time_to_live", "schedule", "data.notification_id"),
}  # fmt: skip


def protected_member(provider: Provider, patch: Json) -> str | None:
    """The first protected member that a patch would set, remove or replace the parent of."""
    return next((path for path in _PROTECTED[provider] if _touches(patch, path.split("."))), None)


def _touches(patch: Json, path: list[str]) -> bool:
    first, *rest = path
    values = [value for key, value in patch.items() if key.lower() == first]
    if not rest:
        return bool(values)
    return any(not isinstance(value, dict) or _touches(value, rest) for value in values)


def apply_override(payload: Json, patch: str | None) -> Json:
    """The payload with the patch's text merged in; the payload itself stays as it is."""
    if patch is None:
        return payload
    merged: Json = _merged(payload, msgspec.json.decode(patch))
    return merged


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = _members(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _members(target: Any) -> Json:
    """An object's members; raw JSON text is opened one level, its numbers as they are."""
    if isinstance(target, msgspec.Raw):
        text = bytes(target)
        is_object = text.startswith(b"{")
        return dict(msgspec.json.decode(text, type=dict[str, msgspec.Raw])) if is_object else {}
    return dict(target) if isinstance(target, dict) else {}
