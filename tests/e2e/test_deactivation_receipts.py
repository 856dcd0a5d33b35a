"""An app is told which of its devices are gone, and why: once each, with a number of its own."""

from uuid import uuid4

from tests.e2e.pushy import a_session
from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually


async def told(tenant: Tenant, *, count: int) -> list[Json]:
    """The receipts of deactivated devices, once there are so many."""

    async def look() -> list[Json] | None:
        response = await tenant.simulators.get("/receiver/receipts", params={"name": tenant.hook})
        found = [r for r in response.json()["receipts"] if r.get("type") == "device.deactivated"]
        return found if len(found) >= count else None

    return await eventually(look, what="deactivations")


async def test_a_dead_token_is_told_with_its_reason(tenant: Tenant) -> None:
    user_id = str(uuid4())
    device_id = await tenant.register(user_id, "fcm", f"dead-{uuid4().hex}")

    notification_id = await tenant.send(user_id)

    (receipt,) = await told(tenant, count=1)
    assert {
        "device_id": device_id,
        "user_id": user_id,
        "platform": "android",
        "provider": "fcm",
        "state": "deactivated",
        "reason": "fcm:UNREGISTERED",
        "notification_id": None,
        "copies": 1,
    }.items() <= receipt.items()
    (delivery,) = await tenant.receipts(notification_id)
    assert delivery["state"] == "unregistered"
    assert "type" not in delivery
    assert {receipt["seq"], delivery["seq"]} == {1, 2}


async def test_who_uninstalled_is_told_and_who_unregistered_is_not(tenant: Tenant) -> None:
    token = await a_session(tenant, str(uuid4()))
    leaver = str(uuid4())
    device_id = await tenant.register(leaver, "fcm")
    path = f"/push/devices/{device_id}"
    await tenant.call("DELETE", path, token=tenant.user(leaver))
    await tenant.simulators.put(f"/pushy/devices/{token}", json={"presence": "uninstalled"})

    receipts = await told(tenant, count=1)

    assert [r["reason"] for r in receipts] == ["pushy:uninstalled"]
