"""What goes to FCM, for each platform."""

import pytest

from shared.domain.devices import Device, Platform
from shared.providers.collapse import collapse_id
from shared.providers.fcm_message import data_entries, payload_bytes
from shared.providers.fit import Text
from tests.unit.shared.providers.builders import (
    NOTIFICATION_ID,
    make_device,
    make_notification,
)
from tests.unit.shared.providers.built import fcm

COLLAPSE = collapse_id(make_notification())
SHOWN = {"title": "Hello", "body": "World"}


def device(platform: Platform) -> Device:
    return make_device(provider="fcm", platform=platform, token="token-1")


def built(platform: Platform, **changes: object) -> dict[str, object]:
    return fcm(make_notification(**changes), device(platform))


def test_build_for_android() -> None:
    assert built("android", data='{"a":"text","b":{"c":[1, 2]}}') == {
        "token": "token-1",
        "notification": SHOWN,
        "data": {"a": "text", "b": '{"c":[1, 2]}', "notification_id": str(NOTIFICATION_ID)},
        "android": {"priority": "HIGH", "ttl": "3600s", "notification": {"tag": COLLAPSE}},
    }


def test_build_for_ios_holds_the_apns_column() -> None:
    expires = str(int(make_notification().expires_at.timestamp()))

    assert built("ios", data='{"a":1}') == {
        "token": "token-1",
        "notification": SHOWN,
        "data": {"notification_id": str(NOTIFICATION_ID)},
        "apns": {
            "headers": {
                "apns-collapse-id": COLLAPSE,
                "apns-expiration": expires,
                "apns-priority": "10",
                "apns-push-type": "alert",
            },
            "payload": {
                "aps": {"alert": SHOWN},
                "notification_id": str(NOTIFICATION_ID),
                "data": {"a": 1},
            },
        },
    }


def test_build_for_web_holds_the_web_push_column() -> None:
    assert built("web", data='{"a":1}') == {
        "token": "token-1",
        "notification": SHOWN,
        "data": {"notification_id": str(NOTIFICATION_ID)},
        "webpush": {
            "headers": {"TTL": "3600", "Urgency": "high", "Topic": COLLAPSE},
            "notification": {
                **SHOWN,
                "notification_id": str(NOTIFICATION_ID),
                "data": {"a": 1},
            },
        },
    }


def test_build_has_a_ttl_of_0_when_now_or_never() -> None:
    message = built("android", ttl_seconds=0)

    assert message["android"] == {
        "priority": "HIGH",
        "ttl": "0s",
        "notification": {"tag": COLLAPSE},
    }


@pytest.mark.parametrize(
    ("data", "entries"),
    [
        (None, {}),
        ("{}", {}),
        ('{"s":"\\u00fc","n":1e400,"b":true,"z":null}',
         {"s": "ü", "n": "1e400", "b": "true", "z": "null"}),
        ('{"from":"a","message_type":"b","notification":"c","":"d"}',
         {"x_from": "a", "x_message_type": "b", "x_notification": "c", "x_": "d"}),
        ('{"google.x":"a","gcm":"b","Google":"c","fromage":"d"}',
         {"x_google.x": "a", "x_gcm": "b", "x_Google": "c", "fromage": "d"}),
        ('{"notification_id":"a","data_truncated":"b"}',
         {"x_notification_id": "a", "x_data_truncated": "b"}),
        ('{"from":"a","x_from":"b"}', {"x_x_from": "a", "x_from": "b"}),
    ],
)  # fmt: skip
def test_data_entries(data: str | None, entries: dict[str, str]) -> None:
    assert data_entries(Text(title="", body="", data=data)) == entries


@pytest.mark.parametrize("platform", ["android", "ios", "web"])
def test_build_fits(platform: Platform) -> None:
    notification = make_notification(
        title="é" * 256, body="漢" * 4_096, data='{"k":"' + "x" * 4_000 + '"}'
    )

    message = fcm(notification, device(platform))

    assert payload_bytes(message) <= 4_096 + 200  # the headers come on top
    assert message["notification"]["body"].endswith("…")
