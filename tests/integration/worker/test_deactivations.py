"""Apps are told which of their devices were deactivated: once each, also after a crash."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from shared.crypto.keyring import Keyring
from shared.queue.publisher import Publication, Publisher
from shared.storage.apps import AppRepository
from shared.storage.deactivations import DeactivationRepository
from shared.storage.devices import DeviceRepository, Registration
from shared.storage.due import DueRepository
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import Database
from shared.storage.receipts import ReceiptRepository
from shared.storage.sessions import SessionRepository
from tests.builders import APP_ID, NOW, USER_ID, an_app
from worker.deactivations import Deactivations
from worker.postponing import Postponer
from worker.receipt_book import ReceiptBook

Json = dict[str, Any]


class Killed(Exception):
    """The worker is gone."""


class Broker(Publisher):
    """Takes every message."""

    def __init__(self) -> None:
        super().__init__("amqp://127.0.0.1:1/", name="test")

    async def publish_all(self, messages: Any) -> list[bool]:
        sent: list[Publication] = list(messages)
        return [True] * len(sent)


class Stage:
    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database, self.now = database, NOW
        self.apps = AppRepository(database, keyring)
        self.devices = DeviceRepository(database, keyring, self.clock)
        self.sessions = SessionRepository(database, self.devices)
        self.notes = DeactivationRepository(database)

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def teller(self) -> Deactivations:
        """Another process."""
        postponer = Postponer(
            Broker(),
            DueRepository(self.database, self.clock),
            self.clock,
            retry_levels=(5.0,),
            hook_levels=(5.0,),
        )
        book = ReceiptBook(ReceiptRepository(self.database, self.clock), postponer, self.clock)
        leases = LeaseRepository(self.database)
        return Deactivations(leases, self.notes, self.apps, book, worker_id="w")

    async def register(self, token: str, user_id: UUID = USER_ID) -> UUID:
        return await self.devices.register(
            APP_ID,
            Registration(user_id=user_id, platform="android", provider="fcm", token=token),
        )

    async def deactivate(self, device_id: UUID, token: str, reason: str = "fcm:X") -> bool:
        return await self.devices.deactivate(
            APP_ID,
            device_id,
            token_hash=self.devices.token_hash(APP_ID, "fcm", token),
            registered_before=self.clock(),
            reason=reason,
        )

    async def receipts(self) -> list[Json]:
        calls = await self.database["receipts"].find({}, sort=[("first_seq", 1)])
        return [r for c in calls for r in msgspec.json.decode(c["body"])["data"]["receipts"]]


@pytest.fixture
async def stage(database: Database, keyring: Keyring) -> Stage:
    stage = Stage(database, keyring)
    await stage.apps.create(an_app(webhook_url="https://a.example/hook"), b"hash")
    return stage


async def test_a_deactivation_is_told_once(stage: Stage) -> None:
    device_id = await stage.register("t")
    await stage.deactivate(device_id, "t", "fcm:$UNREGISTERED")

    for _ in range(2):
        await stage.teller().tell()

    (receipt,) = await stage.receipts()
    assert {
        "seq": 1,
        "type": "device.deactivated",
        "notification_id": None,
        "device_id": str(device_id),
        "user_id": str(USER_ID),
        "platform": "android",
        "provider": "fcm",
        "state": "deactivated",
        "reason": "fcm:$UNREGISTERED",
    }.items() <= receipt.items()
    assert await stage.notes.untold(limit=10) == []


async def test_a_teller_that_dies_before_the_note_is_gone_tells_nothing_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.deactivate(await stage.register("t"), "t")

    async def die(_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(stage.notes, "told", die)
        with pytest.raises(Killed):
            await stage.teller().tell()
    await stage.teller().tell()

    assert len(await stage.receipts()) == 1


async def test_a_device_that_is_back_under_another_user_is_told_as_it_was(stage: Stage) -> None:
    other = uuid4()
    device_id = await stage.register("t")
    await stage.deactivate(device_id, "t", "fcm:one")
    await stage.register("t", other)
    await stage.deactivate(device_id, "t", "fcm:two")

    await stage.teller().tell()

    told = [(r["user_id"], r["reason"]) for r in await stage.receipts()]
    assert told == [(str(USER_ID), "fcm:one"), (str(other), "fcm:two")]


async def test_a_note_that_comes_meanwhile_is_not_lost(stage: Stage) -> None:
    device_id = await stage.register("t")
    await stage.deactivate(device_id, "t", "fcm:one")
    read = await stage.notes.untold(limit=10)
    await stage.register("t")
    await stage.deactivate(device_id, "t", "fcm:two")

    await stage.notes.told(read)
    await stage.teller().tell()

    assert [r["reason"] for r in await stage.receipts()] == ["fcm:one", "fcm:two"]


async def test_devices_beyond_the_cap_and_ended_sessions_are_told(stage: Stage) -> None:
    for number in range(51):
        await stage.register(f"t{number}")
    user_id = uuid4()
    for token in ("p1", "p2"):
        await stage.sessions.begin(
            APP_ID,
            Registration(user_id=user_id, platform="android", provider="pushy", token=token),
        )

    await stage.teller().tell()

    reasons = sorted(r["reason"] for r in await stage.receipts())
    assert reasons == ["other_session", "too_many_devices"]


async def test_a_device_that_its_app_or_user_took_away_is_not_told(stage: Stage) -> None:
    device_id = await stage.register("t")
    await stage.devices.unregister(APP_ID, device_id, user_id=None)

    await stage.teller().tell()

    assert await stage.receipts() == []


@pytest.mark.parametrize(("choice", "count"), [("all", 1), ("failures", 1), ("none", 0)])
async def test_an_app_is_told_what_it_wants(stage: Stage, choice: str, count: int) -> None:
    await stage.apps.update(APP_ID, {"receipts": choice})
    await stage.deactivate(await stage.register("t"), "t")

    await stage.teller().tell()

    assert len(await stage.receipts()) == count
    assert await stage.notes.untold(limit=10) == []
