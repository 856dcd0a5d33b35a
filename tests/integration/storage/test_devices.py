"""Devices: one row per token, moved with its owner, deactivated only by what still holds true."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from shared.crypto.keyring import Keyring
from shared.storage.devices import DeviceFilter, DeviceRepository, Registration
from shared.storage.mongo import Database
from tests.builders import APP_ID, NOW, SEND_ID, USER_ID

OTHER_USER = SEND_ID


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def a_registration(user_id: UUID = USER_ID, token: str = "token-1") -> Registration:
    return Registration(user_id=user_id, platform="android", provider="fcm", token=token)


async def test_registering_again_keeps_the_device(database: Database, keyring: Keyring) -> None:
    time = Time()
    devices = DeviceRepository(database, keyring, time)
    first = await devices.register(APP_ID, a_registration())
    time.now += timedelta(hours=1)

    again = await devices.register(APP_ID, a_registration())

    device = await devices.get(APP_ID, first)
    assert device is not None
    assert (again, device.token, device.last_seen_at) == (first, "token-1", time.now)
    assert device.created_at == NOW


async def test_a_browser_with_new_keys_is_the_same_device(
    database: Database, keyring: Keyring
) -> None:
    devices = DeviceRepository(database, keyring, Time())

    def a_subscription(auth: str) -> Registration:
        token = f'{{"endpoint":"https://push.test/1","keys":{{"p256dh":"k","auth":"{auth}"}}}}'
        return Registration(user_id=USER_ID, platform="web", provider="webpush", token=token)

    first = await devices.register(APP_ID, a_subscription("old"))
    touched = await devices.touch(APP_ID, a_subscription("new"))
    again = await devices.register(APP_ID, a_subscription("new"))

    device = await devices.get(APP_ID, first)
    assert device is not None
    assert (touched, again, "new" in device.token) == (None, first, True)


async def test_touching_ones_own_unchanged_token_updates_what_is_known(
    database: Database, keyring: Keyring
) -> None:
    devices = DeviceRepository(database, keyring, Time())
    device_id = await devices.register(APP_ID, a_registration())
    changed = msgspec.structs.replace(a_registration(), language="de", app_version="2")

    touched = await devices.touch(APP_ID, changed)

    device = await devices.get(APP_ID, device_id)
    assert device is not None
    assert (touched, device.language, device.app_version) == (device_id, "de", "2")
    assert await devices.touch(APP_ID, a_registration(OTHER_USER)) is None


async def test_the_token_is_not_stored_in_the_clear(database: Database, keyring: Keyring) -> None:
    devices = DeviceRepository(database, keyring, Time())
    await devices.register(APP_ID, a_registration(token="canary-token"))

    document = await database["devices"].find_one({"app_id": APP_ID})

    assert b"canary" not in repr(document).encode()


async def test_fifty_users_racing_for_one_token_leave_one_device(
    database: Database, keyring: Keyring
) -> None:
    devices = DeviceRepository(database, keyring, Time())
    users = [UUID(int=USER_ID.int + i) for i in range(50)]

    ids = await asyncio.gather(*(devices.register(APP_ID, a_registration(u)) for u in users))

    assert len(set(ids)) == 1
    assert await devices.count(APP_ID, DeviceFilter()) == 1


async def test_the_51st_device_replaces_the_one_unseen_for_longest(
    database: Database, keyring: Keyring
) -> None:
    time = Time()
    devices = DeviceRepository(database, keyring, time)
    ids = []
    for number in range(51):
        time.now += timedelta(seconds=1)
        ids.append(await devices.register(APP_ID, a_registration(token=f"token-{number}")))

    active = await devices.page(APP_ID, DeviceFilter(), limit=100)

    assert {device.device_id for device in active} == set(ids[1:])
    first = await devices.get(APP_ID, ids[0])
    assert first is not None
    assert first.deactivated_reason == "too_many_devices"


async def test_a_verdict_about_an_older_registration_changes_nothing(
    database: Database, keyring: Keyring
) -> None:
    time = Time()
    devices = DeviceRepository(database, keyring, time)
    device_id = await devices.register(APP_ID, a_registration())
    token_hash = devices.token_hash(APP_ID, "fcm", "token-1")
    judged_at = NOW
    time.now += timedelta(seconds=1)
    await devices.register(APP_ID, a_registration())

    changed = await devices.deactivate(
        APP_ID, device_id, token_hash=token_hash, registered_before=judged_at, reason="apns:x"
    )

    assert not changed
    assert await devices.deactivate(
        APP_ID, device_id, token_hash=token_hash, registered_before=time.now, reason="apns:x"
    )
    assert not await devices.deactivate(
        APP_ID, device_id, token_hash=b"other", registered_before=time.now, reason="apns:x"
    )


async def test_unregistering_is_for_the_owner_and_works_twice(
    database: Database, keyring: Keyring
) -> None:
    devices = DeviceRepository(database, keyring, Time())
    device_id = await devices.register(APP_ID, a_registration())

    assert not await devices.unregister(APP_ID, device_id, user_id=OTHER_USER)
    assert not await devices.unregister(SEND_ID, device_id, user_id=None)
    assert await devices.unregister(APP_ID, device_id, user_id=USER_ID)
    assert await devices.unregister(APP_ID, device_id, user_id=None)
    assert await devices.active_of_users(APP_ID, [USER_ID]) == []


async def test_suspicions_count_in_a_row_and_are_forgotten(
    database: Database, keyring: Keyring
) -> None:
    devices = DeviceRepository(database, keyring, Time())
    device_id = await devices.register(APP_ID, a_registration())
    token_hash = devices.token_hash(APP_ID, "fcm", "token-1")

    counts = [
        await devices.suspect(APP_ID, device_id, token_hash=token_hash, suspicions=count)
        for count in (1, 2, 2)  # the last one is said again: its answer was lost
    ]
    await devices.clear_suspicions(APP_ID, device_id)

    assert counts == [1, 2, 2]
    assert await devices.suspect(APP_ID, device_id, token_hash=token_hash, suspicions=1) == 1


async def test_one_unreadable_token_does_not_hide_its_neighbours(
    database: Database, keyring: Keyring
) -> None:
    devices = DeviceRepository(database, keyring, Time())
    ids = [await devices.register(APP_ID, a_registration(token=f"token-{n}")) for n in range(2)]
    await database["devices"].update_one({"_id": ids[0]}, {"$set": {"token": b"damaged"}})

    found = await devices.of_ids(ids)

    assert [found[device_id].token for device_id in ids] == ["", "token-1"]


def an_iphone(**changes: str) -> Registration:
    return Registration(
        user_id=USER_ID, platform="ios", provider="apns", token="ab" * 32, **changes
    )


async def test_a_found_environment_is_remembered_for_that_token_only(
    database: Database, keyring: Keyring
) -> None:
    devices = DeviceRepository(database, keyring, Time())
    device_id = await devices.register(APP_ID, an_iphone())
    found = await devices.get(APP_ID, device_id)
    assert found is not None

    async def remember(environment: Any, token_hash: bytes) -> bool:
        return await devices.remember_environment(
            APP_ID, device_id, environment, token_hash=token_hash
        )

    assert not await remember("sandbox", b"another token")
    assert await remember("sandbox", found.token_hash)
    assert not await remember("production", found.token_hash)  # it is known by now
    await devices.register(APP_ID, an_iphone())
    kept = await devices.get(APP_ID, device_id)
    await devices.register(APP_ID, an_iphone(apns_environment="production"))
    told = await devices.get(APP_ID, device_id)
    assert kept is not None
    assert told is not None
    assert (kept.apns_environment, told.apns_environment) == ("sandbox", "production")
