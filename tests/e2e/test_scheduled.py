"""Scheduled sends: not before their time, soon after it, once, whatever dies meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.crowd import Crowd
from tests.e2e.figures import Figures
from tests.e2e.system import System
from tests.e2e.tenant import Tenant
from tests.eventually import eventually

CROWD = 300


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def text_of(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")


async def lateness(tenant: Tenant, notification_id: str, due: datetime) -> float:
    """Seconds between the time that was asked for and the provider's first sight of it."""
    (entry,) = await tenant.seen("fcm", notification_id)
    seconds: float = entry["at"] - due.timestamp()
    return seconds


async def test_a_scheduled_send_waits_for_its_time_and_finds_new_devices(
    tenant: Tenant, figures: Figures
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    due = in_seconds(3)

    notification_id = await tenant.send(user_id, send_at=text_of(due), ttl=60)
    later = await tenant.register(user_id, "apns")

    status = await tenant.status(notification_id)
    assert (status["status"], status["devices"]) == ("scheduled", [])
    status = await tenant.settled(notification_id)
    assert status["status"] == "sent"
    assert later in {row["device_id"] for row in status["devices"]}
    assert len(status["devices"]) == 2
    late = await lateness(tenant, notification_id, due)
    assert late >= 0
    figures.note("scheduled send, seconds late", round(late, 2))
    assert len(await tenant.receipts(notification_id, count=2)) == 2


async def test_a_cancelled_one_is_never_sent(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    due = text_of(in_seconds(2))
    cancelled = await tenant.send(user_id, send_at=due)
    kept = await tenant.send(user_id, send_at=due)

    path = f"/push/notifications/{cancelled}"
    answer = await tenant.call("DELETE", path, token=tenant.service())

    assert answer["status"] == "cancelled"
    assert (await tenant.settled(kept))["status"] == "sent"
    assert (await tenant.status(cancelled))["status"] == "cancelled"
    assert await tenant.seen("fcm", cancelled) == []


async def test_one_batch_fires_at_each_of_its_times(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    times: list[dict[str, Any]] = [{}, {"send_at": text_of(in_seconds(2))}]
    times.append({"send_at": text_of(in_seconds(4))})
    rows = [{"user_id": user_id, "title": "T", "body": "B", **at} for at in times]

    answer = await tenant.call(
        "POST", "/push/send/batch", token=tenant.service(), body={"notifications": rows}
    )

    now, soon, later = answer["notification_ids"]
    assert (await tenant.settled(now))["status"] == "sent"
    assert (await tenant.settled(soon))["status"] == "sent"
    assert (await tenant.status(later))["status"] == "scheduled"
    assert (await tenant.settled(later))["status"] == "sent"
    assert [len(await tenant.seen("fcm", n)) for n in (now, soon, later)] == [1, 1, 1]


async def test_a_user_who_was_withdrawn_meanwhile_gets_nothing(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    notification_id = await tenant.send(user_id, send_at=text_of(in_seconds(2)))

    path = f"/push/apps/{tenant.app_id}/users/{user_id}"
    await tenant.call("DELETE", path, token=tenant.service())

    assert (await tenant.settled(notification_id))["status"] == "no_devices"


async def test_what_was_cancelled_while_it_waited_for_a_retry_ends_as_cancelled(
    tenant: Tenant,
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    title = f"cancel-{user_id}"
    busy = {"kind": "answer", "status": 503, "headers": {"retry-after": "60"}}
    await tenant.script("fcm", busy | {"reason": "UNAVAILABLE"}, match={"title": title}, times=None)
    notification_id = await tenant.send(user_id, title=title)

    async def waits() -> bool:
        row = (await tenant.status(notification_id))["devices"][0]
        return (row["attempts"], row["state"]) == (1, "accepted")

    await eventually(waits)

    async def cancelled() -> bool:  # not while the worker still holds the chunk
        path = f"/push/notifications/{notification_id}"
        answer = await tenant.call("DELETE", path, token=tenant.service())
        return bool(answer["status"] == "cancelled")

    await eventually(cancelled)
    row = (await tenant.status(notification_id))["devices"][0]
    assert (row["state"], row["reason"]) == ("cancelled", "cancelled_by_caller")
    assert (await tenant.receipts(notification_id))[0]["state"] == "cancelled"
    assert len(await tenant.seen("fcm", notification_id)) == 1


@pytest.fixture
async def crowd(system: System, api: httpx.AsyncClient, simulators: httpx.AsyncClient) -> Crowd:
    tenant = Tenant(system, api, simulators)
    await tenant.set_up()
    crowd = Crowd(tenant)
    await crowd.gather(CROWD)
    return crowd


async def test_nothing_scheduled_is_lost_or_doubled_when_all_is_killed_at_its_time(
    system: System, crowd: Crowd, figures: Figures
) -> None:
    due = in_seconds(4)
    others = [system.start_worker() for _ in range(2)]
    for user_id in crowd.users:
        crowd.accepted.append(await crowd.tenant.send(user_id, send_at=text_of(due)))

    async def first_has_fired() -> bool:
        return bool(await crowd.seen())

    await eventually(first_has_fired)
    for worker in others:
        worker.kill()
    assert system.api is not None
    await asyncio.to_thread(system.api.stop)
    await asyncio.to_thread(system.start_api)
    tally = await crowd.tally(within_seconds=60)

    figures.note("scheduled sends, two of three workers killed at their time", tally)
    assert tally.lost == 0
    assert tally.states == {"sent": CROWD}
    assert tally.doubled <= CROWD // 3  # what was in flight
