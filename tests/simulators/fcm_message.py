"""FCM's message schema and its limits: field names, kinds, targets, sizes (FCM's reference)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tests.simulators.exchange import SimResponse
from tests.simulators.fcm_errors import invalid_argument, malformed

DATA_BYTES_MAX = 4096
TOPIC_BYTES_MAX = 2048
TTL_SECONDS_MAX = 2_419_200
TARGETS = ("token", "topic", "condition", "fid")
DURATION = re.compile(r"(\d+)(?:\.\d{1,9})?s")
RESERVED_KEY = re.compile(r"(?:from|message_type|notification|(?:google|gcm).*)", re.DOTALL)

# kinds: string bool int double strings map struct duration timestamp, `A|B` for an enum, or a table
Table = dict[str, Any]

LIGHT: Table = {
    "color": {"red": "double", "green": "double", "blue": "double", "alpha": "double"},
    "light_on_duration": "duration",
    "light_off_duration": "duration",
}
ANDROID_NOTIFICATION: Table = {
    **dict.fromkeys(
        ("title", "body", "icon", "color", "sound", "tag", "click_action", "channel_id", "image"),
        "string",
    ),
    **dict.fromkeys(("body_loc_key", "title_loc_key", "ticker"), "string"),
    **dict.fromkeys(("body_loc_args", "title_loc_args", "vibrate_timings"), "strings"),
    **dict.fromkeys(
        (
            "sticky",
            "local_only",
            "default_sound",
            "default_vibrate_timings",
            "default_light_settings",
        ),
        "bool",
    ),
    "bypass_proxy_notification": "bool",
    "event_time": "timestamp",
    "notification_priority": (
        "PRIORITY_UNSPECIFIED|PRIORITY_MIN|PRIORITY_LOW|PRIORITY_DEFAULT|PRIORITY_HIGH|PRIORITY_MAX"
    ),
    "visibility": "VISIBILITY_UNSPECIFIED|PRIVATE|PUBLIC|SECRET",
    "notification_count": "int",
    "light_settings": LIGHT,
    "proxy": "PROXY_UNSPECIFIED|ALLOW|DENY|IF_PRIORITY_LOWERED",
}
ANDROID: Table = {
    "collapse_key": "string",
    "priority": "NORMAL|HIGH|normal|high",
    "ttl": "duration",
    "restricted_package_name": "string",
    "data": "map",
    "notification": ANDROID_NOTIFICATION,
    "fcm_options": {"analytics_label": "string"},
    **dict.fromkeys(
        ("direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok"), "bool"
    ),
}
APNS: Table = {
    "headers": "map",
    "payload": "struct",
    "fcm_options": {"analytics_label": "string", "image": "string"},
    "live_activity_token": "string",
}
WEBPUSH: Table = {
    "headers": "map",
    "data": "map",
    "notification": "struct",
    "fcm_options": {"link": "string", "analytics_label": "string"},
}
MESSAGE: Table = {
    "name": "string",
    "data": "map",
    "notification": dict.fromkeys(("title", "body", "image"), "string"),
    "android": ANDROID,
    "webpush": WEBPUSH,
    "apns": APNS,
    "fcm_options": {"analytics_label": "string"},
    **dict.fromkeys(TARGETS, "string"),
}
REQUEST: Table = {"validate_only": "bool", "message": MESSAGE}


class _Wrong(Exception):
    def __init__(self, response: SimResponse) -> None:
        self.response = response


def parse_request(body: bytes) -> dict[str, Any] | SimResponse:
    """The request with snake_case names, or the 400 that it deserves."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return malformed("Invalid JSON payload received. Unexpected token.")
    try:
        parsed: dict[str, Any] = _object(content, REQUEST, "")
        _check(parsed.get("message"))
    except _Wrong as wrong:
        return wrong.response
    return parsed


def _object(value: object, table: Table, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(
            malformed(
                f"Invalid value at '{path}' (google.protobuf.Struct), \"{value}\"",
                path,
            )
        )
    parsed = {}
    for name, inner in value.items():
        snake = re.sub(r"[A-Z]", lambda found: "_" + found.group().lower(), name)
        where = f"{path}.{snake}" if path else snake
        if snake not in table:
            at = f" at '{path}'" if path else ""
            text = f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
            raise _Wrong(malformed(text, path or None))
        if inner is not None:
            parsed[snake] = _value(inner, table[snake], where)
    return parsed


def _value(value: Any, kind: Any, path: str) -> Any:
    if isinstance(kind, dict):
        return _object(value, kind, path)
    if kind == "map":
        _map(value, path)
    elif kind == "strings":
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _Wrong(malformed(f"Invalid value at '{path}' (TYPE_STRING)", path))
    elif not _is_kind(value, kind):
        raise _Wrong(
            malformed(f"Invalid value at '{path}' (TYPE_{str(kind).upper()}), {value!r}", path)
        )
    return value


def _map(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise _Wrong(malformed(f"Invalid value at '{path}' (map)", path))
    for index, inner in enumerate(value.values()):
        if not isinstance(inner, str):
            text = f"Invalid value at '{path}[{index}].value' (TYPE_STRING), {inner!r}"
            raise _Wrong(malformed(text, f"{path}[{index}].value"))


def _is_kind(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
        case "double":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "struct":
            return isinstance(value, dict)
        case "duration":
            return isinstance(value, str) and DURATION.fullmatch(value) is not None
        case "timestamp":
            return isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) is not None
        case _:
            return value in kind.split("|")


def _check(message: dict[str, Any] | None) -> None:
    """What FCM itself checks once the JSON fits the schema."""
    if not message:
        raise _Wrong(invalid_argument("message", "Message is required."))
    targets = [name for name in TARGETS if message.get(name)]
    if len(targets) != 1:
        text = (
            "Exactly one of token, topic or condition is required."
            if targets
            else "Recipient of the message is not set."
        )
        raise _Wrong(invalid_argument("message", text))
    if "topic" in message and not re.fullmatch(r"[a-zA-Z0-9-_.~%]+", message["topic"]):
        raise _Wrong(invalid_argument("message.topic", "Malformed topic name"))
    _check_keys(message)
    _check_android(message.get("android", {}))
    _check_webpush(message.get("webpush", {}))
    _check_size(
        message, TOPIC_BYTES_MAX if targets[0] in ("topic", "condition") else DATA_BYTES_MAX
    )


def _check_keys(message: dict[str, Any]) -> None:
    for path, data in (
        ("message.data", message.get("data", {})),
        ("message.android.data", message.get("android", {}).get("data", {})),
    ):
        for key in data:
            if not key or RESERVED_KEY.fullmatch(key):
                raise _Wrong(invalid_argument(path, f"Invalid data payload key: {key}"))


def _check_android(android: dict[str, Any]) -> None:
    if (
        "ttl" in android
        and int(android["ttl"].removesuffix("s").partition(".")[0]) > TTL_SECONDS_MAX
    ):
        raise _Wrong(
            invalid_argument("message.android.ttl", f"Invalid ttl: maximum is {TTL_SECONDS_MAX}s")
        )


def _check_webpush(webpush: dict[str, Any]) -> None:
    link = webpush.get("fcm_options", {}).get("link", "")
    if link and not link.startswith("https://"):
        raise _Wrong(
            invalid_argument("message.webpush.fcm_options.link", "Link must be an HTTPS URL")
        )
    ttl = {name.lower(): value for name, value in webpush.get("headers", {}).items()}.get(
        "ttl", "0"
    )
    if not ttl.isdecimal():
        raise _Wrong(invalid_argument("message.webpush.headers", "Invalid TTL header"))


def _check_size(message: dict[str, Any], bytes_max: int) -> None:
    """Google does not say how it counts: what each platform would get must fit."""
    for size in (_android_bytes(message), _apns_bytes(message), _webpush_bytes(message)):
        if size > bytes_max:
            raise _Wrong(
                invalid_argument("message", "Message too big", "Android message is too big")
            )


def _android_bytes(message: dict[str, Any]) -> int:
    android = message.get("android", {})
    data = android.get("data") or message.get("data", {})
    shown = {**message.get("notification", {}), **android.get("notification", {})}
    texts = {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in shown.items()
    }
    return sum(
        len(key.encode()) + len(value.encode())
        for part in (data, texts)
        for key, value in part.items()
    )


def _apns_bytes(message: dict[str, Any]) -> int:
    if "apns" not in message:
        return 0
    payload = {**message.get("data", {}), **message["apns"].get("payload", {})}
    aps = dict(payload.get("aps") or {})
    if "notification" in message and "alert" not in aps:
        aps["alert"] = {
            key: message["notification"][key]
            for key in ("title", "body")
            if key in message["notification"]
        }
    return len(msgspec.json.encode({**payload, "aps": aps}))


def _webpush_bytes(message: dict[str, Any]) -> int:
    webpush = message.get("webpush")
    if webpush is None:
        return 0
    shown = {**message.get("notification", {}), **webpush.get("notification", {})}
    return len(
        msgspec.json.encode(
            {"notification": shown, "data": webpush.get("data") or message.get("data", {})}
        )
    )
