"""What changes while a delivery waits for its turn counts: nothing goes out on old knowledge."""

from collections.abc import Awaitable, Callable, Sequence
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
from shared.providers.outcomes import Outcome, Sent
from shared.providers.registry import Adapters
from shared.queue.messages import Pointer
from shared.queue.publisher import Publication, Publisher
from shared.storage.devices import Registration
from shared.storage.mongo import Database
from tests.builders import NOW, a_chunk, a_content, a_send
from tests.integration.conftest import KEY
from worker.app import create_spine
from worker.credential_notes import CredentialNotes
from worker.delivery import Spine
from worker.holding import Holding
from worker.leasing import Leases
from worker.postponing import Postponer
from worker.records import Repositories, open_repositories
from worker.settings import WorkerSettings

ROUTING_KEY = "push.v1.pushy.hi"
USERS = 3


class Broker(Publisher):
    """Takes every message."""

    def __init__(self) -> None:
        super().__init__("amqp://127.0.0.1:1/", name="test")

    async def publish_all(self, messages: Sequence[Publication]) -> list[bool]:
        return [True] * len(messages)


class SlowFirst(Adapters):
    """A provider that takes all; while it has the first push, the world changes."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.pushed: list[tuple[UUID, Credential]] = []

    async def send(
        self,
        provider: Provider,  # noqa: ARG002
        notification: Notification,  # noqa: ARG002
        device: Device,
        credential: Credential,
    ) -> Outcome:
        self.pushed.append((device.device_id, credential))
        if len(self.pushed) == 1 and self.meanwhile is not None:
            await self.meanwhile()
        return Sent()


class Stage:
    """One chunk for three devices, and a worker with one slot."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.now: datetime = NOW
        self.app_id, self.users = uuid4(), [uuid4() for _ in range(USERS)]
        self.devices: list[UUID] = []
        self.adapters = SlowFirst()
        self.records: Repositories = open_repositories(database, keyring, self.clock)
        self.spine = self._spine()

    def clock(self) -> datetime:
        return self.now

    def _spine(self) -> Spine:
        settings = WorkerSettings(
            mode="local",
            mongo_url="mongodb://127.0.0.1:1",
            mongo_database="unused",
            amqp_url="amqp://127.0.0.1:1/",
            encryption_keys=(f"k1:{KEY}",),
            hash_key=KEY,
            worker_concurrency=1,
        )
        records = self.records
        return create_spine(
            settings,
            records,
            adapters=self.adapters,
            leases=Leases(records.chunks, "w"),
            postponer=Postponer(
                Broker(),
                records.due,
                self.clock,
                retry_levels=settings.retry_levels_seconds,
                hook_levels=settings.hook_levels_seconds,
            ),
            notes=CredentialNotes(records.credentials, records.due, self.clock),
            holding=Holding(records.holds, self.clock),
            clock=self.clock,
        )

    async def deliver(self, *, ttl_seconds: int) -> None:
        await self.records.apps.create(
            App(app_id=self.app_id, name="d", created_at=self.now, enabled=True), b"x"
        )
        await self.put_credential("old")
        for user_id in self.users:
            registration = Registration(
                user_id=user_id, platform="android", provider="pushy", token=f"t-{user_id}"
            )
            self.devices.append(await self.records.devices.register(self.app_id, registration))
        await self.spine.deliver(
            Pointer(chunk_id=await self._record(ttl_seconds), attempt=1), ROUTING_KEY
        )

    async def _record(self, ttl_seconds: int) -> UUID:
        send_id = ids.new_send_id(self.now)
        chunk = a_chunk(
            chunk_id=ids.chunk_id(send_id, 0),
            app_id=self.app_id,
            send_id=send_id,
            provider="pushy",
            targets=tuple(Target(i, device_id) for i, device_id in enumerate(self.devices)),
            expires_at=self.now + timedelta(seconds=ttl_seconds),
        )
        send = a_send(
            send_id=send_id,
            app_id=self.app_id,
            created_at=self.now,
            contents=(a_content(ttl_seconds=ttl_seconds),),
            recipients=tuple(Recipient(user_id, 0) for user_id in self.users),
            published=True,
        )
        await self.records.sends.insert(send, [chunk])
        self.send_id = send_id
        return chunk.chunk_id

    async def put_credential(self, api_key: str) -> None:
        await self.records.credentials.put(self.app_id, "pushy", PushyCredential(api_key=api_key))

    async def states(self) -> list[str]:
        [chunk] = await self.records.chunks.of_send(self.app_id, self.send_id)
        return [chunk.progress[index].state for index in range(USERS)]


@pytest.fixture
def stage(database: Database, keyring: Keyring) -> Stage:
    return Stage(database, keyring)


async def test_a_device_that_went_and_a_credential_that_changed_are_noticed(stage: Stage) -> None:
    async def meanwhile() -> None:
        await stage.records.devices.unregister(stage.app_id, stage.devices[2], user_id=None)
        await stage.put_credential("new")
        stage.now += timedelta(seconds=5)

    stage.adapters.meanwhile = meanwhile

    await stage.deliver(ttl_seconds=3_600)

    assert [(device, getattr(key, "api_key", "")) for device, key in stage.adapters.pushed] == [
        (stage.devices[0], "old"),
        (stage.devices[1], "new"),
    ]
    assert await stage.states() == ["sent", "sent", "unregistered"]


async def test_a_deadline_that_passed_is_noticed(stage: Stage) -> None:
    async def meanwhile() -> None:
        stage.now += timedelta(seconds=61)

    stage.adapters.meanwhile = meanwhile

    await stage.deliver(ttl_seconds=60)

    assert [device for device, _ in stage.adapters.pushed] == [stage.devices[0]]
    assert await stage.states() == ["sent", "expired", "expired"]
