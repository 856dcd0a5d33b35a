"""What waits for a credential goes out when it comes, not when it would look again by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from deploy.local.credentials import make_credentials
from tests.e2e.figures import Figures
from tests.e2e.system import System
from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually

PARK_SECONDS = "600"
AT_ONCE_SECONDS = 15
USERS = 60
ROUNDS = 5  # with 167, more than 10,000 wait


@pytest.fixture(scope="module", autouse=True)
async def patient(system: System) -> AsyncIterator[None]:
    """One worker that looks again by itself after ten minutes only."""
    await asyncio.to_thread(_stop_workers, system)
    await asyncio.to_thread(system.start_worker, WORKER_PARK_SECONDS=PARK_SECONDS)
    yield
    await asyncio.to_thread(_stop_workers, system)
    await asyncio.to_thread(system.start_worker)


def _stop_workers(system: System) -> None:
    for worker in system.workers:
        worker.stop()


class Waiting:
    """APNs users of an app, and the notifications that wait for its credential."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.users: list[str] = []
        self.accepted: list[str] = []

    async def gather(self) -> None:
        self.users = [str(uuid4()) for _ in range(USERS)]
        gate = asyncio.Semaphore(16)

        async def join(user_id: str) -> None:
            async with gate:
                await self.tenant.register(user_id, "apns")

        await asyncio.gather(*map(join, self.users))

    async def send(self, rounds: int = ROUNDS) -> None:
        for _ in range(rounds):
            answer = await self.tenant.call(
                "POST",
                "/push/send/bulk",
                token=self.tenant.service(),
                body={"user_ids": self.users, "title": "Wait", "body": "x"},
            )
            self.accepted += answer["notification_ids"]

    async def are_parked(self) -> None:
        """Return once each delivery waits, for whichever reason, and none has spent an attempt."""

        async def look() -> bool:
            rows = await self.rows()
            return all(r["reason"] and r["attempts"] == 0 for r in rows)

        await eventually(look, within_seconds=300, what="all are parked")

    async def all_sent(self) -> float:
        """How many seconds it took until all were sent, each of them once."""
        began = time.monotonic()

        async def look() -> bool:
            return await self.calls(accepted=True) >= len(self.accepted)

        await eventually(look, within_seconds=AT_ONCE_SECONDS, what="all are sent")
        seconds = time.monotonic() - began

        async def are_settled() -> bool:
            rows = await self.rows()
            return all((r["state"], r["attempts"]) == ("sent", 1) for r in rows)

        await eventually(are_settled, within_seconds=300)
        assert await self.calls(accepted=True) == len(self.accepted)
        return seconds

    async def rows(self) -> list[Json]:
        rows: list[Json] = []
        for start in range(0, len(self.accepted), 50):
            statuses = map(self.tenant.status, self.accepted[start : start + 50])
            rows += [s["devices"][0] for s in await asyncio.gather(*statuses)]
        return rows

    async def calls(self, *, accepted: bool) -> int:
        """How often APNs was called for one of the notifications, or took one."""
        ours, found, after = set(self.accepted), 0, 0
        while True:
            answer = await self.tenant.simulators.get(
                "/apns/log", params={"after": after, "limit": 10_000}
            )
            page = answer.json()
            if not page["entries"]:
                return found
            found += sum(
                entry["notification_id"] in ours and (entry["accepted"] or not accepted)
                for entry in page["entries"]
            )
            after = page["next"]


@pytest.fixture
async def waiting(system: System, api: httpx.AsyncClient, simulators: httpx.AsyncClient) -> Waiting:
    """An app without any credential."""
    tenant = Tenant(system, api, simulators)
    await tenant.set_up(providers=())
    waiting = Waiting(tenant)
    await waiting.gather()
    return waiting


async def test_what_waits_goes_out_when_the_first_credential_comes(
    waiting: Waiting, system: System, figures: Figures
) -> None:
    await waiting.send()
    await waiting.are_parked()

    await waiting.tenant.put_credential("apns", system.credentials.apns)

    seconds = await waiting.all_sent()
    figures.lines.append(f"parked: {len(waiting.accepted)} woken and sent in {seconds:.1f} s")


async def test_a_refused_credential_is_not_asked_for_each_delivery(
    waiting: Waiting, system: System
) -> None:
    await waiting.tenant.put_credential("apns", make_credentials().apns)
    probe = await waiting.tenant.send(waiting.users[0])

    async def refused() -> bool:
        return (await waiting.tenant.status(probe))["devices"][0]["reason"] is not None

    await eventually(refused)
    await waiting.send()
    await waiting.are_parked()

    assert await waiting.calls(accepted=False) == 0
    await waiting.tenant.put_credential("apns", system.credentials.apns)
    await waiting.all_sent()
    assert (await waiting.tenant.settled(probe))["status"] == "sent"


async def test_a_change_that_no_worker_saw_is_not_missed(waiting: Waiting, system: System) -> None:
    await waiting.send(1)
    await waiting.are_parked()
    await asyncio.to_thread(system.workers[-1].kill)

    await waiting.tenant.put_credential("apns", system.credentials.apns)
    await asyncio.to_thread(system.start_worker, WORKER_PARK_SECONDS=PARK_SECONDS)

    await waiting.all_sent()


async def test_a_delivery_is_kept_until_its_deadline(waiting: Waiting) -> None:
    notification_id = await waiting.tenant.send(waiting.users[0], ttl=6)
    waiting.accepted = [notification_id]
    await waiting.are_parked()

    assert (await waiting.tenant.status(notification_id))["status"] == "pending"
    row = (await waiting.tenant.settled(notification_id))["devices"][0]
    assert (row["state"], row["reason"], row["attempts"]) == ("expired", "no_credential", 0)
