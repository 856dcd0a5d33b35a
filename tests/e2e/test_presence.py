"""The presence sweep, as a worker makes it: who has uninstalled an app gets nothing any more."""

from uuid import uuid4

from tests.e2e.pushy import a_session
from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually

GONE = {"pushy:uninstalled", "pushy:unsubscribed"}


async def test_devices_that_are_gone_are_deactivated(tenant: Tenant) -> None:
    users = {name: str(uuid4()) for name in ("online", "offline", "uninstalled", "unsubscribed")}
    tokens = {name: await a_session(tenant, user_id) for name, user_id in users.items()}
    for presence, token in tokens.items():
        await tenant.simulators.put(f"/pushy/devices/{token}", json={"presence": presence})

    async def gone() -> list[Json] | None:
        rows = await tenant.devices(active="false")
        return rows if len(rows) == len(GONE) else None

    rows = await eventually(gone, within_seconds=30, what="a sweep")

    assert {row["deactivated_reason"] for row in rows} == GONE
    assert {row["user_id"] for row in rows} == {users["uninstalled"], users["unsubscribed"]}
    notification_id = await tenant.send(users["uninstalled"])
    assert (await tenant.status(notification_id))["status"] == "no_devices"

    await tenant.simulators.put(
        f"/pushy/devices/{tokens['uninstalled']}", json={"presence": "online"}
    )
    await a_session(tenant, users["uninstalled"], tokens["uninstalled"])
    again = await tenant.settled(await tenant.send(users["uninstalled"]))
    assert [row["state"] for row in again["devices"]] == ["sent"]
