"""The alarm of a hold: raised by each worker once, and over when the hold is."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog

from shared.domain.holds import DEAD_ALLOWED, NORMAL_FOR
from shared.storage.holds import HoldRepository
from shared.storage.mongo import Database
from tests.builders import APP_ID, NOW, a_device
from worker.holding import Holding

HELD, RESUMED = "devices.deactivation_held", "devices.deactivation_resumed"


class Workers:
    """Two workers and their log."""

    def __init__(self, database: Database, log: list[Any]) -> None:
        self.now: datetime = NOW + timedelta(microseconds=1_234)
        self.log = log
        self.holds = HoldRepository(database)
        self.one, self.other = self.started(), self.started()

    def started(self) -> Holding:
        return Holding(self.holds, lambda: self.now)

    def events(self) -> list[tuple[str, str]]:
        return [(entry["event"], entry["log_level"]) for entry in self.log]


@pytest.fixture
def workers(database: Database) -> Any:
    with structlog.testing.capture_logs() as log:
        yield Workers(database, log)


async def found_dead(worker: Holding, count: int) -> int:
    """How many of so many devices may be deactivated."""
    devices = [a_device(device_id=uuid4()) for _ in range(count)]
    return [await worker.may_deactivate(device, "f1") for device in devices].count(True)


async def test_each_worker_raises_the_alarm_once_with_figures_and_no_token(
    workers: Workers,
) -> None:
    for _ in range(40):
        workers.one.taken(a_device(), "f1")

    allowed = await found_dead(workers.one, 30) + await found_dead(workers.other, 30)

    assert allowed == DEAD_ALLOWED
    assert workers.events() == [(HELD, "error"), (HELD, "error")]
    alarm = workers.log[0]
    assert (alarm["app_id"], alarm["provider"]) == (APP_ID, "fcm")
    assert (alarm["devices"], alarm["results"], alarm["share"]) == (11, 11, 1.0)
    assert "token" not in repr(workers.log)


async def test_a_worker_that_starts_later_obeys_and_raises_it_too(workers: Workers) -> None:
    await found_dead(workers.one, 30)

    assert await found_dead(workers.started(), 1) == 0

    assert workers.events() == [(HELD, "error"), (HELD, "error")]


async def test_successes_end_a_hold_although_nobody_asks(workers: Workers) -> None:
    await found_dead(workers.one, 30)
    for _ in range(200):
        workers.other.taken(a_device(), "f1")
    await workers.other.tell()
    workers.now += NORMAL_FOR
    assert workers.events() == [(HELD, "error"), (HELD, "error")]

    workers.other.taken(a_device(), "f1")
    await workers.other.tell()

    assert workers.events()[-1] == (RESUMED, "info")
    assert await found_dead(workers.one, 1) == 1


async def test_an_app_without_dead_tokens_costs_the_database_nothing(
    workers: Workers, database: Database
) -> None:
    workers.one.taken(a_device(), "f1")

    await workers.one.tell()

    assert await database["holds"].count({}) == 0
    await found_dead(workers.one, 1)
    standing = await workers.holds.get((APP_ID, "fcm"))
    assert (standing.taken_at, standing.steady.dead) == (NOW + timedelta(milliseconds=1), 1)


async def test_what_was_taken_long_before_a_wave_does_not_thin_it_out(workers: Workers) -> None:
    for _ in range(1_000):
        workers.one.taken(a_device(), "f1")
    devices = [a_device(device_id=uuid4()) for _ in range(40)]

    answers = await asyncio.gather(*(workers.one.may_deactivate(d, "f1") for d in devices))

    assert answers.count(True) == DEAD_ALLOWED


async def test_dead_tokens_among_many_that_are_taken_meanwhile_are_no_wave(
    workers: Workers,
) -> None:
    async def push_to_26() -> bool:
        for _ in range(25):
            workers.one.taken(a_device(), "f1")
        return await workers.one.may_deactivate(a_device(device_id=uuid4()), "f1")

    assert all(await asyncio.gather(*(push_to_26() for _ in range(40))))
    assert workers.events() == []
