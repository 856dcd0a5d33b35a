"""What is parked waits in one row, however often it is looked at, published or parked again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shared import ids
from shared.crypto.keyring import Keyring
from shared.domain.apps import App
from shared.domain.credentials import Credential, PushyCredential
from shared.domain.deliveries import Target
from shared.domain.devices import Device, Provider
from shared.domain.notifications import Notification
from shared.domain.sends import Recipient
from shared.providers.outcomes import Misconfigured, Outcome, Sent
from shared.providers.registry import Adapters
from shared.queue.messages import ANY_ATTEMPT, Pointer, decode_push
from shared.queue.publisher import Publication, Publisher
from shared.storage.devices import Registration
from shared.storage.mongo import Database
from tests.builders import NOW, a_chunk, a_content, a_send
from tests.integration.conftest import KEY
from worker import scheduler as scheduling
from worker.app import create_spine
from worker.credential_notes import CredentialNotes
from worker.holding import Holding
from worker.leasing import Leases
from worker.postponing import Postponer
from worker.records import open_repositories
from worker.retry import PARK_SECONDS_MAX
from worker.scheduler import Records, Scheduler
from worker.settings import WorkerSettings

ROUTING_KEY = "push.v1.pushy.hi"
USERS = 3


class Broker(Publisher):
    """Takes every message."""

    def __init__(self) -> None:
        super().__init__("amqp://127.0.0.1:1/", name="test")
        self.taken: list[Publication] = []

    async def publish_all(self, messages: Sequence[Publication]) -> list[bool]:
        self.taken += messages
        return [True] * len(messages)


class Wrong(Adapters):
    """A provider that refuses the credential."""

    def __init__(self) -> None:
        self.outcome: Outcome = Misconfigured("bad_key")
        self.asked: list[UUID] = []

    async def send(
        self,
        provider: Provider,  # noqa: ARG002
        notification: Notification,  # noqa: ARG002
        device: Device,
        credential: Credential,  # noqa: ARG002
    ) -> Outcome:
        self.asked.append(device.device_id)
        return self.outcome


class Stage:
    """One chunk for three devices, parked, and a worker."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.now, self.database = NOW, database
        self.adapters, self.broker = Wrong(), Broker()
        self.records = open_repositories(database, keyring, self.clock)
        settings = WorkerSettings(
            mode="local",
            mongo_url="mongodb://127.0.0.1:1",
            mongo_database="unused",
            amqp_url="amqp://127.0.0.1:1/",
            encryption_keys=(f"k1:{KEY}",),
            hash_key=KEY,
        )
        self.spine = create_spine(
            settings,
            self.records,
            adapters=self.adapters,
            leases=Leases(self.records.chunks, "w"),
            postponer=Postponer(
                self.broker,
                self.records.due,
                self.clock,
                retry_levels=settings.retry_levels_seconds,
                hook_levels=settings.hook_levels_seconds,
            ),
            notes=CredentialNotes(self.records.credentials, self.records.due, self.clock),
            holding=Holding(self.records.holds, self.clock),
            clock=self.clock,
        )

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def scheduler(self, worker_id: str, broker: Broker | None = None) -> Scheduler:
        """Another process."""
        names = Records.__struct_fields__
        records = Records(**{name: getattr(self.records, name) for name in names})
        publisher = broker or self.broker
        return Scheduler(
            records, publisher, self.clock, worker_id=worker_id, sweep_after_seconds=60
        )

    async def park(self) -> UUID:
        app_id, users, send_id = uuid4(), [uuid4() for _ in range(USERS)], ids.new_send_id(NOW)
        app = App(app_id=app_id, name="a", created_at=NOW, enabled=True)
        await self.records.apps.create(app, b"x")
        await self.records.credentials.put(app_id, "pushy", PushyCredential(api_key="k"))
        devices = [
            await self.records.devices.register(
                app_id,
                Registration(user_id=u, platform="android", provider="pushy", token=f"t{u}"),
            )
            for u in users
        ]
        chunk = a_chunk(
            chunk_id=ids.chunk_id(send_id, 0),
            app_id=app_id,
            send_id=send_id,
            provider="pushy",
            targets=tuple(Target(n, device) for n, device in enumerate(devices)),
            expires_at=NOW + timedelta(days=1),
        )
        content = a_content(ttl_seconds=86_400)
        send = a_send(
            send_id=send_id,
            app_id=app_id,
            created_at=NOW,
            contents=(content,),
            recipients=tuple(Recipient(user, 0) for user in users),
            published=True,
        )
        await self.records.sends.insert(send, [chunk])
        await self.spine.deliver(Pointer(chunk_id=chunk.chunk_id), ROUTING_KEY)
        return chunk.chunk_id

    async def deliver(self, messages: Sequence[Publication]) -> None:
        for body in [message.body for message in messages]:
            message = decode_push(body)
            assert message is not None
            for pointer in message.pointers:
                await self.spine.deliver(pointer, ROUTING_KEY)

    async def rows(self) -> int:
        return await self.database["due"].count({})


@pytest.fixture
def stage(database: Database, keyring: Keyring) -> Stage:
    return Stage(database, keyring)


async def test_looks_at_a_parked_chunk_leave_one_row(stage: Stage) -> None:
    chunk_id = await stage.park()

    for _ in range(5):
        stage.now += timedelta(seconds=3)
        await stage.spine.deliver(Pointer(chunk_id=chunk_id, attempt=ANY_ATTEMPT), ROUTING_KEY)

    assert await stage.rows() == 1


async def test_copies_of_a_parked_message_are_one_again_once_they_are_parked(stage: Stage) -> None:
    await stage.park()
    stage.now += timedelta(seconds=PARK_SECONDS_MAX)
    await stage.scheduler("a").tick()

    await stage.deliver(3 * stage.broker.taken)

    assert await stage.rows() == 1


async def test_what_is_parked_again_before_its_row_is_removed_stays(stage: Stage) -> None:
    class Fast(Broker):
        async def publish_all(self, messages: Sequence[Publication]) -> list[bool]:
            await stage.deliver(messages)
            return await super().publish_all(messages)

    broker = Fast()
    await stage.park()
    stage.now += timedelta(seconds=PARK_SECONDS_MAX)

    await stage.scheduler("a", broker).tick()

    assert (len(broker.taken), await stage.rows()) == (1, 1)


async def test_what_looks_lose_with_the_queue_is_parked_again(stage: Stage) -> None:
    chunk_id = await stage.park()
    await stage.database["due"].delete_many({})

    await stage.spine.deliver(Pointer(chunk_id=chunk_id, attempt=ANY_ATTEMPT), ROUTING_KEY)

    assert await stage.rows() == 1


async def test_each_device_gets_its_push_once_when_the_credential_works_again(
    stage: Stage,
) -> None:
    chunk_id = await stage.park()
    await stage.spine.deliver(Pointer(chunk_id=chunk_id, attempt=ANY_ATTEMPT), ROUTING_KEY)
    stage.adapters.outcome, stage.adapters.asked = Sent(), []
    stage.now += timedelta(seconds=PARK_SECONDS_MAX)

    await stage.scheduler("a").tick()
    await stage.deliver(3 * stage.broker.taken)

    assert (len(set(stage.adapters.asked)), len(stage.adapters.asked)) == (USERS, USERS)
    assert await stage.rows() == 0


async def test_a_scheduler_stops_when_another_one_has_taken_the_lead(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Broker):
        async def publish_all(self, messages: Sequence[Publication]) -> list[bool]:
            await stage.records.leases.release("scheduler", "a")  # as if it had run out
            await stage.records.leases.acquire("scheduler", "b", seconds=10)
            return await super().publish_all(messages)

    monkeypatch.setattr(scheduling, "_PAGE", 1)
    broker = Slow()
    for _ in range(3):
        await stage.park()
    stage.now += timedelta(seconds=PARK_SECONDS_MAX)

    await stage.scheduler("a", broker).tick()

    assert (len(broker.taken), await stage.rows()) == (1, 2)
