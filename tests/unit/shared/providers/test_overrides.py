"""Overrides: RFC 7396 to the letter, and nothing protected is ever changed by one."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.devices import Platform, Provider
from shared.providers.overrides import apply_override, protected_member
from tests.unit.shared.providers.builders import NOTIFICATION_ID, make_device, make_notification
from tests.unit.shared.providers.built import (
    apns_request,
    fcm,
    pushy_body,
    web_plaintext,
)

Json = dict[str, Any]
ID = str(NOTIFICATION_ID)
APPENDIX_A: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), APPENDIX_A)
def test_a_patch_is_merged_as_in_the_appendix(target: Any, patch: Any, result: Any) -> None:
    before = json.dumps(target)
    assert apply_override(target, json.dumps(patch)) == result
    assert json.dumps(target) == before


@pytest.mark.parametrize(("target", "patch", "result"), APPENDIX_A)
def test_a_patch_reaches_into_a_payload_and_into_raw_text(
    target: Any, patch: Any, result: Any
) -> None:
    raw = {"data": msgspec.Raw(json.dumps(target).encode())}
    expected = {} if patch is None else {"data": result}  # null takes the member away
    for payload in ({"data": target}, raw):
        merged = apply_override(payload, json.dumps({"data": patch}))
        assert json.loads(msgspec.json.encode(merged)) == expected


def test_without_a_patch_the_payload_is_as_built() -> None:
    payload = {"a": 1}
    assert apply_override(payload, None) is payload


def test_numbers_beside_what_is_patched_stay_as_they_were_sent() -> None:
    payload = {"data": msgspec.Raw(b'{"big":1e400,"exact":1.10,"old":1,"in":{"n":1E2}}')}
    merged = apply_override(payload, '{"data":{"new":2,"old":null,"in":{"m":3}}}')
    expected = b'{"data":{"big":1e400,"exact":1.10,"in":{"n":1E2,"m":3},"new":2}}'
    assert msgspec.json.encode(merged) == expected


PROTECTED: list[tuple[Provider, str]] = [
    ("apns", "notification_id"),
    ("webpush", "notification_id"),
    *(("pushy", path) for path in ("to", "time_to_live", "schedule", "data.notification_id")),
    *(
        ("fcm", path)
        for path in (
            *("name", "token", "topic", "condition", "fid", "data.notification_id"),
            *("android.ttl", "android.restricted_package_name", "android.data", "android_v2"),
            *("apns.headers.apns-id", "apns.headers.apns-topic", "apns.headers.apns-expiration"),
            *("apns.payload.notification_id", "apns.live_activity_token"),
            *("webpush.headers.TTL", "webpush.notification.notification_id", "webpush.data"),
        )
    ),
]
# FCM reads a field by either of its names (protobuf's JSON mapping).
CAMEL: list[tuple[Provider, str]] = [
    ("fcm", path)
    for path in ("android.restrictedPackageName", "apns.liveActivityToken", "androidV2")
]


def nested(path: str, value: Any) -> Json:
    for name in reversed(path.split(".")):
        value = {name: value}
    patch: Json = value
    return patch


@pytest.mark.parametrize(("provider", "path"), [*PROTECTED, *CAMEL])
@pytest.mark.parametrize("value", ["x", None, 1, {}, [], {"x": "y"}], ids=repr)
def test_a_protected_member_is_found_whatever_is_put_there(
    provider: Provider, path: str, value: Any
) -> None:
    assert protected_member(provider, nested(path, value)) == path.lower()
    assert protected_member(provider, {"aps": {}} | nested(path, value)) == path.lower()


@pytest.mark.parametrize(("provider", "path"), PROTECTED)
@pytest.mark.parametrize("spell", [str.upper, str.title, str.swapcase])
def test_a_protected_member_is_found_in_any_letter_case(
    provider: Provider, path: str, spell: Any
) -> None:
    assert protected_member(provider, nested(spell(path), "x")) == path.lower()


@pytest.mark.parametrize(("provider", "path"), [row for row in PROTECTED if "." in row[1]])
@pytest.mark.parametrize("value", [None, "x", 1, True, [], [{}]], ids=repr)
def test_a_protected_member_is_not_reached_through_a_parent(
    provider: Provider, path: str, value: Any
) -> None:
    steps = path.split(".")
    for depth in range(1, len(steps)):
        assert protected_member(provider, nested(".".join(steps[:depth]), value)) is not None
        beside = nested(".".join([*steps[:depth], "other"]), value)
        assert protected_member(provider, beside) is None


@pytest.mark.parametrize(
    ("provider", "patch"),
    [
        ("apns", {"aps": {"interruption-level": "critical"}, "data": None, "token": "x"}),
        ("fcm", {"android": {"collapse_key": "x", "notification": None}, "data": {"a": "b"}}),
        ("fcm", {"apns": {"headers": {"apns-priority": "1"}, "payload": {"aps": None}}}),
        ("fcm", {"webpush": {"headers": {"Urgency": "low"}, "fcm_options": {"link": "https://x"}}}),
        ("webpush", {"notification": {"notification_id": "mine"}, "ttl": 1}),
        ("pushy", {"data": {"to": "x"}, "notification": None, "collapse_key": "c"}),
        ("pushy", {}),
    ],
)
def test_everything_else_may_be_overridden(provider: Provider, patch: Json) -> None:
    assert protected_member(provider, patch) is None


_NAMES = sorted(
    {name for _, path in PROTECTED + CAMEL for name in path.split(".")}
    | {"aps", "alert", "notification", "data", "headers", "payload", "x", "Data", "NOTIFICATION"}
)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_SCALARS = st.none() | st.booleans() | st.integers() | _FLOATS | st.text()
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4) | st.lists(inner, max_size=2)
    ),
    max_leaves=12,
)
_PATCHES = st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4)


@settings(max_examples=200, deadline=None)
@given(patch=_PATCHES, provider=st.sampled_from(("apns", "fcm", "webpush", "pushy")))
def test_no_patch_that_is_allowed_changes_what_is_protected(
    patch: Json, provider: Provider
) -> None:
    text = json.dumps(patch)
    if protected_member(provider, patch) is not None:
        return
    for data in (None, '{"a":{"b":1E2}}'):
        notification = make_notification(data=data, overrides={provider: text})
        _check_unharmed(provider, notification)


def _check_unharmed(provider: Provider, notification: Any) -> None:
    plain = make_notification()
    match provider:
        case "apns":
            request, built = apns_request(plain), apns_request(notification)
            assert built.message["notification_id"] == ID
            for name in ("device_token", "notification_id", "time_to_live", "apns_topic"):
                assert getattr(built, name) == getattr(request, name)
        case "webpush":
            assert msgspec.json.decode(web_plaintext(notification))["notification_id"] == ID
        case "pushy":
            device = make_device(platform="android", provider="pushy", token="t")
            body = pushy_body(notification, device)
            assert (body["to"], body["time_to_live"]) == ("t", 3_600)
            assert body["data"]["notification_id"] == ID
        case "fcm":
            for platform in ("android", "ios", "web"):
                _check_unharmed_fcm(notification, platform)


def _check_unharmed_fcm(notification: Any, platform: Platform) -> None:
    device = make_device(platform=platform, provider="fcm", token="t")
    message = fcm(notification, device)
    assert message["token"] == "t"
    assert message["data"]["notification_id"] == ID
    assert not {"topic", "condition", "fid", "name", "android_v2", "androidV2"} & set(message)
    match platform:
        case "android":
            assert message["android"]["ttl"] == "3600s"
            assert not {"data", "restricted_package_name"} & set(message["android"])
        case "ios":
            assert message["apns"]["payload"]["notification_id"] == ID
            assert not {"apns-id", "apns-topic"} & set(message["apns"]["headers"])
        case "web":
            assert message["webpush"]["notification"]["notification_id"] == ID
            assert message["webpush"]["headers"]["TTL"] == "3600"
