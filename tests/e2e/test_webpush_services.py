"""Each push service from our front door to a browser, with what only that service answers."""

from uuid import uuid4

import pytest

from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually

SERVICES = ("rfc", "mozilla", "apple", "google", "wns")


async def browser(tenant: Tenant, service: str, user_id: str) -> tuple[str, str]:
    """A user's browser at that service: the device's id, and the simulator's name for it."""
    wanted = {"personality": service, "application_server_key": tenant.config["vapid_public_key"]}
    made = (await tenant.simulators.post("/webpush/subscriptions", json=wanted)).json()
    return await tenant.register(user_id, "webpush", made["subscription"]), str(made["id"])


async def turn(tenant: Tenant, name: str, state: str) -> None:
    await tenant.simulators.put(f"/webpush/devices/{name}", json={"state": state})


async def active(tenant: Tenant, user_id: str) -> list[str]:
    return [row["device_id"] for row in await tenant.devices(user_id=user_id)]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_browser_gets_its_push_until_it_is_gone(tenant: Tenant, service: str) -> None:
    user_id = str(uuid4())
    _, name = await browser(tenant, service, user_id)
    link = "https://shop.example/orders/7"

    first = await tenant.settled(await tenant.send(user_id, click_action=link, data={"n": 17}))
    await turn(tenant, name, "unregistered")
    second = await tenant.settled(await tenant.send(user_id))

    assert [status["devices"][0]["state"] for status in (first, second)] == ["sent", "unregistered"]
    assert first["devices"][0]["provider_message_id"]
    [seen] = await tenant.seen("webpush", first["notification_id"])
    payload: Json = seen["request"]["payload"]  # decrypted with the browser's key
    assert (payload["web_push"], payload["data"]) == (8030, {"n": 17})
    assert payload["notification"] == {"title": "Title", "body": "Body", "navigate": link}
    assert await active(tenant, user_id) == []


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "mozilla"])
async def test_a_browser_of_another_key_is_not_lost_at_once(tenant: Tenant, service: str) -> None:
    user_id = str(uuid4())
    device_id, name = await browser(tenant, service, user_id)
    await turn(tenant, name, "mismatch")

    status = await tenant.settled(await tenant.send(user_id))

    assert status["devices"][0]["state"] == "rejected"
    assert await active(tenant, user_id) == [device_id]


async def test_mozilla_s_401_parks_the_push_until_it_is_taken(tenant: Tenant) -> None:
    user_id = str(uuid4())
    device_id, name = await browser(tenant, "mozilla", user_id)
    await turn(tenant, name, "mismatch")

    notification_id = await tenant.send(user_id)

    async def is_refused() -> bool:
        return bool(await tenant.seen("webpush", notification_id))

    await eventually(is_refused, what="a 401")
    row = (await tenant.status(notification_id))["devices"][0]
    assert (row["state"], row["attempts"]) == ("accepted", 0)  # parked, no attempt spent
    await turn(tenant, name, "active")
    assert (await tenant.settled(notification_id))["status"] == "sent"
    assert await active(tenant, user_id) == [device_id]
    assert all(
        entry["answer"]["status"] in {401, 201}
        for entry in await tenant.seen("webpush", notification_id)
    )
