"""Chunks whose workers keep dying are isolated, and at last given up, without their neighbours."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import pytest

from shared import ids
from shared.queue.messages import Pointer
from shared.queue.pointers import single
from shared.queue.topology import SUSPECT_KEY, WORK, work_queue
from shared.storage.dead_letters import DeadLetterRepository
from tests.e2e.records import open_record
from tests.e2e.system import System
from tests.e2e.tenant import Tenant

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def no_worker(system: System) -> None:
    for worker in system.workers:
        if worker.is_running:
            worker.stop()


async def left_by_dead_workers(system: System, chunk_id: UUID, times: int) -> None:
    """As the chunk stands when so many workers have died over it."""
    change: dict[str, Any] = {
        "lease_owner": "gone",
        "lease_until": LONG_AGO,
        "times_left": times - 1,
    }
    async with open_record(system) as database:
        assert await database["chunks"].update_one({"_id": chunk_id}, {"$set": change})


@pytest.mark.usefixtures("no_worker")
async def test_a_chunk_that_outlived_three_workers_is_tried_alone(
    system: System, tenant: Tenant
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    notification_id = await tenant.send(user_id)
    await left_by_dead_workers(system, ids.chunk_id(UUID(notification_id), 0), times=3)

    system.start_worker()

    assert (await tenant.settled(notification_id))["status"] == "sent"
    assert len(await tenant.seen("fcm", notification_id)) == 1
    assert "chunk.isolated" in system.logs()


@pytest.mark.usefixtures("no_worker")
async def test_a_chunk_that_outlives_workers_alone_is_given_up(
    system: System, tenant: Tenant
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    notification_id = await tenant.send(user_id)
    chunk_id = ids.chunk_id(UUID(notification_id), 0)
    await left_by_dead_workers(system, chunk_id, times=2)
    connection = await aio_pika.connect(system.settings["FANFARE_AMQP_URL"])
    async with connection:
        channel = await connection.channel()
        await (await channel.get_queue(work_queue("fcm", "hi"))).purge()
        message = aio_pika.Message(single(Pointer(chunk_id=chunk_id), SUSPECT_KEY).body)
        await (await channel.get_exchange(WORK)).publish(message, SUSPECT_KEY)

    system.start_worker()

    row = (await tenant.settled(notification_id))["devices"][0]
    assert (row["state"], row["reason"], row["attempts"]) == ("exhausted", "poison", 0)
    assert (await tenant.receipts(notification_id))[0]["state"] == "exhausted"
    async with open_record(system) as database:
        letters = await DeadLetterRepository(database).of_app(UUID(tenant.app_id))
    assert [letter.reason for letter in letters] == ["poison"]
    assert await tenant.seen("fcm", notification_id) == []
