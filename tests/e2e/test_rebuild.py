"""A broker that lost everything is filled again from the record."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID, uuid4

import aio_pika

from deploy.local.environment import process_environment
from shared import ids
from shared.queue.topology import work_queue
from tests.e2e.records import open_record
from tests.e2e.system import System
from tests.e2e.tenant import Tenant
from tests.eventually import eventually


async def test_what_a_wiped_queue_held_is_sent_after_a_rebuild(
    system: System, tenant: Tenant
) -> None:
    for worker in system.workers:
        if worker.is_running:
            worker.stop()
    users = [str(uuid4()) for _ in range(5)]
    for user_id in users:
        await tenant.register(user_id, "fcm")
    sent = [await tenant.send(user_id) for user_id in users]

    async def all_are_published() -> bool:
        async with open_record(system) as database:
            open_ids = await database["sends"].find({"published": False}, projection={"_id": 1})
        return not {d["_id"] for d in open_ids} & {ids.send_id_of(UUID(n)) for n in sent}

    await eventually(all_are_published)
    connection = await aio_pika.connect(system.settings["FANFARE_AMQP_URL"])
    async with connection:
        queue = await (await connection.channel()).get_queue(work_queue("fcm", "hi"))
        await queue.purge()

    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("fanfare"),
        "rebuild",
        env=process_environment(system.settings),
    )
    assert await process.wait() == 0
    system.start_worker()

    for notification_id in sent:
        assert (await tenant.settled(notification_id))["status"] == "sent"
        assert len(await tenant.seen("fcm", notification_id)) == 1
