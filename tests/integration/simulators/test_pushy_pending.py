"""What waits at the Pushy simulator for devices that are away, as httpx sees it."""

import time
from typing import Any

import httpx
import pytest

from tests.eventually import eventually
from tests.integration.simulators.conftest import Running
from tests.integration.simulators.test_pushy import push, pushy

__all__ = ["pushy"]


@pytest.fixture
async def away(simulators: Running) -> str:
    await simulators.put("/pushy/settings", {"time_scale": 1.0})
    await simulators.put("/pushy/devices/away", {"presence": "offline"})
    return "away"


async def sent(pushy: httpx.AsyncClient, **changes: Any) -> str:
    answer = (await pushy.post("/push", json=push(to=["here", "away"], **changes))).json()
    assert answer["info"] == {"devices": 2, "failed": []}
    return str(answer["id"])


async def waiting(pushy: httpx.AsyncClient, push_id: str) -> list[str]:
    shown = (await pushy.get(f"/pushes/{push_id}")).json()["push"]
    assert shown["payload"]["title"] == "Hello"
    assert shown["date"] < shown["expiration"]
    return list(shown["pending_devices"])


async def waiting_ids(pushy: httpx.AsyncClient, device: str) -> list[str]:
    info = (await pushy.get(f"/devices/{device}")).json()
    return [row["id"] for row in info["pending_notifications"]]


async def test_a_push_waits_for_the_devices_that_are_away(
    pushy: httpx.AsyncClient, simulators: Running, away: str
) -> None:
    push_id = await sent(pushy)

    assert await waiting(pushy, push_id) == [away]
    assert await waiting_ids(pushy, away) == [push_id]
    assert await waiting_ids(pushy, "here") == []
    await simulators.put(f"/pushy/devices/{away}", {"presence": "online"})
    assert await waiting(pushy, push_id) == []
    assert await waiting_ids(pushy, away) == []


async def test_a_deleted_push_waits_no_more(pushy: httpx.AsyncClient, away: str) -> None:
    push_id = await sent(pushy)

    assert (await pushy.delete(f"/pushes/{push_id}")).json() == {"success": True}

    assert await waiting_ids(pushy, away) == []
    again = await pushy.delete(f"/pushes/{push_id}")
    assert (again.status_code, again.json()["code"]) == (404, "INVALID_PUSH_ID")


async def test_a_collapse_key_discards_what_was_not_delivered(
    pushy: httpx.AsyncClient, away: str
) -> None:
    first = await sent(pushy, collapse_key="score")
    other = await sent(pushy, collapse_key="other")
    second = await sent(pushy, collapse_key="score")

    assert await waiting_ids(pushy, away) == [other, second]
    assert await waiting(pushy, first) == []


async def test_a_push_waits_until_its_time_to_live_is_over(
    pushy: httpx.AsyncClient, simulators: Running, away: str
) -> None:
    await simulators.put("/pushy/settings", {"time_scale": 100.0})
    push_id = await sent(pushy, time_to_live=60)
    assert await waiting_ids(pushy, away) == [push_id]

    async def is_over() -> bool:
        return await waiting_ids(pushy, away) == []

    await eventually(is_over, what="the end of the time to live")


async def test_a_scheduled_push_waits_for_its_time(
    pushy: httpx.AsyncClient, simulators: Running, away: str
) -> None:
    await simulators.put("/pushy/settings", {"time_scale": 100.0})
    push_id = await sent(pushy, schedule=int(time.time()) + 100)
    assert await waiting(pushy, push_id) == ["here", away]

    async def has_begun() -> bool:
        return await waiting(pushy, push_id) == [away]

    await eventually(has_begun, what="the scheduled time")
