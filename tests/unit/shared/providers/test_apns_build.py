"""What goes to APNs: the payload, the headers and what is the same for each attempt."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.providers.apns_pool import encode, headers_of
from tests.unit.shared.providers.builders import (
    NOTIFICATION_ID,
    make_apns_credential,
    make_device,
    make_notification,
)
from tests.unit.shared.providers.built import apns_request

CREDENTIAL = make_apns_credential()


def test_build_payload_of_the_contract() -> None:
    request = apns_request(make_notification(data='{"a":[1,1e400]}'), make_device(), CREDENTIAL)

    assert encode(request.message) == (
        b'{"aps":{"alert":{"title":"Hello","body":"World"}},'
        b'"notification_id":"018f0000-0000-7000-8000-000000000001","data":{"a":[1,1e400]}}'
    )


def test_build_headers() -> None:
    notification = make_notification()

    request = apns_request(notification, make_device(), CREDENTIAL)

    assert headers_of(request) == {
        "apns-id": "518da955-cda8-8dbb-a3a5-c1a49582169f",
        "apns-topic": "com.example.app",
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": str(int(notification.expires_at.timestamp())),
        "apns-collapse-id": request.collapse_key,
    }


def test_build_expires_at_0_when_now_or_never() -> None:
    request = apns_request(make_notification(ttl_seconds=0), make_device(), CREDENTIAL)

    assert headers_of(request)["apns-expiration"] == "0"


def test_build_gives_each_attempt_the_same_ids() -> None:
    first, second = (apns_request(make_notification(), make_device(), CREDENTIAL) for _ in range(2))

    assert first.notification_id == second.notification_id == first.notification_id.lower()
    assert first.collapse_key == second.collapse_key


@pytest.mark.parametrize(
    "changes",
    [{"notification_id": UUID(int=7)}, {"device_id": UUID(int=7)}],
)
def test_build_gives_each_delivery_its_own_id(changes: dict[str, UUID]) -> None:
    other = apns_request(
        make_notification(notification_id=changes.get("notification_id", NOTIFICATION_ID)),
        make_device(**{k: v for k, v in changes.items() if k == "device_id"}),
        CREDENTIAL,
    )

    assert (
        other.notification_id
        != apns_request(make_notification(), make_device(), CREDENTIAL).notification_id
    )


@pytest.mark.parametrize("body", ["漢" * 4_096, '"\\\n' * 1_365, "a" * 4_096])
def test_build_fits_in_4096_bytes(body: str) -> None:
    request = apns_request(make_notification(body=body), make_device(), CREDENTIAL)

    payload = encode(request.message)
    assert 4_000 < len(payload) <= 4_096
    assert msgspec.json.decode(payload)["aps"]["alert"]["body"].endswith("…")


def test_build_leaves_out_data_that_does_not_fit() -> None:
    data = '{"k":"' + "x" * 4_080 + '"}'

    request = apns_request(make_notification(data=data), make_device(), CREDENTIAL)

    assert request.message["data_truncated"] is True
    assert "data" not in request.message
    assert request.message["aps"]["alert"] == {"title": "Hello", "body": "World"}


SILENT = '{"aps":{"alert":null,"content-available":1}}'


@pytest.mark.parametrize(
    ("changes", "push_type", "priority"),
    [
        ({}, "alert", "10"),
        ({"priority": "low"}, "alert", "1"),
        ({"silent": True}, "background", "5"),
        ({"overrides": {"apns": SILENT}}, "background", "5"),
        ({"silent": True, "overrides": {"apns": '{"aps":{"alert":"x"}}'}}, "alert", "10"),
        ({"overrides": {"apns": '{"aps":{"content-available":1}}'}}, "alert", "10"),
        ({"overrides": {"apns": '{"aps":7}'}}, "alert", "10"),
    ],
)
def test_build_names_the_type_that_the_payload_has(
    changes: dict[str, Any], push_type: str, priority: str
) -> None:
    headers = headers_of(apns_request(make_notification(**changes), make_device(), CREDENTIAL))

    assert (headers["apns-push-type"], headers["apns-priority"]) == (push_type, priority)
