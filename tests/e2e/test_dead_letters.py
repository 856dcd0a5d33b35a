"""What ends among the dead letters, and that it takes no neighbour along."""

from uuid import UUID, uuid4

import aio_pika

from shared.queue.topology import WORK
from shared.storage.dead_letters import DeadLetter, DeadLetterRepository
from tests.e2e.records import open_record
from tests.e2e.system import System
from tests.e2e.tenant import Tenant
from tests.eventually import eventually

LIST = "/push/dead-letters"


async def dead_letters(system: System, tenant: Tenant) -> list[DeadLetter]:
    async with open_record(system) as database:
        return await DeadLetterRepository(database).of_app(UUID(tenant.app_id))


async def test_a_rejected_delivery_is_dead_lettered_once(system: System, tenant: Tenant) -> None:
    user_id = str(uuid4())
    device_id = await tenant.register(user_id, "apns")
    title = f"dead-{user_id}"
    await tenant.script(
        "apns",
        {"kind": "answer", "status": 413, "reason": "PayloadTooLarge"},
        match={"title": title},
    )

    notification_id = await tenant.send(user_id, title=title)

    await tenant.settled(notification_id)
    (letter,) = await dead_letters(system, tenant)
    assert str(letter.notification_id) == notification_id
    assert str(letter.device_id) == device_id
    assert (letter.provider, letter.reason, letter.attempts) == ("apns", "PayloadTooLarge", 1)


async def test_a_dead_letter_is_listed_for_its_apps_admin_and_discarded(tenant: Tenant) -> None:
    user_id = str(uuid4())
    device_id = await tenant.register(user_id, "apns")
    title = f"dead-{user_id}"
    await tenant.script(
        "apns",
        {"kind": "answer", "status": 413, "reason": "PayloadTooLarge"},
        match={"title": title},
    )
    notification_id = await tenant.send(user_id, title=title)
    await tenant.settled(notification_id)
    admin = tenant.token(aud=tenant.app_id, roles=["admin"])

    (row,) = (await tenant.call("GET", LIST, token=admin))["dead_letters"]

    assert (row["notification_id"], row["device_id"]) == (notification_id, device_id)
    shown = await tenant.call("GET", f"{LIST}/{row['dead_letter_id']}", token=admin)
    assert shown["delivery"]["state"] == "rejected"
    stranger = tenant.token(aud=str(uuid4()), roles=["admin"])
    await tenant.call("GET", f"{LIST}?app_id={tenant.app_id}", token=stranger, status=403)
    await tenant.call("GET", f"{LIST}/{row['dead_letter_id']}", token=stranger, status=404)
    chosen = {"filter": {"reason": "PayloadTooLarge"}}
    counts = [
        await tenant.call("POST", f"{LIST}/discard", token=admin, body=chosen) for _ in range(2)
    ]
    assert [count["discarded"] for count in counts] == [1, 0]
    assert (await tenant.call("GET", LIST, token=admin))["dead_letters"] == []


async def test_dead_tokens_and_expired_pushes_are_not_dead_letters(
    system: System, tenant: Tenant
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm", f"dead-{uuid4().hex}")
    title = f"expired-{user_id}"
    await tenant.register(user_id, "pushy")
    await tenant.script(
        "pushy",
        {"kind": "answer", "status": 500, "reason": "INTERNAL_SERVER_ERROR"},
        match={"title": title},
        times=None,
    )

    status = await tenant.settled(await tenant.send(user_id, title=title, ttl=1))

    assert {row["state"] for row in status["devices"]} == {"unregistered", "expired"}
    assert await dead_letters(system, tenant) == []


async def test_an_unreadable_message_is_kept_and_its_neighbours_are_delivered(
    system: System, tenant: Tenant
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    garbage = f"not a message {uuid4()}".encode()
    connection = await aio_pika.connect(system.settings["FANFARE_AMQP_URL"])
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        work = await channel.get_exchange(WORK)
        message = aio_pika.Message(garbage, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await work.publish(message, "fcm.hi")

    status = await tenant.settled(await tenant.send(user_id))

    assert status["status"] == "sent"

    async def kept() -> bool:
        async with open_record(system) as database:
            letter = await database["dead_letters"].find_one({"raw": garbage})
        return letter is not None and letter["reason"] == "unreadable"

    await eventually(kept)
    query = f"{LIST}?reason=unreadable"
    rows = (await tenant.call("GET", query, token=tenant.admin()))["dead_letters"]
    assert rows[0]["app_id"] is None
    admin = tenant.token(aud=tenant.app_id, roles=["admin"])
    assert (await tenant.call("GET", query, token=admin))["dead_letters"] == []
    path = f"{LIST}/{rows[0]['dead_letter_id']}"
    await tenant.call("GET", path, token=tenant.admin())
    await tenant.call("GET", path, token=admin, status=404)
