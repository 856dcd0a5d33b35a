"""The FCM simulator and its OAuth endpoint as httpx sees them."""

import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from tests.integration.simulators.conftest import KeyPair, Running
from tests.simulators.fcm import GOOGLE_LIMITS

EMAIL = "sender@demo.iam.gserviceaccount.com"
GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SEND = "/v1/projects/demo/messages:send"


@pytest.fixture
async def fcm(simulators: Running, google_key: KeyPair) -> AsyncIterator[httpx.AsyncClient]:
    account = {"client_email": EMAIL, "private_key_id": "kid-1"}
    await simulators.put("/fcm/projects/demo", account | {"public_key_pem": google_key.public_pem})
    await simulators.put("/fcm/oauth", {})
    context = ssl.create_default_context(cafile=str(simulators.certificates.ca_file))
    async with httpx.AsyncClient(base_url=simulators.urls["fcm_url"], verify=context) as client:
        yield client


def message(**changes: Any) -> dict[str, Any]:
    base = {"token": "device-1", "notification": {"title": "Hello", "body": "There"}}
    return {"message": base | {"data": {"notification_id": "n-1"}} | changes}


async def test_an_assertion_buys_a_bearer_that_sends(
    fcm: httpx.AsyncClient, simulators: Running, google_key: KeyPair
) -> None:
    headers = await bearer(fcm, google_key)

    response = await fcm.post(SEND, json=message(), headers=headers)

    assert response.status_code == 200
    assert response.json()["name"].startswith("projects/demo/messages/")
    [entry] = await simulators.entries("fcm")
    assert (entry["device"], entry["notification_id"], entry["accepted"]) == (
        "device-1",
        "n-1",
        True,
    )
    assert entry["id"] == response.json()["name"]
    assert (await simulators.get("/fcm/stats"))["token_requests"] == 1


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"aud": "https://elsewhere.example"}, "invalid_grant"),
        ({"exp": int(time.time()) + 7200}, "invalid_grant"),
        ({"iat": int(time.time()) - 9000, "exp": int(time.time()) - 6000}, "invalid_grant"),
        ({"iss": "stranger@demo.iam.gserviceaccount.com"}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
    ],
)
async def test_a_wrong_assertion_is_refused(
    fcm: httpx.AsyncClient, google_key: KeyPair, claims: dict[str, Any], expected: str
) -> None:
    response = await exchange(fcm, assertion(google_key, claims))

    assert (response.status_code, response.json()["error"]) == (400, expected)


async def test_a_forged_assertion_is_refused(fcm: httpx.AsyncClient, google_key: KeyPair) -> None:
    head, claims, signature = assertion(google_key).split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]

    response = await exchange(fcm, f"{head}.{claims}.{flipped}")

    assert response.json()["error_description"] == "Invalid JWT Signature."


async def test_an_unknown_or_expired_bearer_is_unauthenticated(
    fcm: httpx.AsyncClient, simulators: Running, google_key: KeyPair
) -> None:
    await simulators.put("/fcm/oauth", {"expires_in": 0})
    expired = await bearer(fcm, google_key)

    for headers in ({}, {"authorization": "Bearer ya29.x"}, expired):
        response = await fcm.post(SEND, json=message(), headers=headers)

        assert response.status_code == 401
        assert response.json()["error"]["status"] == "UNAUTHENTICATED"
        assert error_codes(response) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"token": "dead-1"}, (404, ["UNREGISTERED"])),
        ({"token": "bad-1"}, (400, ["INVALID_ARGUMENT"])),
        ({"data": {"n": 1}}, (400, [])),
        ({"data": {"from": "me"}}, (400, ["INVALID_ARGUMENT"])),
        ({"data": {"google_x": "me"}}, (400, ["INVALID_ARGUMENT"])),
        ({"data": {"big": "x" * 4096}}, (400, ["INVALID_ARGUMENT"])),
        ({"topic": "news"}, (400, ["INVALID_ARGUMENT"])),
        ({"android": {"ttl": "2419201s"}}, (400, ["INVALID_ARGUMENT"])),
        ({"android": {"ttl": "soon"}}, (400, [])),
        ({"android": {"priority": "URGENT"}}, (400, [])),
        ({"colour": "red"}, (400, [])),
        ({"android": {"collapseKey": "k", "ttl": "10s", "priority": "HIGH"}}, (200, [])),
        ({"apns": {"headers": {"apns-priority": "5"}, "payload": {"aps": {}}}}, (200, [])),
    ],
)
async def test_a_message_gets_the_documented_answer(
    fcm: httpx.AsyncClient,
    google_key: KeyPair,
    changes: dict[str, Any],
    expected: tuple[int, list[str]],
) -> None:
    headers = await bearer(fcm, google_key)

    response = await fcm.post(SEND, json=message(**changes), headers=headers)

    assert (response.status_code, error_codes(response)) == expected


async def test_an_unknown_field_is_named(fcm: httpx.AsyncClient, google_key: KeyPair) -> None:
    headers = await bearer(fcm, google_key)

    response = await fcm.post(SEND, json=message(colour="red"), headers=headers)

    text = "Invalid JSON payload received. Unknown name \"colour\" at 'message': Cannot find field."
    assert response.json()["error"]["message"] == text


async def test_an_unregistered_token_has_the_documented_body(
    fcm: httpx.AsyncClient, google_key: KeyPair
) -> None:
    response = await fcm.post(
        SEND, json=message(token="dead-1"), headers=await bearer(fcm, google_key)
    )

    assert response.json() == {
        "error": {
            "code": 404,
            "message": "Requested entity was not found.",
            "status": "NOT_FOUND",
            "details": [
                {
                    "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
                    "errorCode": "UNREGISTERED",
                }
            ],
        }
    }


async def test_a_dry_run_is_answered_but_not_accepted(
    fcm: httpx.AsyncClient, simulators: Running, google_key: KeyPair
) -> None:
    headers = await bearer(fcm, google_key)

    response = await fcm.post(SEND, json=message() | {"validate_only": True}, headers=headers)

    assert response.status_code == 200
    assert (await simulators.get("/fcm/stats"))["accepted"] == 0


async def test_another_project_is_out_of_reach(fcm: httpx.AsyncClient, google_key: KeyPair) -> None:
    headers = await bearer(fcm, google_key)

    response = await fcm.post("/v1/projects/other/messages:send", json=message(), headers=headers)

    assert (response.status_code, error_codes(response)) == (404, [])


async def test_the_unlucky_token_fails_once(fcm: httpx.AsyncClient, google_key: KeyPair) -> None:
    headers = await bearer(fcm, google_key)
    unlucky = message(token="device-503once")

    statuses = [(await fcm.post(SEND, json=unlucky, headers=headers)).status_code for _ in "12"]

    assert statuses == [503, 200]


def assertion(key: KeyPair, claims: dict[str, Any] | None = None) -> str:
    now = int(time.time())
    content: dict[str, Any] = {
        "iss": EMAIL,
        "aud": GOOGLE_TOKEN_URL,
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "iat": now,
        "exp": now + 3600,
    }
    headers = {"kid": "kid-1"}
    return jwt.encode(content | (claims or {}), key.private_pem, algorithm="RS256", headers=headers)


async def exchange(fcm: httpx.AsyncClient, signed: str) -> httpx.Response:
    return await fcm.post("/token", data={"grant_type": GRANT, "assertion": signed})


async def bearer(fcm: httpx.AsyncClient, key: KeyPair) -> dict[str, str]:
    response = await exchange(fcm, assertion(key))
    assert response.status_code == 200, response.text
    return {"authorization": f"Bearer {response.json()['access_token']}"}


def error_codes(response: httpx.Response) -> list[str]:
    details = response.json().get("error", {}).get("details", [])
    return [detail["errorCode"] for detail in details if "errorCode" in detail]


async def test_googles_limits_hold_when_they_are_on(
    fcm: httpx.AsyncClient, simulators: Running, google_key: KeyPair
) -> None:
    usual = await simulators.get("/fcm/settings")
    await simulators.put("/fcm/settings", GOOGLE_LIMITS)
    headers = await bearer(fcm, google_key)

    statuses = [
        (await fcm.post(SEND, json=message(), headers=headers)).status_code for _ in range(500)
    ]

    await simulators.put("/fcm/settings", usual)
    assert set(statuses) == {200, 429}  # 240 a minute, and a minute may end within
    assert statuses[:240] == [200] * 240


async def test_a_topic_has_a_limit_of_its_own(
    fcm: httpx.AsyncClient, simulators: Running, google_key: KeyPair
) -> None:
    usual = await simulators.get("/fcm/settings")
    await simulators.put("/fcm/settings", {"topic_fanouts_per_minute": 1, "device_per_minute": 1})
    headers = await bearer(fcm, google_key)
    to_topic = {"message": {"topic": "news", "data": {"a": "b"}}}

    answers = [await fcm.post(SEND, json=to_topic, headers=headers) for _ in range(4)]

    await simulators.put("/fcm/settings", usual)
    assert answers[0].status_code == 200
    assert error_codes(next(a for a in answers if a.status_code == 429)) == ["QUOTA_EXCEEDED"]


async def test_collapsible_messages_beyond_a_burst_come_late(
    fcm: httpx.AsyncClient, simulators: Running, google_key: KeyPair
) -> None:
    usual = await simulators.get("/fcm/settings")
    await simulators.put("/fcm/settings", {"collapsible_burst": 2})
    headers = await bearer(fcm, google_key)
    collapsible = message(android={"collapseKey": "k"})

    for content in (collapsible, collapsible, collapsible, message()):
        assert (await fcm.post(SEND, json=content, headers=headers)).status_code == 200

    await simulators.put("/fcm/settings", usual)
    delayed = [entry.get("delayed", False) for entry in await simulators.entries("fcm")]
    assert delayed == [False, False, True, False]
