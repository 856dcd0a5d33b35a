"""An endpoint that is away, a worker that is killed: every receipt arrives all the same.

The suite sends few; `RECEIPT_DELIVERIES` (the promise is made for 10,000) sends more.
"""

import os

from tests.e2e.crowd import Crowd
from tests.e2e.figures import Figures
from tests.e2e.system import System
from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually

DELIVERIES = int(os.environ.get("RECEIPT_DELIVERIES", "1000"))
USERS = 500
# A probe once a minute at the latest, claims of the dead for 30 s, then the sweeper's look.
WITHIN_SECONDS = 120 + DELIVERIES / 50


async def receipts_of(tenant: Tenant) -> list[Json]:
    """What a receiver has that drops what it has seen, with how many copies came."""
    response = await tenant.simulators.get("/receiver/receipts", params={"name": tenant.hook})
    found: list[Json] = response.json()["receipts"]
    return found


async def test_an_outage_and_a_killed_worker_lose_no_receipt(
    system: System, tenant: Tenant, figures: Figures
) -> None:
    crowd = Crowd(tenant)
    await crowd.gather(min(USERS, DELIVERIES))
    await tenant.script(
        "receiver", {"kind": "answer", "status": 500}, match={"device": tenant.hook}, times=None
    )
    victim = system.start_worker()
    while len(crowd.accepted) < DELIVERIES:
        await crowd.send_to_all()
    await crowd.wait_seen(DELIVERIES // 2)
    victim.kill()
    await crowd.wait_seen(DELIVERIES)
    assert await receipts_of(tenant) == []

    await tenant.end_scripts()

    async def all_came() -> list[Json] | None:
        found = await receipts_of(tenant)
        return found if len(found) >= DELIVERIES else None

    receipts = await eventually(all_came, within_seconds=WITHIN_SECONDS, what="all receipts")
    copies = sum(receipt["copies"] - 1 for receipt in receipts)
    stats = (await tenant.simulators.get("/receiver/stats")).json()
    figures.note(
        "receiver away, then kill -9 of a worker",
        f"{len(receipts)} receipts, {copies} of them twice, none missing",
    )
    assert sorted(r["seq"] for r in receipts) == list(range(1, DELIVERIES + 1))
    assert {r["notification_id"] for r in receipts} == set(crowd.accepted)
    assert tenant.app_id not in stats["seq_gaps"]


async def test_receipts_of_several_workers_and_one_that_is_killed_have_no_gap(
    system: System, tenant: Tenant
) -> None:
    """The endpoint is slow, so that calls are in flight when their worker dies."""
    crowd = Crowd(tenant)
    await crowd.gather(200)
    await tenant.script(
        "receiver", {"kind": "delay", "seconds": 1}, match={"device": tenant.hook}, times=None
    )
    victim = system.start_worker()
    for index in range(200):
        await crowd.send_one(index)
    await crowd.wait_seen(100)

    victim.kill()

    async def all_came() -> list[Json] | None:
        found = await receipts_of(tenant)
        return found if len(found) >= 200 else None

    receipts = await eventually(all_came, within_seconds=WITHIN_SECONDS, what="all receipts")
    assert sorted(r["seq"] for r in receipts) == list(range(1, 201))
