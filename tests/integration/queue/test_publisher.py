"""Publishing: confirmed means there; everything else is said to be unknown, and soon."""

import asyncio

import aio_pika
import pytest

from shared.queue.connection import QueueUnavailable, TopologyWrong, migrate, verify
from shared.queue.publisher import Publication, Publisher
from shared.queue.topology import DEAD_QUEUE, WORK, retry_exchange, topology, work_queue
from tests.eventually import eventually
from tests.servers import Servers

LEVELS = (0.2, 0.5)


def a_publication(exchange: str = WORK, routing_key: str = "fcm.hi") -> Publication:
    return Publication(exchange=exchange, routing_key=routing_key, body=b"body")


async def messages_in(url: str, queue_name: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
    connection = await aio_pika.connect(url)
    async with connection:
        queue = await (await connection.channel()).get_queue(queue_name, ensure=True)
        found = []
        while (message := await queue.get(fail=False)) is not None:
            found.append(message)
        return found


async def test_a_confirmed_message_is_in_the_queue_and_persistent(amqp_url: str) -> None:
    await migrate(amqp_url, topology(LEVELS, LEVELS))
    publisher = Publisher(amqp_url, name="test")

    verdicts = await publisher.publish_all([a_publication() for _ in range(50)])
    await publisher.aclose()

    found = await messages_in(amqp_url, work_queue("fcm", "hi"))
    assert verdicts == [True] * 50
    assert len(found) == 50
    assert {m.delivery_mode for m in found} == {aio_pika.DeliveryMode.PERSISTENT}


async def test_an_unroutable_message_is_not_confirmed(amqp_url: str) -> None:
    await migrate(amqp_url, topology(LEVELS, LEVELS))
    publisher = Publisher(amqp_url, name="test")

    assert not await publisher.publish(a_publication(routing_key="nobody"))
    assert not await publisher.publish(a_publication(exchange="absent"))
    assert await publisher.publish(a_publication())
    await publisher.aclose()


async def test_a_retry_level_hands_back_under_the_same_routing_key(amqp_url: str) -> None:
    await migrate(amqp_url, topology(LEVELS, LEVELS))
    publisher = Publisher(amqp_url, name="test")

    assert await publisher.publish(a_publication(retry_exchange(0.2), "apns.lo"))
    await publisher.aclose()

    async def look() -> list[aio_pika.abc.AbstractIncomingMessage]:
        return await messages_in(amqp_url, work_queue("apns", "lo"))

    (message,) = await eventually(look)
    assert message.body == b"body"


async def test_publishing_without_a_broker_fails_soon_and_works_again_later(
    servers: Servers, amqp_url: str
) -> None:
    await migrate(amqp_url, topology(LEVELS, LEVELS))
    publisher = Publisher(amqp_url, name="test")
    assert await publisher.publish(a_publication())
    await asyncio.to_thread(servers.rabbitmq.kill)

    async with asyncio.timeout(10):
        down = await publisher.publish_all([a_publication() for _ in range(20)])
    await asyncio.to_thread(servers.rabbitmq.start)

    async def published() -> bool:
        return await publisher.publish(a_publication())

    assert down == [False] * 20
    assert await eventually(published)
    await publisher.aclose()
    assert len(await messages_in(amqp_url, work_queue("fcm", "hi"))) == 2


async def test_migrating_twice_is_fine_and_other_arguments_are_noticed(amqp_url: str) -> None:
    await migrate(amqp_url, topology(LEVELS, LEVELS))
    await migrate(amqp_url, topology(LEVELS, LEVELS))
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        await channel.queue_delete(DEAD_QUEUE)
        await channel.declare_queue(DEAD_QUEUE, durable=True)

    with pytest.raises(TopologyWrong, match="inequivalent"):
        await migrate(amqp_url, topology(LEVELS, LEVELS))
    with pytest.raises(TopologyWrong, match="inequivalent"):
        await Publisher(amqp_url, name="test").open(topology(LEVELS, LEVELS))


async def test_a_user_without_rights_to_configure_sees_what_is_missing(servers: Servers) -> None:
    vhost = "test-rights"
    admin_url = servers.rabbitmq.create_vhost(vhost)
    pattern = r"^(push|hook)\.v1\..*"
    url = servers.rabbitmq.create_user("plain", "secret", vhost, write=pattern, read=pattern)
    connection = await aio_pika.connect(url)
    async with connection:
        with pytest.raises(QueueUnavailable, match="missing: run `fanfare migrate`"):
            await verify(connection, topology(LEVELS, LEVELS))

        await migrate(admin_url, topology(LEVELS, LEVELS))

        await verify(connection, topology(LEVELS, LEVELS))
