"""Nothing accepted is lost, whatever process dies; what is doubled stays within its bound."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.e2e.crowd import Crowd
from tests.e2e.figures import Figures
from tests.e2e.system import System
from tests.e2e.tenant import Tenant
from tests.eventually import eventually

DELIVERIES = 2_000
USERS = 500
LATENCY_SECONDS = 0.5
CONCURRENCY_PER_WORKER = 500
SENDERS = 16
FEW_USERS = 50
WAITING_FOR_STORAGE = "StorageUnavailable"
ONE_FLUSH = 100  # answers that had come and were not written yet


@pytest.fixture(scope="module")
async def everybody(system: System, api: httpx.AsyncClient, simulators: httpx.AsyncClient) -> Crowd:
    tenant = Tenant(system, api, simulators)
    await tenant.set_up()
    crowd = Crowd(tenant)
    await crowd.gather(USERS)
    return crowd


@pytest.fixture
def crowd(everybody: Crowd) -> Crowd:
    everybody.start_over()
    return everybody


@asynccontextmanager
async def slow_fcm(tenant: Tenant) -> AsyncIterator[None]:
    """FCM answers after half a second, so that much is in flight when something dies."""
    await tenant.simulators.put("/fcm/latency", json={"seconds": LATENCY_SECONDS})
    try:
        yield
    finally:
        await tenant.simulators.put("/fcm/latency", json={"seconds": 0})


async def test_a_worker_killed_in_flight_loses_nothing(
    system: System, crowd: Crowd, figures: Figures
) -> None:
    victim = system.start_worker()
    async with slow_fcm(crowd.tenant):
        for _ in range(DELIVERIES // USERS):
            await crowd.send_to_all()
        await crowd.wait_seen(DELIVERIES // 5)
        victim.kill()
        tally = await crowd.tally(within_seconds=60)

    figures.note("kill -9 of a worker", tally)
    assert tally.accepted == DELIVERIES
    assert tally.lost == 0
    assert tally.states == {"sent": DELIVERIES}
    assert tally.doubled <= CONCURRENCY_PER_WORKER + ONE_FLUSH


async def test_sigterm_doubles_nothing(system: System, crowd: Crowd, figures: Figures) -> None:
    leaving = system.start_worker()
    async with slow_fcm(crowd.tenant):
        for _ in range(DELIVERIES // USERS):
            await crowd.send_to_all()
        await crowd.wait_seen(DELIVERIES // 5)
        assert leaving.signal(signal.SIGTERM)
        assert await asyncio.to_thread(leaving.wait, 40) == 0
        tally = await crowd.tally(within_seconds=60)

    figures.note("SIGTERM of a worker", tally)
    assert (tally.lost, tally.doubled) == (0, 0)
    assert tally.states == {"sent": DELIVERIES}


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_restarted_broker_loses_and_doubles_nothing(
    system: System, crowd: Crowd, end: str, figures: Figures
) -> None:
    rabbitmq = system.servers.rabbitmq
    async with slow_fcm(crowd.tenant):
        await crowd.send_to_all()
        await crowd.wait_seen(USERS // 5)
        await asyncio.to_thread(getattr(rabbitmq, end))
        before = len(crowd.accepted)
        for index in range(20):  # answered 200 although there is no broker
            await crowd.send_one(index)
        await asyncio.to_thread(rabbitmq.start)
        tally = await crowd.tally(within_seconds=60)

    figures.note(f"broker {end}", tally)
    assert tally.accepted == before + 20
    assert (tally.lost, tally.doubled) == (0, 0)
    assert tally.states == {"sent": tally.accepted}


async def test_a_killed_api_loses_nothing_that_it_answered(
    system: System, crowd: Crowd, figures: Figures
) -> None:
    answered = 0

    async def send_until_refused(number: int) -> None:
        nonlocal answered
        for index in range(number, USERS, SENDERS):
            try:
                await crowd.send_one(index)
            except httpx.HTTPError:
                return
            answered += 1

    async def enough() -> bool:
        return answered >= USERS // 10

    assert system.api is not None
    senders = asyncio.gather(*(send_until_refused(number) for number in range(SENDERS)))
    await eventually(enough)
    await asyncio.to_thread(system.api.kill)
    await senders
    await asyncio.to_thread(system.start_api)
    tally = await crowd.tally(within_seconds=60)

    figures.note("kill -9 of the API", tally)
    assert tally.accepted == answered < USERS
    assert (tally.lost, tally.doubled) == (0, 0)
    assert tally.states == {"sent": answered}


async def test_a_worker_killed_between_a_chunks_answers_loses_no_receipt(
    system: System, crowd: Crowd, figures: Figures
) -> None:
    """Half of a chunk is settled, a part waits for a retry, the rest is in flight: then the end."""
    slow = {"kind": "delay", "seconds": 20}
    busy = {"kind": "answer", "status": 503, "reason": "UNAVAILABLE"}
    for number in range(30):
        device = crowd.tokens[number]
        action = slow if number % 3 == 0 else busy
        await crowd.tenant.script("fcm", action, match={"device": device}, times=1)
    for worker in [w for w in system.workers if w.is_running]:
        worker.stop()
    victim = system.start_worker(PROVIDER_TIMEOUT_SECONDS="60")
    await crowd.send_to_all()
    await crowd.wait_seen(USERS - 30)

    victim.kill()
    system.start_worker()
    tally = await crowd.tally(within_seconds=60)

    figures.note("kill -9 in the middle of a chunk", tally)
    assert (tally.accepted, tally.lost) == (USERS, 0)
    assert tally.states == {"sent": USERS}
    assert tally.doubled <= ONE_FLUSH


async def test_a_frozen_database_loses_and_doubles_nothing(
    system: System, tenant: Tenant, figures: Figures
) -> None:
    """Answers that cannot be written down are held until they can; a dead token among them."""
    crowd = Crowd(tenant)
    await crowd.gather(FEW_USERS)
    dead = crowd.tokens[0]
    await tenant.simulators.put(f"/fcm/devices/{dead}", json={"state": "unregistered"})
    retries = system.logs().count(WAITING_FOR_STORAGE)

    async def worker_waits() -> bool:
        return system.logs().count(WAITING_FOR_STORAGE) > retries

    async with slow_fcm(tenant):
        await crowd.send_to_all()
        await crowd.wait_seen(1)
        assert system.servers.mongod.signal(signal.SIGSTOP)
        try:
            await eventually(worker_waits)
        finally:
            system.servers.mongod.signal(signal.SIGCONT)
        tally = await crowd.tally(within_seconds=60)

    figures.note("database frozen", tally)
    assert tally.states == {"sent": FEW_USERS - 1, "unregistered": 1}
    assert (tally.lost, tally.doubled) == (0, 0)
    response = await tenant.simulators.get("/fcm/log", params={"limit": 200_000})
    assert [e["device"] for e in response.json()["entries"]].count(dead) == 1
