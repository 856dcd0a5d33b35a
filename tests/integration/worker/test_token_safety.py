"""A small app keeps its devices while nothing shows that its set-up ever worked."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shared.crypto.keyring import Keyring
from shared.domain.credentials import PushyCredential
from shared.domain.devices import Device
from shared.providers.outcomes import Sent
from shared.storage.credentials import CredentialRepository
from shared.storage.devices import DeviceFilter, DeviceRepository, Registration
from shared.storage.due import DueRepository
from shared.storage.holds import HoldRepository
from shared.storage.mongo import Database
from tests.builders import APP_ID, NOW
from worker.credential_notes import CredentialNotes
from worker.holding import Holding
from worker.retry import Settle
from worker.token_safety import SUSPICIONS_MAX, WORKED_LATELY, TokenSafety

DEVICES = 5
SENT = Settle(state="sent")
SUSPECT = Settle(state="rejected", reason="SENDER_ID_MISMATCH", on_device="suspect")
UNREGISTERED = Settle(state="unregistered", reason="Unregistered", on_device="deactivate")


class Stage:
    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database, self.now = database, NOW
        self.devices = DeviceRepository(database, keyring, self.clock)
        self.credentials = CredentialRepository(database, keyring, self.clock)
        self.notes = CredentialNotes(
            self.credentials, DueRepository(database, self.clock), self.clock
        )

    def clock(self) -> datetime:
        return self.now

    async def set_up(self, api_key: str) -> str:
        stored = await self.credentials.put(APP_ID, "pushy", PushyCredential(api_key=api_key))
        return stored.fingerprint

    async def gather(self) -> list[UUID]:
        return [
            await self.devices.register(
                APP_ID,
                Registration(user_id=uuid4(), platform="android", provider="pushy", token=f"t{n}"),
            )
            for n in range(DEVICES)
        ]

    def worker(self) -> "Worker":
        return Worker(self)

    async def active(self) -> int:
        return await self.devices.count(APP_ID, DeviceFilter(active=True))


class Worker:
    """Another process."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        holding = Holding(HoldRepository(stage.database), stage.clock)
        self.safety = TokenSafety(stage.devices, stage.credentials, holding, stage.clock)

    async def answered(self, step: Settle, device_id: UUID, credential: str) -> None:
        device = await self.stage.devices.get(APP_ID, device_id)
        assert isinstance(device, Device)
        await self.safety.apply(step, device, credential, self.stage.now)


@pytest.fixture
def stage(database: Database, keyring: Keyring) -> Stage:
    return Stage(database, keyring)


async def test_suspects_stay_while_the_credential_never_worked(stage: Stage) -> None:
    credential, devices = await stage.set_up("wrong"), await stage.gather()
    worker = stage.worker()

    for _ in range(2 * SUSPICIONS_MAX):
        for device_id in devices:
            await worker.answered(SUSPECT, device_id, credential)

    assert await stage.active() == DEVICES


async def test_a_success_of_another_credential_says_nothing_of_this_one(stage: Stage) -> None:
    devices, worker = await stage.gather(), stage.worker()
    right = await stage.set_up("right")
    await worker.answered(SENT, devices[0], right)
    wrong = await stage.set_up("wrong")

    for _ in range(2 * SUSPICIONS_MAX):
        for device_id in devices:
            await worker.answered(SUSPECT, device_id, wrong)

    assert await stage.active() == DEVICES


async def test_a_token_that_its_provider_calls_dead_goes_all_the_same(stage: Stage) -> None:
    credential, devices = await stage.set_up("new"), await stage.gather()

    await stage.worker().answered(UNREGISTERED, devices[0], credential)

    assert await stage.active() == DEVICES - 1


async def test_a_success_that_another_worker_had_lately_counts_at_once(stage: Stage) -> None:
    credential, devices = await stage.set_up("right"), await stage.gather()
    await worked_elsewhere(stage, credential)

    await stage.worker().answered(SUSPECT, devices[0], credential)

    assert await stage.active() == DEVICES - 1


async def test_the_third_suspicion_in_a_row_counts_when_the_credential_worked_once(
    stage: Stage,
) -> None:
    credential, devices = await stage.set_up("right"), await stage.gather()
    await worked_elsewhere(stage, credential)
    stage.now += WORKED_LATELY + timedelta(seconds=1)
    active = []

    for _ in range(SUSPICIONS_MAX):
        await stage.worker().answered(SUSPECT, devices[0], credential)
        active.append(await stage.active())

    assert active == [DEVICES, DEVICES, DEVICES - 1]


async def worked_elsewhere(stage: Stage, credential: str) -> None:
    stage.notes.note(APP_ID, "pushy", credential, Sent("x"))
    await stage.notes.write()
