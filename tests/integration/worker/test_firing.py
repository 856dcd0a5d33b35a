"""Firing against real servers: what cannot be read or fired keeps no other from its time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from shared import ids
from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.domain.sends import Send
from shared.queue.connection import migrate
from shared.queue.publisher import Publisher
from shared.queue.topology import topology
from shared.storage.devices import DeviceRepository, Registration
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.firings import FiringRepository
from shared.storage.mongo import Database
from shared.storage.sends import SendRepository
from tests.builders import APP_ID, USER_ID, a_content, a_send
from worker import firing
from worker.firing import PUT_OFF_FOR, Firings

LEVELS = (5.0, 30.0)
DUE = utc_now() + timedelta(days=1)


class Fired:
    """Sends that are due, and a worker that fires them at an instant of the test's."""

    def __init__(self, database: Database, keyring: Keyring, publisher: Publisher) -> None:
        self.database, self.now = database, DUE
        self.sends = SendRepository(database)
        self.devices = DeviceRepository(database, keyring, utc_now)
        self.enrolments = EnrolmentRepository(database, utc_now)
        self.firings = Firings(
            FiringRepository(database),
            self.sends,
            self.devices,
            self.enrolments,
            publisher=publisher,
            clock=self._clock,
        )

    def _clock(self) -> datetime:
        return self.now

    async def a_due_send(self) -> UUID:
        send: Send = a_send(
            send_id=ids.new_send_id(utc_now()),
            contents=(a_content(send_at=DUE),),
            due_at=DUE,
            delivery_count=0,
            chunk_count=0,
            published=True,
        )
        await self.sends.insert(send, [])
        return send.send_id

    async def chunks_of(self, send_id: UUID) -> int:
        return await self.database["chunks"].count({"send_id": send_id})


@pytest.fixture
async def fired(database: Database, keyring: Keyring, amqp_url: str) -> AsyncIterator[Fired]:
    await migrate(amqp_url, topology(LEVELS, LEVELS))
    async with firing_through(amqp_url, database, keyring) as fired:
        yield fired


@asynccontextmanager
async def firing_through(
    amqp_url: str, database: Database, keyring: Keyring
) -> AsyncIterator[Fired]:
    """A worker and one enrolled user with one device."""
    publisher = Publisher(amqp_url, name="test")
    fired = Fired(database, keyring, publisher)
    await fired.enrolments.enroll(APP_ID, [USER_ID])
    device = Registration(user_id=USER_ID, platform="android", provider="fcm", token="t")
    await fired.devices.register(APP_ID, device)
    yield fired
    await publisher.aclose()


async def test_what_is_due_fires_and_is_published(fired: Fired) -> None:
    send_id = await fired.a_due_send()

    await fired.firings.tick()

    send = await fired.sends.get(APP_ID, send_id)
    assert send is not None
    assert (send.due_at, send.chunk_count, send.published) == (None, 1, True)
    assert await fired.chunks_of(send_id) == 1


async def test_what_the_queue_does_not_take_is_left_to_the_sweeper(
    database: Database, keyring: Keyring, amqp_url: str
) -> None:
    async with firing_through(amqp_url, database, keyring) as fired:  # nothing is declared there
        send_id = await fired.a_due_send()

        await fired.firings.tick()

        send = await fired.sends.get(APP_ID, send_id)
        assert send is not None
        assert (send.due_at, send.chunk_count, send.published) == (None, 1, False)
        waiting = await fired.sends.unpublished(
            accepted_before=send.created_at + timedelta(seconds=1), skip=0, limit=9
        )
        assert waiting == [send_id]


@pytest.mark.parametrize("damage", [{"content_of": [7]}, {"contents": [b"\xc1"]}, {"parts": 1}])
async def test_a_damaged_send_keeps_no_other_from_firing(
    fired: Fired, damage: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "_PAGE", 3)
    damaged = [await fired.a_due_send() for _ in range(3)]
    change = {"contents": []} | damage if "parts" in damage else damage
    await fired.database["sends"].update_many({"_id": {"$in": damaged}}, {"$set": change})
    good = await fired.a_due_send()

    await fired.firings.tick()
    await fired.firings.tick()

    assert await fired.chunks_of(good) == 1
    assert [await fired.chunks_of(send_id) for send_id in damaged] == [0, 0, 0]


async def test_what_was_put_off_is_tried_again(fired: Fired) -> None:
    send_id = await fired.a_due_send()
    await fired.database["sends"].update_one({"_id": send_id}, {"$set": {"content_of": [7]}})
    await fired.firings.tick()
    await fired.database["sends"].update_one({"_id": send_id}, {"$set": {"content_of": [0]}})

    await fired.firings.tick()
    assert await fired.chunks_of(send_id) == 0

    fired.now += PUT_OFF_FOR
    await fired.firings.tick()
    assert await fired.chunks_of(send_id) == 1
