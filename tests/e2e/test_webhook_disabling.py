"""A webhook that is gone is disabled, shown to its admins, and comes back when it is set again."""

from uuid import uuid4

from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually


async def config(tenant: Tenant) -> Json:
    return await tenant.call("GET", f"/push/config/{tenant.app_id}", token=tenant.admin())


async def feed(tenant: Tenant) -> list[Json]:
    answer = await tenant.call("GET", "/push/receipts?after=0", token=tenant.service())
    receipts: list[Json] = answer["receipts"]
    return receipts


def event(tenant: Tenant, name: str) -> str:
    """What was logged under that name of this app."""
    lines = [line for line in tenant.system.logs().splitlines() if name in line]
    return "\n".join(line for line in lines if tenant.app_id in line)


async def test_a_webhook_that_is_gone_is_disabled_until_it_is_set_again(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    await tenant.script(
        "receiver", {"kind": "answer", "status": 410}, match={"device": tenant.hook}, times=1
    )

    await tenant.send(user_id)

    async def disabled() -> Json | None:
        shown = await config(tenant)
        return shown if shown["webhook_disabled_at"] else None

    shown = await eventually(disabled)
    assert shown["webhook_disabled_reason"] == "gone"
    assert shown["webhook_url"] == tenant.hook_url
    assert '"level":"error"' in event(tenant, "webhook.disabled")

    missed = await tenant.send(user_id)
    await tenant.settled(missed)

    async def recorded() -> bool:
        return len(await feed(tenant)) == 2

    await eventually(recorded)
    back = await tenant.call(
        "PATCH",
        f"/push/config/{tenant.app_id}",
        token=tenant.admin(),
        body={"webhook_url": tenant.hook_url},
    )
    assert (back["webhook_disabled_at"], back["webhook_disabled_reason"]) == (None, None)

    async def told() -> bool:  # workers know it within five seconds
        found = await tenant.simulators.get("/receiver/receipts", params={"name": tenant.hook})
        if found.json()["receipts"]:
            return True
        await tenant.settled(await tenant.send(user_id))
        return False

    await eventually(told)
    response = await tenant.simulators.get("/receiver/receipts", params={"name": tenant.hook})
    numbers = [receipt["seq"] for receipt in response.json()["receipts"]]
    assert 1 not in numbers
    assert 2 not in numbers
    assert [receipt["seq"] for receipt in await feed(tenant)][:2] == [1, 2]
