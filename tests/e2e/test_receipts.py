"""Receipts: signed, numbered, repeated until the webhook takes them, and only what was asked."""

from uuid import uuid4

from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually


async def calls(tenant: Tenant) -> list[Json]:
    response = await tenant.simulators.get("/receiver/log", params={"limit": 100_000})
    entries: list[Json] = response.json()["entries"]
    return [e for e in entries if tenant.app_id in str(e["request"]["payload"])]


async def test_a_failing_webhook_gets_the_same_bytes_again(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    await tenant.script(
        "receiver",
        {"kind": "answer", "status": 503},
        match={"device": tenant.hook},
        times=1,
    )

    notification_id = await tenant.send(user_id)

    (receipt,) = await tenant.receipts(notification_id)
    assert receipt["state"] == "sent"

    async def both() -> list[Json] | None:
        found = await calls(tenant)
        return found if len(found) == 2 else None

    first, second = await eventually(both)
    assert first["answer"]["status"] == 503
    assert first["request"]["payload"] == second["request"]["payload"]
    ids = {call["request"]["headers"]["webhook-id"] for call in (first, second)}
    assert len(ids) == 1
    assert second["verified"]
    assert second["at"] - first["at"] >= 4  # five seconds, give or take a fifth


async def test_receipts_of_an_app_are_numbered_without_gaps(tenant: Tenant) -> None:
    users = [str(uuid4()) for _ in range(5)]
    for user_id in users:
        await tenant.register(user_id, "fcm")

    ids = [await tenant.send(user_id) for user_id in users * 4]

    numbers = [(await tenant.receipts(n))[0]["seq"] for n in ids]
    assert sorted(numbers) == list(range(1, 21))


async def test_an_app_may_want_failures_only(tenant: Tenant) -> None:
    await tenant.call(
        "PATCH",
        f"/push/config/{tenant.app_id}",
        token=tenant.admin(),
        body={"receipts": "failures"},
    )
    good, bad = str(uuid4()), str(uuid4())
    await tenant.register(good, "fcm")
    await tenant.register(bad, "fcm", f"dead-{uuid4().hex}")

    sent = await tenant.send(good)
    await tenant.settled(sent)
    failed = await tenant.send(bad)

    (receipt,) = await tenant.receipts(failed)
    assert receipt["state"] == "unregistered"
    assert receipt["seq"] <= 2  # its device's deactivation has the other number
    told = {
        r["notification_id"]
        for c in await calls(tenant)
        for r in c["request"]["payload"]["data"]["receipts"]
        if "type" not in r
    }
    assert told == {failed}
