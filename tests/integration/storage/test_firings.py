"""Firings: two workers at any two steps, and crashes between them, come to the same chunks once."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shared import ids
from shared.domain.deliveries import Chunk
from shared.domain.devices import ActiveDevice
from shared.domain.sends import Recipient, Send
from shared.storage.chunks import ChunkRepository
from shared.storage.firings import Firing, FiringRepository
from shared.storage.mongo import Database
from shared.storage.sends import SendRepository
from tests.builders import APP_ID, NOW, USER_ID, a_content, a_send

SOON, LATER = NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)


class Worker:
    """One process that fires a send step by step, with the devices that it happens to see."""

    def __init__(self, database: Database, devices: Sequence[ActiveDevice]) -> None:
        self._sends = SendRepository(database)
        self._firings = FiringRepository(database)
        self._devices = devices
        self._send: Send | None = None
        self._begun: Firing | None = None
        self.outcomes: list[bool] = []

    async def read(self, send_id: UUID) -> None:
        self._send = await self._sends.get(APP_ID, send_id)

    async def begin(self, now: datetime) -> None:
        assert self._send is not None
        expansions = tuple(self._send.expand(self._send.firing_at(now), self._devices))
        self._begun = await self._firings.begin(self._send, Firing(now, expansions))

    async def finish(self) -> None:
        if self._begun is None:  # it has fired already
            self.outcomes.append(False)
            return
        assert self._send is not None
        chunks = self._send.chunks(self._begun.expansions)
        self.outcomes.append(await self._firings.finish(self._send, chunks, self._begun.now))

    async def crash_when_chunks_are_in(self) -> list[Chunk]:
        assert self._begun is not None
        assert self._send is not None
        return self._send.chunks(self._begun.expansions)

    async def fire(self, send_id: UUID, now: datetime) -> None:
        await self.read(send_id)
        if self._send is not None and self._send.firing_at(now):
            await self.begin(now)
            await self.finish()


def some_devices(count: int = 3) -> list[ActiveDevice]:
    return [ActiveDevice(uuid4(), USER_ID, "fcm", "android") for _ in range(count)]


def scheduled(*times: datetime) -> Send:
    contents = tuple(a_content(title=f"n{i}", send_at=at) for i, at in enumerate(times))
    recipients = tuple(Recipient(USER_ID, i) for i in range(len(times)))
    return a_send(
        send_id=ids.new_send_id(NOW),
        contents=contents,
        recipients=recipients,
        delivery_count=0,
        chunk_count=0,
        published=True,
        due_at=min(times),
    )


async def state_of(database: Database, send: Send) -> tuple[list[Chunk], Send]:
    chunks = await ChunkRepository(database).of_send(APP_ID, send.send_id)
    now = await SendRepository(database).get(APP_ID, send.send_id)
    assert now is not None
    return sorted(chunks, key=lambda chunk: chunk.chunk_id), now


async def check_fired_once(database: Database, send: Send) -> list[Chunk]:
    """One chunk for the only notification, and the send says so."""
    (chunk,), after = await state_of(database, send)
    assert chunk.chunk_id == ids.chunk_id(send.send_id, 0)
    assert len(chunk.targets) == 3
    assert (after.due_at, after.chunk_count, after.delivery_count) == (None, 1, 3)
    assert after.published is False
    document = await database["sends"].find_one({"_id": send.send_id})
    assert not {"firing", "due_at"} & set(document)
    return [chunk]


STEPS = ("read", "begin", "finish")
ORDERS = sorted(set(itertools.permutations("AAABBB")))  # all ways to interleave two workers


@pytest.mark.parametrize("order", ORDERS, ids="".join)
async def test_two_workers_fire_once_in_whatever_order_they_step(
    database: Database, order: Sequence[str]
) -> None:
    send = scheduled(SOON)
    await SendRepository(database).insert(send, [])
    workers = {name: Worker(database, some_devices()) for name in "AB"}
    ahead = {"A": SOON, "B": SOON + timedelta(seconds=1, microseconds=7)}
    steps = {name: iter(STEPS) for name in "AB"}

    for name in order:
        worker, step = workers[name], next(steps[name])
        if step == "read":
            await worker.read(send.send_id)
        elif step == "begin":
            await worker.begin(ahead[name])
        else:
            await worker.finish()

    assert sorted(workers["A"].outcomes + workers["B"].outcomes) == [False, True]
    await check_fired_once(database, send)


async def test_many_workers_at_once_fire_once(database: Database) -> None:
    send = scheduled(SOON)
    await SendRepository(database).insert(send, [])
    workers = [Worker(database, some_devices()) for _ in range(20)]

    await asyncio.gather(*(worker.fire(send.send_id, SOON) for worker in workers))

    assert sum(worker.outcomes.count(True) for worker in workers) == 1
    await check_fired_once(database, send)


@pytest.mark.parametrize("inserted", [False, True])
async def test_whoever_comes_after_a_crash_goes_on_with_the_same(
    database: Database, inserted: bool
) -> None:
    send = scheduled(SOON)
    await SendRepository(database).insert(send, [])
    dead, heir = Worker(database, some_devices()), Worker(database, some_devices(5))
    await dead.read(send.send_id)
    await dead.begin(SOON)
    meant = await dead.crash_when_chunks_are_in()
    if inserted:  # as `finish` does before its last step
        other = a_send(send_id=ids.new_send_id(NOW), app_id=uuid4())
        await SendRepository(database).insert(other, meant)
    assert await FiringRepository(database).due(SOON, limit=10) == [send.send_id]

    await heir.fire(send.send_id, SOON + timedelta(minutes=5))

    assert heir.outcomes == [True]
    assert await check_fired_once(database, send) == meant
    await dead.finish()  # it was only slow
    assert dead.outcomes == [False]
    assert await check_fired_once(database, send) == meant


async def test_some_of_the_chunks_may_be_in_already(database: Database) -> None:
    send = scheduled(SOON)
    await SendRepository(database).insert(send, [])
    worker = Worker(database, some_devices(250))
    await worker.read(send.send_id)
    await worker.begin(SOON)
    meant = await worker.crash_when_chunks_are_in()
    other = a_send(send_id=ids.new_send_id(NOW), app_id=uuid4())
    await SendRepository(database).insert(other, meant[1:2])

    await worker.finish()

    chunks, after = await state_of(database, send)
    assert (worker.outcomes, chunks) == ([True], meant)
    assert (after.chunk_count, after.delivery_count) == (3, 250)


async def test_two_times_fire_one_after_the_other_with_ids_that_go_on(database: Database) -> None:
    send = scheduled(LATER, SOON, LATER)
    await SendRepository(database).insert(send, [])
    worker, firings = Worker(database, some_devices()), FiringRepository(database)

    assert await firings.due(SOON - timedelta(milliseconds=1), limit=10) == []
    await worker.fire(send.send_id, SOON)
    first, after_first = await state_of(database, send)
    assert await firings.due(SOON, limit=10) == []
    await worker.fire(send.send_id, LATER)
    both, after_both = await state_of(database, send)

    assert [chunk.chunk_id for chunk in both] == [ids.chunk_id(send.send_id, i) for i in (0, 1)]
    assert both[:1] == first
    held = [sorted({target.notification for target in chunk.targets}) for chunk in both]
    assert held == [[1], [0, 2]]
    assert (after_first.due_at, after_both.due_at) == (LATER, None)
    assert (after_both.chunk_count, after_both.delivery_count) == (2, 9)
    await worker.fire(send.send_id, LATER + timedelta(days=1))
    assert await state_of(database, send) == (both, after_both)


async def test_what_is_late_for_both_its_times_fires_at_once(database: Database) -> None:
    send = scheduled(SOON, LATER)
    await SendRepository(database).insert(send, [])
    await Worker(database, some_devices()).fire(send.send_id, LATER + timedelta(seconds=1))
    (chunk,), after = await state_of(database, send)
    assert {target.notification for target in chunk.targets} == {0, 1}
    assert (after.due_at, after.chunk_count) == (None, 1)


async def test_a_worker_that_slept_through_both_times_changes_nothing(database: Database) -> None:
    send = scheduled(SOON, LATER)
    await SendRepository(database).insert(send, [])
    slow, quick = Worker(database, some_devices()), Worker(database, some_devices())
    await slow.read(send.send_id)
    await slow.begin(SOON)
    for now in (SOON, LATER):
        await quick.fire(send.send_id, now)
    before = await state_of(database, send)

    await slow.finish()
    await slow.begin(SOON)
    await slow.finish()

    assert slow.outcomes == [False, False]
    assert await state_of(database, send) == before


async def test_a_firing_for_nobody_leaves_unconfirmed_chunks_to_the_sweeper(
    database: Database,
) -> None:
    send = scheduled(SOON, LATER)
    await SendRepository(database).insert(send, [])
    await Worker(database, some_devices()).fire(send.send_id, SOON)
    await Worker(database, []).fire(send.send_id, LATER)
    (_,), after = await state_of(database, send)
    assert (after.due_at, after.published) == (None, False)


@pytest.mark.parametrize("times", [[SOON], [SOON, LATER]])
async def test_who_comes_too_late_leaves_a_fired_send_alone(
    database: Database, times: list[datetime]
) -> None:
    send = scheduled(*times)
    await SendRepository(database).insert(send, [])
    quick, late = (Worker(database, some_devices()) for _ in range(2))
    await quick.fire(send.send_id, SOON)
    before = await state_of(database, send)

    await late.read(send.send_id)  # it was due when it was listed
    await late.begin(SOON)
    await late.finish()

    assert late.outcomes == [False]
    assert await state_of(database, send) == before
    document = await database["sends"].find_one({"_id": send.send_id})
    assert "firing" not in document


async def test_one_for_nobody_fires_without_chunks(database: Database) -> None:
    send = scheduled(SOON)
    await SendRepository(database).insert(send, [])
    await Worker(database, []).fire(send.send_id, SOON)
    chunks, after = await state_of(database, send)
    assert (chunks, after.due_at, after.published) == ([], None, True)


async def test_what_was_cancelled_is_left_out(database: Database) -> None:
    send = scheduled(SOON, SOON)
    sends = SendRepository(database)
    await sends.insert(send, [])
    await sends.cancel(APP_ID, send.send_id, 0, NOW)
    await Worker(database, some_devices()).fire(send.send_id, SOON)
    (chunk,), _ = await state_of(database, send)
    assert {target.notification for target in chunk.targets} == {1}


async def test_the_longest_due_fire_first(database: Database) -> None:
    made = [scheduled(NOW + timedelta(seconds=s)) for s in (3, 1, 2)]
    for send in made:
        await SendRepository(database).insert(send, [])
    firings = FiringRepository(database)
    assert await firings.due(LATER, limit=2) == [made[1].send_id, made[2].send_id]
    assert await firings.due(NOW + timedelta(seconds=1), limit=9) == [made[1].send_id]
