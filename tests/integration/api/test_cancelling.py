"""Calling notifications off: what waits ends at once, what a worker holds goes on."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared import ids
from shared.clock import utc_now
from shared.domain.deliveries import Chunk, Progress
from shared.storage.chunks import ChunkRepository, DeliveryProgress, Lease
from shared.storage.sends import SendRepository
from tests.front_door import Api
from tests.integration.api.tenant import Body, Tenant, a_tenant

APNS_TOKEN = "ab" * 32
WORKER = "worker-1"


@pytest.fixture
async def tenant(api: Api) -> Tenant:
    return await a_tenant(api)


async def cancel(tenant: Tenant, notification_id: str) -> Body:
    path = f"/push/notifications/{notification_id}"
    answer = await tenant.api.service(tenant.app_id).delete(path)
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    return body


async def chunks_of(tenant: Tenant, notification_id: str) -> list[Chunk]:
    send_id = ids.send_id_of(UUID(notification_id))
    return await ChunkRepository(tenant.api.database).of_send(tenant.app_id, send_id)


class Worker:
    """Does with chunks what a worker does."""

    def __init__(self, api: Api) -> None:
        self._chunks = ChunkRepository(api.database)

    async def lease(self, chunk: Chunk) -> Chunk | None:
        result = await self._chunks.lease([chunk.chunk_id], WORKER)
        return result.leased[0] if result.leased else None

    async def record(self, chunk: Chunk, index: int, state: Any, attempts: int = 1) -> None:
        now = utc_now()
        later = now + timedelta(minutes=10) if state == "accepted" else None
        progress = Progress(state, None, attempts, None, now, later)
        await self._chunks.record([DeliveryProgress(WORKER, chunk.chunk_id, index, progress)])

    async def release(self, chunk: Chunk, *, finished: bool) -> None:
        lease = [Lease(chunk.chunk_id, WORKER)]
        await self._chunks.release(
            finished=lease if finished else [], unfinished=[] if finished else lease
        )


def states(status: Body) -> dict[str, tuple[str, str | None, int]]:
    return {
        row["provider"]: (row["state"], row["reason"], row["attempts"]) for row in status["devices"]
    }


async def test_a_scheduled_one_is_called_off_for_good(tenant: Tenant) -> None:
    await tenant.register()
    notification_id = await tenant.sent(send_at=(utc_now() + timedelta(hours=1)).isoformat())

    answers = [await cancel(tenant, notification_id) for _ in range(3)]

    assert [answer["status"] for answer in answers] == ["cancelled"] * 3
    assert await tenant.status(notification_id) == answers[0] == answers[2]
    send_id = ids.send_id_of(UUID(notification_id))
    send = await SendRepository(tenant.api.database).get(tenant.app_id, send_id)
    assert send is not None
    assert send.cancelled == {0}
    assert send.due_at is not None  # it fires, and nothing comes of it


async def test_of_a_scheduled_bulk_one_is_called_off(tenant: Tenant) -> None:
    users = [tenant.user_id, await tenant.new_user(), await tenant.new_user()]
    at = (utc_now() + timedelta(hours=1)).isoformat()
    made = (await tenant.bulk(*users, send_at=at)).json()["notification_ids"]

    await cancel(tenant, made[1])

    assert [(await tenant.status(n))["status"] for n in made] == [
        "scheduled",
        "cancelled",
        "scheduled",
    ]


async def test_what_waits_is_cancelled_at_once(tenant: Tenant) -> None:
    await tenant.register()
    await tenant.register(platform="ios", push_token=APNS_TOKEN)
    notification_id = await tenant.sent()

    answer = await cancel(tenant, notification_id)

    off = ("cancelled", "cancelled_by_caller", 0)
    assert (answer["status"], states(answer)) == ("cancelled", {"fcm": off, "apns": off})
    assert all(row["updated_at"] is not None for row in answer["devices"])
    assert await cancel(tenant, notification_id) == await tenant.status(notification_id) == answer
    worker = Worker(tenant.api)
    for chunk in await chunks_of(tenant, notification_id):  # whoever leases it later sees it
        leased = await worker.lease(chunk)
        assert leased is not None
        assert [p.state for p in leased.progress.values()] == ["cancelled"]


async def test_a_cancelled_one_is_looked_at_again_for_its_receipts(tenant: Tenant) -> None:
    await tenant.register()
    notification_id = await tenant.sent()
    await cancel(tenant, notification_id)
    send_id = ids.send_id_of(UUID(notification_id))
    sends, now = SendRepository(tenant.api.database), utc_now() + timedelta(seconds=1)
    assert send_id in await sends.to_look_at(asked_before=now, limit=10_000)
    assert send_id not in await sends.unpublished(accepted_before=now, skip=0, limit=10_000)


async def test_what_waits_for_a_retry_keeps_its_attempts(tenant: Tenant) -> None:
    await tenant.register()
    notification_id, worker = await tenant.sent(), Worker(tenant.api)
    (chunk,) = await chunks_of(tenant, notification_id)
    await worker.lease(chunk)
    await worker.record(chunk, 0, "accepted", attempts=2)
    await worker.release(chunk, finished=False)

    answer = await cancel(tenant, notification_id)

    assert states(answer) == {"fcm": ("cancelled", "cancelled_by_caller", 2)}
    assert answer["devices"][0]["next_attempt_at"] is None


async def test_what_a_worker_holds_is_not_claimed_back(tenant: Tenant) -> None:
    await tenant.register()
    await tenant.register(platform="ios", push_token=APNS_TOKEN)
    notification_id, worker = await tenant.sent(), Worker(tenant.api)
    by_provider = {chunk.provider: chunk for chunk in await chunks_of(tenant, notification_id)}
    held = by_provider["fcm"]
    assert await worker.lease(held) is not None

    answer = await cancel(tenant, notification_id)

    assert answer["status"] == "pending"
    assert states(answer)["fcm"] == ("accepted", None, 0)
    assert states(answer)["apns"][0] == "cancelled"
    await worker.record(held, 0, "sent")
    await worker.release(held, finished=True)
    again = await cancel(tenant, notification_id)
    assert (again["status"], states(again)["fcm"]) == ("sent", ("sent", None, 1))


async def test_what_a_worker_gave_back_can_be_called_off_then(tenant: Tenant) -> None:
    await tenant.register()
    notification_id, worker = await tenant.sent(), Worker(tenant.api)
    (chunk,) = await chunks_of(tenant, notification_id)
    await worker.lease(chunk)
    assert (await cancel(tenant, notification_id))["status"] == "pending"
    await worker.record(chunk, 0, "accepted")
    await worker.release(chunk, finished=False)
    assert (await cancel(tenant, notification_id))["status"] == "cancelled"


async def test_others_of_the_same_bulk_go_on(tenant: Tenant) -> None:
    users = [tenant.user_id] + [await tenant.new_user() for _ in range(2)]
    for number, user in enumerate(users):
        await tenant.register(user, push_token=f"t{number}")
    made = (await tenant.bulk(*users)).json()["notification_ids"]
    assert len(await chunks_of(tenant, made[0])) == 1

    await cancel(tenant, made[1])

    statuses = [await tenant.status(notification_id) for notification_id in made]
    assert [status["status"] for status in statuses] == ["pending", "cancelled", "pending"]
    assert [states(status)["fcm"][0] for status in statuses] == [
        "accepted",
        "cancelled",
        "accepted",
    ]


async def test_what_was_sent_stays_sent_while_the_rest_is_called_off(tenant: Tenant) -> None:
    await tenant.register(push_token="one")
    await tenant.register(push_token="two")
    notification_id, worker = await tenant.sent(), Worker(tenant.api)
    (chunk,) = await chunks_of(tenant, notification_id)
    await worker.lease(chunk)
    await worker.record(chunk, 0, "sent")
    await worker.release(chunk, finished=False)

    answer = await cancel(tenant, notification_id)

    assert answer["status"] == "sent"
    assert [row["state"] for row in answer["devices"]] == ["sent", "cancelled"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("sent", "sent"),
        ("expired", "expired"),
        ("rejected", "failed"),
        ("unknown", "failed"),
        ("cancelled", "cancelled"),
    ],
)
async def test_what_is_over_does_not_change(tenant: Tenant, state: str, status: str) -> None:
    await tenant.register()
    notification_id, worker = await tenant.sent(), Worker(tenant.api)
    (chunk,) = await chunks_of(tenant, notification_id)
    await worker.record(chunk, 0, state)
    before = await tenant.status(notification_id)

    answer = await cancel(tenant, notification_id)

    assert before["status"] == status
    assert answer == before == await tenant.status(notification_id)


async def test_one_without_devices_stays_so(tenant: Tenant) -> None:
    notification_id = await tenant.sent()
    assert (await cancel(tenant, notification_id))["status"] == "no_devices"
    assert (await tenant.status(notification_id))["status"] == "no_devices"


async def test_a_worker_and_a_caller_never_both_have_it(tenant: Tenant) -> None:
    await tenant.register()
    worker = Worker(tenant.api)

    async def work(chunk: Chunk, pause: int) -> bool:
        """Whether it was sent: as a worker, only what nobody has settled."""
        for _ in range(pause * 3):
            await asyncio.sleep(0)
        leased = await worker.lease(chunk)
        assert leased is not None
        is_open = not leased.progress
        if is_open:
            await worker.record(chunk, 0, "sent")
        await worker.release(chunk, finished=True)
        return is_open

    for number in range(25):
        notification_id = await tenant.sent()
        (chunk,) = await chunks_of(tenant, notification_id)
        was_sent, answers = await asyncio.gather(
            work(chunk, number),
            asyncio.gather(*(cancel(tenant, notification_id) for _ in range(3))),
        )
        final = (await tenant.status(notification_id))["status"]
        assert final == ("sent" if was_sent else "cancelled")
        assert {answer["status"] for answer in answers} <= {final, "pending"}


async def test_many_at_once_are_all_called_off(tenant: Tenant) -> None:
    users = [tenant.user_id] + [await tenant.new_user() for _ in range(19)]
    for number, user in enumerate(users):
        await tenant.register(user, push_token=f"t{number}")
    made = (await tenant.bulk(*users)).json()["notification_ids"]
    answers = await asyncio.gather(*(cancel(tenant, n) for n in made))
    assert {answer["status"] for answer in answers} == {"cancelled"}


def anonymous(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    del body["trace_id"]
    return answer.status_code, json.dumps(body)


async def test_what_is_not_ones_own_cannot_be_called_off(api: Api, tenant: Tenant) -> None:
    other = await a_tenant(api)
    await other.register(push_token="other")
    theirs = await other.sent()
    await tenant.register()
    mine = await tenant.sent()
    beyond = UUID(int=UUID(mine).int + 1)
    chunk = ids.chunk_id(ids.send_id_of(UUID(mine)), 0)
    service, admin = api.service(tenant.app_id), api.user(tenant.app_id, roles=["admin"])
    refusals = [
        await caller.delete(f"/push/notifications/{part}")
        for caller in (service, admin)
        for part in (theirs, uuid4(), beyond, chunk, "x", "%00")
    ]
    bodies = {anonymous(answer) for answer in refusals}
    assert {status for status, _ in bodies} == {404}
    assert len(bodies) == 1
    assert (await other.status(theirs))["status"] == "pending"
    assert (await tenant.status(mine))["status"] == "pending"


async def test_who_may_call_off(api: Api, tenant: Tenant) -> None:
    await tenant.register()
    callers = {
        "user": (api.user(tenant.app_id, tenant.user_id), 403),
        "no scope": (api.service(tenant.app_id, "push:enroll"), 403),
        "admin": (api.user(tenant.app_id, roles=["admin"]), 200),
        "platform admin": (api.platform(), 200),
    }
    for who, (caller, status) in callers.items():
        answer = await caller.delete(f"/push/notifications/{await tenant.sent()}")
        assert answer.status_code == status, who
    anonymous_answer = await api.http.delete(f"/push/notifications/{await tenant.sent()}")
    assert anonymous_answer.status_code == 401
