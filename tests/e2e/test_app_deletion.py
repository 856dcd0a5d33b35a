"""A deleted app is gone at once, its rows soon, and then its id can be founded again."""

from typing import Any
from uuid import UUID, uuid4

import httpx

from shared import ids
from tests.e2e.records import open_record
from tests.e2e.system import System
from tests.e2e.tenant import Tenant
from tests.eventually import eventually

COLLECTIONS = (
    "credentials",
    "dead_letters",
    "devices",
    "enrolments",
    "limits",
    "quotas",
    "receipt_attempts",
    "receipt_heads",
    "receipts",
    "sends",
)


async def rows_of(system: System, app_id: str) -> dict[str, int]:
    """How many rows of an app each collection holds, tombstones left out."""
    key = UUID(app_id)
    mine = {"$or": [{"app_id": key}, {"_id": key}, {"_id": {"$regex": app_id}}]}
    async with open_record(system) as database:
        return {name: await database[name].count(mine) for name in COLLECTIONS}


async def states_of(system: System, notification_id: str) -> list[tuple[str, str]]:
    """What the record says of a notification's deliveries: state and reason."""
    send_id = ids.send_id_of(UUID(notification_id))
    async with open_record(system) as database:
        chunks = await database["chunks"].find({"send_id": send_id})
    return [tuple(row[:2]) for chunk in chunks for row in chunk["st"].values()]


async def test_rows_of_a_deleted_app_disappear_and_its_id_is_free(
    system: System, api: httpx.AsyncClient, simulators: httpx.AsyncClient
) -> None:
    tenant, neighbour = (Tenant(system, api, simulators) for _ in range(2))
    for app in (tenant, neighbour):
        await app.set_up(providers=("pushy",))
    sent, parked = [await a_send(tenant, provider) for provider in ("pushy", "fcm")]
    kept = await a_send(neighbour, "pushy")
    for app, notification_id in ((tenant, sent), (neighbour, kept)):
        await app.receipts(notification_id)
    before = await rows_of(system, neighbour.app_id)
    path = f"/push/apps/{tenant.app_id}"

    await tenant.call("DELETE", path, token=tenant.admin())

    again: dict[str, Any] = {"body": {"name": "again"}, "token": tenant.admin()}
    refused = await tenant.call("PUT", path, **again, status=409)
    assert refused["detail"] == "App is being deleted"
    await tenant.call("GET", f"/push/config/{tenant.app_id}", token=tenant.admin(), status=404)
    await tenant.call("POST", "/push/send", token=tenant.service(), body={}, status=404)

    async def is_free() -> bool:
        headers = {"authorization": f"Bearer {tenant.admin()}"}
        answer = await api.put(path, json={"name": "again"}, headers=headers)
        assert answer.status_code in (201, 409)
        return answer.status_code == 201

    await eventually(is_free, within_seconds=60, what="the id is free")
    assert not any((await rows_of(system, tenant.app_id)).values())
    assert await rows_of(system, neighbour.app_id) == before

    async def is_cancelled() -> bool:
        return await states_of(system, parked) == [("cancelled", "erased")]

    await eventually(is_cancelled, within_seconds=60, what="the parked delivery is cancelled")
    assert await tenant.seen("fcm", parked) == []


async def a_send(tenant: Tenant, provider: str) -> str:
    """A notification to a new user's device."""
    user_id = str(uuid4())
    await tenant.register(user_id, provider)
    return await tenant.send(user_id)


async def test_a_worker_killed_in_the_middle_of_a_purge_is_followed_by_another(
    system: System, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    users = "".join(f'"{uuid4()}"\n' for _ in range(40_000))
    headers = {
        "authorization": f"Bearer {tenant.service()}",
        "content-type": "application/x-ndjson",
    }
    path = f"/push/apps/{tenant.app_id}"
    answer = await api.post(f"{path}/users", content=users, headers=headers, timeout=300)
    assert '"done":true' in answer.text

    await tenant.call("DELETE", path, token=tenant.admin())

    async def has_begun() -> bool:
        return 0 < (await rows_of(system, tenant.app_id))["enrolments"] < 40_000

    await eventually(has_begun, what="the purge has begun")
    for worker in system.workers:
        if worker.is_running:
            worker.kill()
    left = await rows_of(system, tenant.app_id)
    system.start_worker()

    async def is_empty() -> bool:
        return not any((await rows_of(system, tenant.app_id)).values())

    assert left["enrolments"] > 0
    await eventually(is_empty, within_seconds=60, what="the rest is purged")
