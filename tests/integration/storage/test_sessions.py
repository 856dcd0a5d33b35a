"""Pushy sessions: one active row per user and per token, whoever races with whom."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.crypto.keyring import Keyring
from shared.domain.devices import ACTIVE_DEVICES_PER_USER_MAX
from shared.storage.devices import DeviceRepository, Registration
from shared.storage.mongo import Database, StorageUnavailable, Transaction
from shared.storage.sessions import TOPICS_MIRRORED_MAX, SessionRepository
from tests.builders import APP_ID, NOW, USER_ID

AT_ONCE = 50
PROCESSES = 3


class Sessions(SessionRepository):
    """With the rows that they leave."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        self.devices = DeviceRepository(database, keyring, lambda: NOW)
        super().__init__(database, self.devices)

    async def rows(self, **which: Any) -> list[dict[str, Any]]:
        return await self.database["devices"].find(which)

    async def begin_all(self, registrations: Iterable[Registration]) -> list[UUID]:
        """All at once, spread over several processes, as far as these know of one another."""
        processes = [SessionRepository(self.database, self.devices) for _ in range(PROCESSES)]
        return await asyncio.gather(
            *(processes[n % PROCESSES].begin(APP_ID, each) for n, each in enumerate(registrations))
        )


@pytest.fixture
def sessions(database: Database, keyring: Keyring) -> Sessions:
    return Sessions(database, keyring)


def a_session(user_id: UUID = USER_ID, token: str = "token-1", **changes: Any) -> Registration:
    fields: dict[str, Any] = {"platform": "android", "provider": "pushy", "language": "en"}
    return Registration(user_id=user_id, token=token, **(fields | changes))


async def test_a_token_of_many_users_ends_with_one(sessions: Sessions) -> None:
    users = [uuid4() for _ in range(AT_ONCE)]

    device_ids = await sessions.begin_all(a_session(user_id) for user_id in users)

    (row,) = await sessions.rows()
    assert set(device_ids) == {row["_id"]}
    assert row["active"]
    assert row["user_id"] in users


async def test_many_tokens_of_a_user_end_with_one(sessions: Sessions) -> None:
    tokens = [f"token-{number}" for number in range(AT_ONCE)]

    device_ids = await sessions.begin_all(a_session(token=token) for token in tokens)

    assert len(set(device_ids)) == AT_ONCE == len(await sessions.rows())
    (row,) = await sessions.rows(active=True)
    assert row["user_id"] == USER_ID
    ended = await sessions.rows(active=False)
    assert {row["deactivated_reason"] for row in ended} == {"other_session"}


async def test_users_that_swap_tokens_end_with_one_each_at_most(sessions: Sessions) -> None:
    users, tokens = [uuid4() for _ in range(5)], [f"token-{number}" for number in range(5)]

    await sessions.begin_all(a_session(user, token) for user in users for token in tokens)

    rows = await sessions.rows(active=True)
    assert len(rows) == len({row["user_id"] for row in rows})
    assert len(await sessions.rows()) == len(tokens)


async def test_a_session_begins_beside_registrations_of_the_same_token(sessions: Sessions) -> None:
    registrations = [a_session(uuid4()) for _ in range(20)]

    begun = sessions.begin_all(registrations[:10])
    registered = asyncio.gather(
        *(sessions.devices.register(APP_ID, each) for each in registrations[10:])
    )
    await asyncio.gather(begun, registered)

    (row,) = await sessions.rows()
    assert row["active"]


async def test_beginning_again_keeps_the_row(sessions: Sessions) -> None:
    first = await sessions.begin(APP_ID, a_session())
    again = await sessions.begin(APP_ID, a_session(platform="ios", language="zh"))

    (device,) = await sessions.active_of(APP_ID, USER_ID)
    assert first == again == device.device_id
    assert (device.token, device.platform, device.language) == ("token-1", "ios", "zh")
    assert (device.created_at, device.registered_at) == (NOW, NOW)


async def test_a_token_moves_with_its_row_and_ends_both_users_other_sessions(
    sessions: Sessions,
) -> None:
    other = uuid4()
    mine = await sessions.begin(APP_ID, a_session())
    await sessions.begin(APP_ID, a_session(other, "token-2"))

    moved = await sessions.begin(APP_ID, a_session(other))

    assert moved == mine
    assert await sessions.active_of(APP_ID, USER_ID) == []
    assert [device.token for device in await sessions.active_of(APP_ID, other)] == ["token-1"]


async def test_devices_of_other_providers_and_apps_stay(sessions: Sessions) -> None:
    other_app = uuid4()
    await sessions.devices.register(APP_ID, a_session(token="fcm-1", provider="fcm"))
    await sessions.begin(other_app, a_session())

    await sessions.begin(APP_ID, a_session())

    assert len(await sessions.rows(active=True)) == 3
    assert len(await sessions.active_of(APP_ID, USER_ID)) == 1


async def test_a_session_counts_among_the_fifty_devices_of_a_user(sessions: Sessions) -> None:
    for number in range(ACTIVE_DEVICES_PER_USER_MAX):
        fcm = a_session(token=f"fcm-{number}", provider="fcm")
        await sessions.devices.register(APP_ID, fcm)

    await sessions.begin(APP_ID, a_session())

    assert len(await sessions.rows(active=True)) == ACTIVE_DEVICES_PER_USER_MAX


async def test_the_same_text_of_another_provider_is_the_same_row(sessions: Sessions) -> None:
    """A token has one row per app: who registers it last says whose it is."""
    fcm = a_session(uuid4(), provider="fcm")
    first = await sessions.devices.register(APP_ID, fcm)
    assert await sessions.owned(APP_ID, fcm.user_id, ["token-1"]) == set()

    moved = await sessions.begin(APP_ID, a_session())

    assert moved == first
    assert await sessions.owned(APP_ID, USER_ID, ["token-1"]) == {"token-1"}


async def test_owned_are_only_ones_own_active_tokens(sessions: Sessions) -> None:
    await sessions.begin(APP_ID, a_session(token="old"))
    await sessions.begin(APP_ID, a_session(token="new"))
    await sessions.begin(APP_ID, a_session(uuid4(), "foreign"))

    owned = await sessions.owned(APP_ID, USER_ID, ["old", "new", "foreign", "unknown", ""])

    assert owned == {"new"}


async def test_topics_are_mirrored_as_a_set(sessions: Sessions) -> None:
    await sessions.begin(APP_ID, a_session())
    for topics in (["a", "b"], ["b", "c"], ["a", "b", "c"]):
        await sessions.follow(APP_ID, "token-1", topics)
    assert await mirrored(sessions) == {"a", "b", "c"}

    for _ in range(2):
        await sessions.unfollow(APP_ID, "token-1", ["b", "x"])
    assert await mirrored(sessions) == {"a", "c"}

    await sessions.unfollow(APP_ID, "token-1", ["*"])
    assert await mirrored(sessions) == set()


async def test_the_mirror_of_topics_does_not_grow_for_ever(sessions: Sessions) -> None:
    await sessions.begin(APP_ID, a_session())
    for number in range(12):
        topics = [f"topic-{number}-{index}" for index in range(100)]
        await sessions.follow(APP_ID, "token-1", topics)

    assert len(await mirrored(sessions)) == TOPICS_MIRRORED_MAX


async def mirrored(sessions: Sessions) -> set[str]:
    (row,) = await sessions.rows()
    return set(row["topics"])


async def test_only_tokens_registered_before_are_deactivated(sessions: Sessions) -> None:
    await sessions.begin(APP_ID, a_session())
    await sessions.begin(APP_ID, a_session(uuid4(), "token-2"))
    gone = ["token-1", "token-2", "unknown"]

    async def deactivated(before: timedelta) -> int:
        return await sessions.deactivate(
            APP_ID, gone, registered_before=NOW + before, reason="pushy:uninstalled"
        )

    assert await deactivated(timedelta(seconds=-1)) == 0
    assert await deactivated(timedelta(0)) == 2
    assert await deactivated(timedelta(0)) == 0
    rows = await sessions.rows(active=False)
    assert {row["deactivated_reason"] for row in rows} == {"pushy:uninstalled"}


async def test_many_tokens_are_deactivated_in_pages(sessions: Sessions) -> None:
    users = [(uuid4(), f"token-{number}") for number in range(30)]
    for user_id, token in users:
        await sessions.begin(APP_ID, a_session(user_id, token))
    strangers = [f"stranger-{number}" for number in range(5_000)]

    changed = await sessions.deactivate(
        APP_ID,
        [*strangers, *(token for _, token in users)],
        registered_before=NOW,
        reason="pushy:info.failed",
    )

    assert changed == 30


async def test_devices_are_paged_once_each(sessions: Sessions) -> None:
    tokens = {f"token-{number}" for number in range(7)}
    for token in tokens:
        await sessions.begin(APP_ID, a_session(uuid4(), token))
    await sessions.devices.register(APP_ID, a_session(token="fcm-1", provider="fcm"))

    seen: list[str] = []
    after: UUID | None = None
    while page := await sessions.page(APP_ID, after=after, limit=3):
        assert len(page) <= 3
        seen += [device.token for device in page]
        after = page[-1].device_id

    assert sorted(seen) == sorted(tokens)


async def test_a_transaction_that_fails_leaves_nothing(sessions: Sessions) -> None:
    class Broken(Exception):
        """In the middle."""

    async def work(inside: Transaction) -> None:
        await inside["sessions"].insert_one({"_id": "x"})
        raise Broken

    with pytest.raises(Broken):
        await sessions.database.in_transaction(work)

    assert await sessions.database["sessions"].find({}) == []


async def test_a_transaction_that_never_wins_is_given_up(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.mongo._TRANSACTION_SECONDS", 0.5)
    await sessions.database["sessions"].insert_one({"_id": "x", "count": 0})
    tries = 0

    async def work(inside: Transaction) -> None:
        nonlocal tries
        tries += 1
        await inside["sessions"].find_one({"_id": "x"})
        await sessions.database["sessions"].update_one({"_id": "x"}, {"$inc": {"count": 100}})
        await inside["sessions"].update_one({"_id": "x"}, {"$inc": {"count": 1}})

    with pytest.raises(StorageUnavailable):
        await sessions.database.in_transaction(work)

    row = await sessions.database["sessions"].find_one({"_id": "x"})
    assert row["count"] == 100 * tries > 100


async def test_a_transaction_that_took_too_long_keeps_nobody_out(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.mongo._ATTEMPT_SECONDS", 0.3)
    await sessions.database["sessions"].insert_one({"_id": "x", "count": 0})

    async def slow(inside: Transaction) -> None:
        await inside["sessions"].update_one({"_id": "x"}, {"$inc": {"count": 1}})
        await sessions.database["sessions"].find_one({"_id": "x", "$where": "sleep(1000) || true"})

    async def quick(inside: Transaction) -> None:
        await inside["sessions"].update_one({"_id": "x"}, {"$inc": {"count": 10}})

    with pytest.raises(StorageUnavailable):
        await sessions.database.in_transaction(slow)
    await sessions.database.in_transaction(quick)

    assert (await sessions.database["sessions"].find_one({"_id": "x"}))["count"] == 10


async def test_who_waits_too_long_for_a_turn_is_told_so(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.sessions._TURN_SECONDS", 0.0)

    begun = await asyncio.gather(
        *(sessions.begin(APP_ID, a_session(uuid4())) for _ in range(3)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in begun) == ["StorageUnavailable"] * 2 + ["UUID"]


async def test_a_transaction_that_lost_once_is_tried_again(sessions: Sessions) -> None:
    await sessions.database["sessions"].insert_one({"_id": "x", "count": 0})
    tries = 0

    async def work(inside: Transaction) -> None:
        nonlocal tries
        tries += 1
        await inside["sessions"].find_one({"_id": "x"})
        if tries == 1:
            await sessions.database["sessions"].update_one({"_id": "x"}, {"$inc": {"count": 10}})
        await inside["sessions"].update_one({"_id": "x"}, {"$inc": {"count": 1}})

    await sessions.database.in_transaction(work)

    row = await sessions.database["sessions"].find_one({"_id": "x"})
    assert (row["count"], tries) == (11, 2)
