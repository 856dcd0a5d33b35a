"""Purging goes on where it was left, keeps to its pages, and touches no other app's rows."""

import asyncio
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.crypto.keyring import Keyring
from shared.storage.apps import AppRepository
from shared.storage.deletions import DeletionRepository
from shared.storage.mongo import Database
from tests.builders import NOW, an_app
from worker import purging
from worker.purging import Purger

SETTLED = NOW + purging.SETTLED_AFTER


class Deleted:
    """A database with apps that have been deleted, and what is left of them."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        self.apps = AppRepository(database, keyring)
        self.deletions = DeletionRepository(database)

    async def app(self, at: datetime = NOW, /, **rows: int) -> UUID:
        """A deleted app with so many rows in each of these collections."""
        app_id = uuid4()
        await self.apps.create(an_app(app_id=app_id), b"hash")
        for name, number in rows.items():
            if number:
                await self.database[name].insert_many([a_row(name, app_id) for _ in range(number)])
        assert await self.deletions.begin(app_id, at)
        return app_id

    async def left(self, app_id: UUID) -> int:
        """How many rows an app has."""
        mine = {"$or": [{"app_id": app_id}, {"_id": app_id}, {"_id": {"$regex": str(app_id)}}]}
        names = ("apps", *EVERYTHING)
        return sum([await self.database[name].count(mine) for name in names])

    def purger(self, now: datetime = SETTLED) -> Purger:
        return Purger(self.deletions, lambda: now)

    def slow_purger(self, **a_look: float) -> Purger:
        """One for whom time passes whenever it looks at the clock."""
        times = count()
        return Purger(self.deletions, lambda: SETTLED + next(times) * timedelta(**a_look))


EVERYTHING = {
    "credentials": "{app}:{n}",
    "devices": "",
    "sessions": "",
    "holds": "{app}:{n}",
    "enrolments": "",
    "sends": "",
    "receipts": "",
    "receipt_attempts": "",
    "receipt_heads": "app",
    "dead_letters": "",
    "dev_sends": "",
    "idempotency": "{app}:{n}",
    "quotas": "{app}:{n}",
    "limits": "register:{app}:{n}",
}


def a_row(collection: str, app_id: UUID) -> dict[str, Any]:
    """A row with only what ties it to its app, and what keeps unique indexes apart."""
    shape = EVERYTHING[collection]
    unique = uuid4()
    if shape == "app":
        return {"_id": app_id}
    if shape:
        return {"_id": shape.format(app=app_id, n=unique)}
    keys = {"token_hash": unique.bytes, "user_id": unique, "first_seq": unique, "ids": [unique]}
    return {"_id": unique, "app_id": app_id, "users": [unique], "parts": 0} | keys


@pytest.fixture
def deleted(database: Database, keyring: Keyring) -> Deleted:
    return Deleted(database, keyring)


async def test_rows_in_every_collection_go_and_then_the_id_is_free(deleted: Deleted) -> None:
    app_id = await deleted.app(**dict.fromkeys(EVERYTHING, 1))
    stranger = await deleted.app(**dict.fromkeys(EVERYTHING, 1))
    await deleted.database["apps"].delete_one({"_id": stranger})
    assert await deleted.left(app_id) == len(EVERYTHING) + 1
    assert not await deleted.apps.create(an_app(app_id=app_id), b"hash")

    for _ in range(3):
        await deleted.purger().purge()

    assert await deleted.left(app_id) == 0
    assert await deleted.left(stranger) == len(EVERYTHING)
    assert await deleted.apps.create(an_app(app_id=app_id), b"hash")


async def test_contents_of_a_large_send_go_with_it(deleted: Deleted) -> None:
    app_id = await deleted.app()
    sends = [a_row("sends", app_id) | {"parts": 2}, a_row("sends", uuid4()) | {"parts": 2}]
    await deleted.database["sends"].insert_many(sends)
    keys = [{"send": send["_id"], "part": part} for send in sends for part in range(2)]
    await deleted.database["contents"].insert_many([{"_id": key} for key in keys])

    await deleted.purger().purge()

    left = await deleted.database["contents"].find({})
    assert [part["_id"] for part in left] == keys[2:]


@pytest.mark.parametrize(("seconds", "pages"), [(0.25, 4), (0.4, 3), (60, 1)])
async def test_a_tick_takes_its_time_and_no_more(
    deleted: Deleted, monkeypatch: pytest.MonkeyPatch, seconds: float, pages: int
) -> None:
    monkeypatch.setattr(purging, "ROWS_PER_PAGE", 7)
    app_id = await deleted.app(devices=100)

    await deleted.slow_purger(seconds=seconds).purge()

    assert await deleted.left(app_id) == 100 - 7 * pages + 1


async def test_a_large_deletion_does_not_keep_a_small_one_waiting(
    deleted: Deleted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "ROWS_PER_PAGE", 7)
    large = await deleted.app(devices=200)
    small = await deleted.app(NOW + timedelta(seconds=1), devices=7)

    for _ in range(2):
        await deleted.slow_purger(seconds=2).purge()

    assert (await deleted.left(small), await deleted.deletions.get(small)) == (0, None)
    assert await deleted.left(large) > 0


async def test_another_worker_goes_on_after_a_crash(
    deleted: Deleted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "ROWS_PER_PAGE", 10)
    app_id = await deleted.app(devices=95, enrolments=95, receipts=95)
    purge = deleted.deletions.purge

    class Killed(Exception):
        """The worker is gone."""

    async def one_page(app_id: UUID, *, limit: int) -> int:
        await purge(app_id, limit=limit)
        raise Killed

    for _ in range(40):
        monkeypatch.setattr(deleted.deletions, "purge", one_page)
        with pytest.raises(Killed):
            await deleted.purger().purge()
        monkeypatch.setattr(deleted.deletions, "purge", purge)
        assert await deleted.deletions.get(app_id)
        assert not await deleted.apps.create(an_app(app_id=app_id), b"hash")
    await deleted.purger().purge()

    assert await deleted.left(app_id) == 0


async def test_two_workers_that_both_purge_do_no_harm(deleted: Deleted) -> None:
    apps = [await deleted.app(devices=30, enrolments=30) for _ in range(3)]

    for _ in range(3):
        await asyncio.gather(deleted.purger().purge(), deleted.purger().purge())

    assert [await deleted.left(app_id) for app_id in apps] == [0, 0, 0]


async def test_an_id_is_not_free_while_requests_may_still_write(deleted: Deleted) -> None:
    app_id = await deleted.app(devices=1)
    early = deleted.purger(SETTLED - timedelta(milliseconds=1))
    for _ in range(3):
        await early.purge()
    assert await deleted.left(app_id) == 1  # the tombstone

    await deleted.database["devices"].insert_one(a_row("devices", app_id))
    for _ in range(2):
        await deleted.purger().purge()

    assert await deleted.left(app_id) == 0


async def test_an_app_that_was_founded_again_keeps_its_rows(deleted: Deleted) -> None:
    app_id = await deleted.app(devices=3)
    (stale,) = await deleted.deletions.pending(limit=10)
    for _ in range(2):
        await deleted.purger().purge()
    await deleted.apps.create(an_app(app_id=app_id), b"hash")
    await deleted.database["devices"].insert_one(a_row("devices", app_id))

    assert await deleted.deletions.purge(app_id, limit=1_000) == 0
    assert not await deleted.deletions.finish(stale)

    assert await deleted.left(app_id) == 2
    assert await deleted.apps.exists(app_id)


async def test_an_app_is_deleted_once(deleted: Deleted) -> None:
    app_id = uuid4()
    await deleted.apps.create(an_app(app_id=app_id, tenant_id="t1"), b"hash")

    begun = await asyncio.gather(*(deleted.deletions.begin(app_id, NOW) for _ in range(10)))

    assert begun.count(True) == 1
    deletion = await deleted.deletions.get(app_id)
    assert deletion is not None
    assert (deletion.tenant_id, deletion.deleted_at) == ("t1", NOW)
    assert await deleted.apps.update(app_id, {"name": "x"}) is None
    assert await deleted.apps.client_secret_hash(app_id) is None
    assert not await deleted.deletions.begin(uuid4(), NOW)
