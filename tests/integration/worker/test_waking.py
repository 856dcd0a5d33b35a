"""Waking what is parked: by whichever scheduler leads next, whatever was done before it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from shared.crypto.keyring import Keyring
from shared.domain.credentials import PushyCredential
from shared.queue.publisher import Publication, Publisher
from shared.storage.chunks import ChunkRepository
from shared.storage.credentials import CredentialRepository
from shared.storage.deletions import DeletionRepository
from shared.storage.due import DueMessage, DueRepository, Parked
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import Database
from shared.storage.receipt_calls import ReceiptCallRepository
from shared.storage.sends import SendRepository
from tests.builders import APP_ID, NOW
from worker.retry import PARK_SECONDS_MAX
from worker.scheduler import CHANGED_LATELY, Records, Scheduler


class Killed(Exception):
    """The worker is gone."""


class Broker(Publisher):
    """Takes every message, or dies while it does."""

    def __init__(self) -> None:
        super().__init__("amqp://127.0.0.1:1/", name="test")
        self.taken: list[bytes] = []
        self.dies = False

    async def publish_all(self, messages: Sequence[Publication]) -> list[bool]:
        self.taken += [message.body for message in messages]
        if self.dies:
            raise Killed
        return [True] * len(messages)


class Stage:
    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.now: datetime = NOW
        self.database, self.broker = database, Broker()
        self.due = DueRepository(database, self.clock)
        self.credentials = CredentialRepository(database, keyring, self.clock)

    def clock(self) -> datetime:
        return self.now

    def scheduler(self) -> Scheduler:
        """Another process."""
        records = Records(
            credentials=self.credentials,
            deletions=DeletionRepository(self.database),
            leases=LeaseRepository(self.database),
            due=self.due,
            sends=SendRepository(self.database),
            chunks=ChunkRepository(self.database),
            receipt_calls=ReceiptCallRepository(self.database),
        )
        return Scheduler(records, self.broker, self.clock, worker_id="w", sweep_after_seconds=60)

    async def credential(self, key: str) -> str:
        summary = await self.credentials.put(APP_ID, "pushy", PushyCredential(api_key=key))
        return summary.fingerprint

    async def park(self, body: bytes, refused: str) -> None:
        row = DueMessage(
            due_at=self.now + timedelta(seconds=PARK_SECONDS_MAX),
            exchange="x",
            routing_key="k",
            body=body,
            parked=Parked(APP_ID, "pushy", refused),
        )
        await self.due.add([row])

    async def left(self) -> int:
        return await self.database["due"].count({})


@pytest.fixture
def stage(database: Database, keyring: Keyring) -> Stage:
    return Stage(database, keyring)


async def test_nothing_moves_until_the_credential_changes(stage: Stage) -> None:
    await stage.park(b"a", await stage.credential("wrong"))
    scheduler = stage.scheduler()
    await scheduler.tick()
    assert stage.broker.taken == []

    await stage.credential("right")
    await scheduler.tick()

    assert (stage.broker.taken, await stage.left()) == ([b"a"], 0)


async def test_what_is_parked_just_after_the_change_is_woken_too(stage: Stage) -> None:
    old = await stage.credential("wrong")
    await stage.credential("right")
    await stage.scheduler().tick()
    stage.now += timedelta(seconds=20)

    await stage.park(b"late", old)
    await stage.scheduler().tick()

    assert stage.broker.taken == [b"late"]


async def test_a_scheduler_killed_between_waking_and_publishing_loses_nothing(
    stage: Stage,
) -> None:
    for number in range(3):
        await stage.park(b"%d" % number, "")
    await stage.credential("right")
    stage.broker.dies = True
    with pytest.raises(Killed):
        await stage.scheduler().tick()
    stage.broker.dies, stage.broker.taken = False, []

    await stage.scheduler().tick()

    assert (sorted(stage.broker.taken), await stage.left()) == ([b"0", b"1", b"2"], 0)


async def test_a_change_while_nobody_led_is_seen_before_its_rows_look_by_themselves(
    stage: Stage,
) -> None:
    await stage.park(b"a", "")
    await stage.credential("right")
    stage.now += timedelta(seconds=PARK_SECONDS_MAX - 1)

    await stage.scheduler().tick()

    assert stage.broker.taken == [b"a"]
    assert CHANGED_LATELY.total_seconds() > PARK_SECONDS_MAX
