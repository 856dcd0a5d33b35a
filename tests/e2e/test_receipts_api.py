"""Receipts on demand: pulled, posted again, logged; and verified with either secret."""

from uuid import uuid4

import pytest

from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually


@pytest.fixture
async def user_id(tenant: Tenant) -> str:
    """A user with a device that gets every push."""
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    return user_id


async def configure(tenant: Tenant, **change: object) -> Json:
    path = f"/push/config/{tenant.app_id}"
    return await tenant.call("PATCH", path, token=tenant.admin(), body=change)


async def pull(tenant: Tenant, *, count: int) -> Json:
    """The first page, once there is so much to be pulled."""

    async def look() -> Json | None:
        page = await tenant.call("GET", "/push/receipts", token=tenant.service())
        return page if page["newest_seq"] >= count else None

    return await eventually(look, what=f"{count} receipts on record")


async def replay(tenant: Tenant, **chosen: object) -> Json:
    return await tenant.call("POST", "/push/receipts/replay", token=tenant.service(), body=chosen)


async def attempts(tenant: Tenant, *, count: int) -> list[Json]:
    path = f"/push/config/{tenant.app_id}/webhook/attempts"

    async def look() -> list[Json] | None:
        rows: list[Json] = (await tenant.call("GET", path, token=tenant.admin()))["attempts"]
        return rows if len(rows) >= count else None

    return await eventually(look, what=f"{count} attempts")


async def test_a_pulled_receipt_is_the_one_that_was_posted(tenant: Tenant, user_id: str) -> None:
    notification_id = await tenant.send(user_id)
    (posted,) = await tenant.receipts(notification_id)

    page = await pull(tenant, count=1)

    extra = ("copies", "endpoint", "webhook_ids")
    assert page["receipts"] == [{k: v for k, v in posted.items() if k not in extra}]


async def test_an_app_without_a_webhook_pulls(tenant: Tenant, user_id: str) -> None:
    await configure(tenant, webhook_url=None)
    notification_id = await tenant.send(user_id)

    page = await pull(tenant, count=1)

    assert [row["notification_id"] for row in page["receipts"]] == [notification_id]
    assert page["receipts"][0]["state"] == "sent"


async def test_a_replay_is_posted_under_another_webhook_id(tenant: Tenant, user_id: str) -> None:
    notification_id = await tenant.send(user_id)
    (first,) = await tenant.receipts(notification_id)

    answer = await replay(tenant, ids=[first["id"]])

    async def twice() -> Json | None:
        (row,) = await tenant.receipts(notification_id)
        return row if row["copies"] == 2 else None

    again = await eventually(twice, what="replayed")
    assert answer == {"calls": 1, "receipts": 1, "calls_queued_before": 0}
    assert (again["id"], again["seq"]) == (first["id"], first["seq"])
    assert len(set(again["webhook_ids"])) == 2


async def test_what_was_never_posted_can_be_replayed(tenant: Tenant, user_id: str) -> None:
    await configure(tenant, webhook_url=None)
    notification_id = await tenant.send(user_id)
    await pull(tenant, count=1)
    await configure(tenant, webhook_url=tenant.hook_url)

    await replay(tenant, from_seq=1, to_seq=1)

    (receipt,) = await tenant.receipts(notification_id)
    assert receipt["seq"] == 1


async def test_a_replay_brings_a_waiting_call_forward(tenant: Tenant, user_id: str) -> None:
    rule = {"match": {"device": tenant.hook}, "times": 1}
    await tenant.script(
        "receiver",
        {"kind": "answer", "status": 503, "headers": {"retry-after": "0"}},
        **rule,
    )
    notification_id = await tenant.send(user_id)
    (failed,) = await attempts(tenant, count=1)

    await replay(tenant, from_seq=1, to_seq=1)

    await tenant.receipts(notification_id)
    taken, *_ = await attempts(tenant, count=2)
    assert (failed["attempt"], failed["status"], failed["problem"]) == (1, 503, "status 503")
    assert (taken["attempt"], taken["status"], taken["problem"]) == (1, 204, None)
    assert failed["webhook_id"] != taken["webhook_id"]


async def test_either_secret_verifies_during_a_rotation(tenant: Tenant, user_id: str) -> None:
    old = tenant.config["webhook_secret"]
    new = (await configure(tenant, regenerate_webhook_secret=True))["webhook_secret"]
    path = f"/receiver/endpoints/{tenant.hook}"

    for secret in (old, new):
        await tenant.simulators.put(path, json={"secrets": [secret]})
        notification_id = await tenant.send(user_id)
        (receipt,) = await tenant.receipts(notification_id)
        assert receipt["state"] == "sent"

    rows = await attempts(tenant, count=2)
    assert [row["status"] for row in rows] == [204, 204]
    assert old != new


async def test_an_app_may_want_no_receipts(tenant: Tenant, user_id: str) -> None:
    await configure(tenant, receipts="none")
    untold = await tenant.send(user_id)
    await tenant.settled(untold)
    await configure(tenant, receipts="all")

    async def told() -> Json | None:
        await tenant.settled(await tenant.send(user_id))
        page = await tenant.call("GET", "/push/receipts", token=tenant.service())
        return page if page["receipts"] else None

    page = await eventually(told, what="receipts, once workers know that they are wanted")
    assert page["receipts"][0]["seq"] == 1
    assert untold not in {row["notification_id"] for row in page["receipts"]}
