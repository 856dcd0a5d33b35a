"""Undoing deactivations: what a provider took away comes back, and nothing else changes."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from api.services import reactivations as service
from api.services.reactivations import ReactivationService, Undone, Wave
from shared.crypto.keyring import Keyring
from shared.domain.devices import ACTIVE_DEVICES_PER_USER_MAX, Provider
from shared.storage.devices import DeviceFilter, DeviceRepository, Registration
from shared.storage.mongo import Database
from shared.storage.reactivations import ReactivationRepository
from shared.storage.sessions import SessionRepository
from tests.builders import APP_ID, NOW, SEND_ID, USER_ID

HOUR = timedelta(hours=1)


class Wreck:
    """An app whose devices are taken away by what a provider says."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.now = NOW
        self.devices = DeviceRepository(database, keyring, lambda: self.now)
        self.sessions = SessionRepository(database, self.devices)
        self.rows = database["devices"]
        self.service = ReactivationService(ReactivationRepository(database))

    def registration(
        self, token: str, user_id: UUID = USER_ID, provider: Provider = "fcm"
    ) -> Registration:
        return Registration(user_id=user_id, platform="android", provider=provider, token=token)

    async def device(
        self, token: str, user_id: UUID = USER_ID, provider: Provider = "fcm", app: UUID = APP_ID
    ) -> UUID:
        return await self.devices.register(app, self.registration(token, user_id, provider))

    async def lost(
        self,
        token: str,
        user_id: UUID = USER_ID,
        provider: Provider = "fcm",
        *,
        app: UUID = APP_ID,
        reason: str = "SENDER_ID_MISMATCH",
    ) -> UUID:
        device_id = await self.device(token, user_id, provider, app)
        device = await self.devices.get(app, device_id)
        assert device is not None
        assert await self.devices.deactivate(
            app,
            device_id,
            token_hash=device.token_hash,
            registered_before=self.now,
            reason=f"{provider}:{reason}",
        )
        return device_id

    async def undo(self, *, dry_run: bool = False, **changes: Provider) -> Undone:
        wave = Wave(app_id=APP_ID, since=NOW, **changes)
        return [step async for step in self.service.undo(wave, dry_run=dry_run)][-1]

    async def active(self, user_id: UUID | None = None) -> set[UUID]:
        page = await self.devices.page(APP_ID, DeviceFilter(user_id=user_id), limit=1_000)
        return {device.device_id for device in page}


@pytest.fixture
def wreck(database: Database, keyring: Keyring) -> Wreck:
    return Wreck(database, keyring)


async def test_only_what_providers_took_since_then_comes_back(wreck: Wreck) -> None:
    wreck.now -= HOUR
    await wreck.lost("before")
    wreck.now += HOUR
    lost = {await wreck.lost("a"), await wreck.lost("b", provider="apns")}
    unregistered = await wreck.device("c")
    await wreck.devices.unregister(APP_ID, unregistered, user_id=USER_ID)
    await wreck.lost("d", app=SEND_ID)

    undone = await wreck.undo()

    assert undone == Undone(found=2, reactivated=2)
    assert await wreck.active() == lost
    rows = await wreck.rows.find({"app_id": APP_ID, "active": True})
    assert [(r["deactivated_reason"], "deactivated_at" in r, r["suspicions"]) for r in rows] == [
        (None, False, 0)
    ] * 2
    assert await wreck.undo() == Undone()


async def test_one_provider_only(wreck: Wreck) -> None:
    await wreck.lost("a")
    apns = await wreck.lost("b", provider="apns")

    assert await wreck.undo(provider="apns") == Undone(found=1, reactivated=1)
    assert await wreck.active() == {apns}


async def test_a_dry_run_says_the_same_and_changes_nothing(
    wreck: Wreck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 7)
    for number in range(20):
        await wreck.lost(f"t{number}", uuid4())
    before = await wreck.rows.find({})

    looked = await wreck.undo(dry_run=True)

    assert await wreck.rows.find({}) == before
    assert looked == await wreck.undo() == Undone(found=20, reactivated=20)


async def test_a_token_that_moved_on_stays_where_it_is(wreck: Wreck) -> None:
    moved = await wreck.lost("a")
    other = uuid4()
    page = await wreck.service._reactivations.page(APP_ID, NOW, None, after=None, limit=10)
    await wreck.device("a", other)

    assert await wreck.undo() == Undone()
    assert await wreck.service._reactivations.reactivate(APP_ID, page[0]) == "changed"
    assert await wreck.active(other) == {moved}


async def test_nobody_gets_more_than_50_devices(wreck: Wreck) -> None:
    for number in range(3):
        await wreck.lost(f"lost-{number}")
    for number in range(ACTIVE_DEVICES_PER_USER_MAX - 2):
        await wreck.device(f"new-{number}")

    undone = await wreck.undo()

    assert undone == Undone(found=3, reactivated=2, over_cap=1)
    assert len(await wreck.active()) == ACTIVE_DEVICES_PER_USER_MAX


async def test_pushy_gives_a_user_one_session(wreck: Wreck) -> None:
    for number in range(3):
        await wreck.lost(f"lost-{number}", provider="pushy")
    user_id = uuid4()
    await wreck.lost("old", user_id, "pushy")
    session = await wreck.sessions.begin(APP_ID, wreck.registration("new", user_id, "pushy"))

    undone = await wreck.undo()

    assert undone == Undone(found=4, reactivated=1, other_session=3)
    assert await wreck.active(user_id) == {session}
    assert len(await wreck.active(USER_ID)) == 1


async def test_registrations_at_the_same_time_keep_every_rule(wreck: Wreck) -> None:
    users = [uuid4() for _ in range(10)]
    lost = [await wreck.lost(f"{u}-{n}", u) for u in users for n in range(5)]
    for user_id in users:
        await wreck.lost(f"{user_id}-session", user_id, "pushy")
        for number in range(ACTIVE_DEVICES_PER_USER_MAX - 4):
            await wreck.device(f"{user_id}-there-{number}", user_id)
    heirs = dict.fromkeys(lost[::5])  # the first token of each user changes hands meanwhile

    async def register(user_id: UUID) -> None:
        await wreck.device(f"{user_id}-fresh", user_id)
        heirs[await wreck.device(f"{user_id}-0", USER_ID)] = None
        await wreck.sessions.begin(APP_ID, wreck.registration(f"{user_id}-begun", user_id, "pushy"))

    await asyncio.gather(wreck.undo(), *map(register, users), wreck.undo())

    for user_id in users:
        active = await wreck.active(user_id)
        assert ACTIVE_DEVICES_PER_USER_MAX - 3 < len(active) <= ACTIVE_DEVICES_PER_USER_MAX
        pushy = await wreck.sessions.active_of(APP_ID, user_id)
        assert [device.token for device in pushy] == [f"{user_id}-begun"]
    assert await wreck.active(USER_ID) == set(heirs) == set(lost[::5])
