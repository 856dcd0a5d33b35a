"""The Pushy simulator as httpx sees it."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.integration.simulators.conftest import Running

KEY = "secret-1"


@pytest.fixture
async def pushy(simulators: Running) -> AsyncIterator[httpx.AsyncClient]:
    await simulators.put("/pushy/apps", {"api_key": KEY, "apns_configured": False})
    await simulators.put("/pushy/settings", {"page_size": 1000})
    context = ssl.create_default_context(cafile=str(simulators.certificates.ca_file))
    url, parameters = simulators.urls["pushy_url"], {"api_key": KEY}
    async with httpx.AsyncClient(base_url=url, params=parameters, verify=context) as client:
        yield client


def push(**changes: Any) -> dict[str, Any]:
    data = {"title": "Hello", "notification_id": "n-1"}
    return {"to": "token-1", "data": data} | changes


@pytest.mark.parametrize("path", ["/push", "/push/"])
async def test_a_push_is_accepted(pushy: httpx.AsyncClient, simulators: Running, path: str) -> None:
    response = await pushy.post(path, json=push())

    content = response.json()
    assert content == {
        "success": True,
        "id": content["id"],
        "info": {"devices": 1, "failed": []},
    }
    [entry] = await simulators.entries("pushy")
    assert (entry["device"], entry["notification_id"], entry["id"]) == (
        "token-1",
        "n-1",
        content["id"],
    )


async def test_unknown_tokens_are_listed_as_failed(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    response = await pushy.post("/push", json=push(to=["token-1", "dead-2", "token-3"]))

    assert response.json()["info"] == {"devices": 2, "failed": ["dead-2"]}
    entries = await simulators.entries("pushy")
    told = {entry["device"]: entry["accepted"] for entry in entries}
    assert told == {"token-1": True, "dead-2": False, "token-3": True}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"to": "dead-1"}, (400, "NO_RECIPIENTS")),
        ({"to": "/topics/nobody"}, (400, "NO_RECIPIENTS")),
        ({"to": []}, (400, "INVALID_PARAM")),
        ({"to": ["t"] * 100_001}, (400, "INVALID_PARAM")),
        ({"to": [f"/topics/{n}" for n in range(101)]}, (400, "INVALID_PARAM")),
        ({"data": None}, (400, "INVALID_PARAM")),
        ({"data": {"x": "y" * 4096}}, (400, "PAYLOAD_LIMIT_EXCEEDED")),
        ({"time_to_live": 31_536_001}, (400, "INVALID_PARAM")),
        ({"collapse_key": "x" * 33}, (400, "INVALID_PARAM")),
        ({"colour": "red"}, (400, "INVALID_PARAM")),
    ],
)
async def test_a_push_is_refused_with_the_documented_code(
    pushy: httpx.AsyncClient, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    response = await pushy.post("/push", json=push(**changes))

    assert (response.status_code, response.json()["code"]) == expected


async def test_an_ios_device_needs_an_apns_credential(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    await simulators.put("/pushy/devices/token-1", {"platform": "ios"})

    assert (await pushy.post("/push", json=push())).json()["code"] == "NO_APNS_AUTH"


async def test_a_wrong_key_is_refused(pushy: httpx.AsyncClient) -> None:
    response = await pushy.post("/push", json=push(), params={"api_key": "wrong"})

    assert (response.status_code, response.json()["code"]) == (401, "INVALID_API_KEY")


async def test_topics_are_subscribed_listed_in_pages_and_left(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    await simulators.put("/pushy/settings", {"page_size": 2})
    for token in ("a", "b", "c"):
        await pushy.post("/topics/subscribe/", json={"token": token, "topics": ["news", "t_1"]})

    first = (await pushy.get("/topics/news")).json()
    link = httpx.URL(first["pagination"])  # httpx would replace its query by the client's own
    second = (await pushy.get(link.path, params=link.params)).json()
    await pushy.post("/topics/unsubscribe", json={"token": "c", "topics": ["*"]})

    assert (first["subscribers"], second) == (["a", "b"], {"subscribers": ["c"]})
    counts = (await pushy.get("/topics")).json()["topics"]
    assert counts == [{"name": "news", "subscribers": 2}, {"name": "t_1", "subscribers": 2}]
    assert (await pushy.get("/devices/a")).json()["subscriptions"] == ["news", "t_1"]
    sent = await pushy.post("/push", json=push(to="/topics/news"))
    assert sent.json()["info"]["devices"] == 2


async def test_devices_and_pushes_can_be_asked_about(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    await simulators.put("/pushy/devices/gone", {"presence": "uninstalled"})
    push_id = (await pushy.post("/push", json=push())).json()["id"]

    presence = (await pushy.post("/devices/presence", json={"tokens": ["gone", "dead-1"]})).json()
    nobody = await pushy.post("/devices/presence", json={"tokens": ["dead-1"]})

    assert [(row["id"], row["uninstalled"]) for row in presence["presence"]] == [("gone", True)]
    assert (nobody.status_code, nobody.json()["code"]) == (404, "NO_RESULTS")
    assert (await pushy.get("/devices/dead-1")).json()["code"] == "INVALID_DEVICE_TOKEN"
    assert (await pushy.delete(f"/pushes/{push_id}")).json() == {"success": True}
    assert (await pushy.get(f"/pushes/{push_id}")).json()["code"] == "INVALID_PUSH_ID"
