"""Calls as whoever posts them sees them: claimed by one, noted once, hastened, shelved."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from shared.domain.receipts import Receipt, ReceiptCall
from shared.storage.mongo import Database
from shared.storage.receipt_calls import ReceiptCallRepository
from shared.storage.receipts import ReceiptRepository
from tests.builders import APP_ID, NOW, a_receipt

CLAIMED = NOW + timedelta(seconds=30)
LATER = NOW + timedelta(hours=1)


class Stage:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.calls = ReceiptCallRepository(database)
        self.receipts = ReceiptRepository(database, lambda: NOW)

    async def record(self, app_id: UUID = APP_ID) -> ReceiptCall:
        (call,) = await self.receipts.append(
            app_id, [a_receipt(id=uuid4())], a_body, to_be_posted=True
        )
        return call

    async def claim(self, app_id: UUID = APP_ID) -> ReceiptCall | None:
        return await self.calls.claim(app_id, due_by=NOW, until=CLAIMED)

    async def fail(self, call: ReceiptCall) -> bool:
        return await self.calls.note(call, state="pending", next_attempt_at=LATER)


def a_body(_: UUID, receipts: Sequence[Receipt]) -> bytes:
    return repr([receipt.seq for receipt in receipts]).encode()


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


async def test_a_call_is_claimed_by_one_at_a_time(stage: Stage) -> None:
    recorded = [await stage.record() for _ in range(5)]

    claimed = await asyncio.gather(*(stage.claim() for _ in range(12)))

    numbers = sorted(call.first_seq for call in claimed if call is not None)
    assert numbers == [call.first_seq for call in recorded]


async def test_the_call_that_has_been_due_for_longest_is_first(stage: Stage) -> None:
    for _ in range(3):
        await stage.record()

    claimed = [await stage.claim() for _ in range(4)]

    assert [None if call is None else call.first_seq for call in claimed] == [1, 2, 3, None]


async def test_a_claim_of_the_dead_runs_out(stage: Stage) -> None:
    await stage.record()
    await stage.claim()

    later = CLAIMED + timedelta(seconds=1)
    again = await stage.calls.claim(APP_ID, due_by=later, until=later + timedelta(seconds=30))

    assert again is not None
    assert again.attempts == 0


async def test_an_attempt_is_noted_once_and_the_call_waits(stage: Stage) -> None:
    await stage.record()
    call = await stage.claim()
    assert call is not None

    noted = [await stage.fail(call) for _ in range(2)]

    assert noted == [True, False]
    assert await stage.claim() is None
    due = await stage.calls.claim(APP_ID, due_by=LATER, until=LATER + timedelta(seconds=30))
    assert due is not None
    assert (due.attempts, due.webhook_id, due.body) == (1, call.webhook_id, call.body)


async def test_what_failed_once_or_twice_is_hastened(stage: Stage) -> None:
    for failures in (1, 2, 3):
        await stage.record()
        for _ in range(failures):
            call = await stage.claim()
            assert call is not None
            await stage.fail(call)
            if call.attempts + 1 < failures:
                await stage.database["receipts"].update_one(
                    {"first_seq": call.first_seq}, {"$set": {"next_attempt_at": NOW}}
                )

    await stage.calls.hasten(APP_ID, NOW)

    claimed = [await stage.claim() for _ in range(3)]
    assert [None if call is None else call.attempts for call in claimed] == [1, 2, None]


async def test_shelved_calls_are_posted_no_more_and_stay_on_record(stage: Stage) -> None:
    stranger = uuid4()
    await stage.record()
    await stage.record(stranger)

    await stage.calls.shelve(APP_ID, recorded_before=NOW + timedelta(milliseconds=1))

    assert await stage.claim() is None
    assert await stage.claim(stranger) is not None
    (kept,) = await stage.database["receipts"].find({"app_id": APP_ID})
    assert kept["state"] == "unposted"


async def test_what_was_recorded_after_somebody_looked_is_not_shelved(stage: Stage) -> None:
    await stage.record()

    await stage.calls.shelve(APP_ID, recorded_before=NOW)

    assert await stage.claim() is not None


async def test_apps_are_found_whose_calls_nobody_makes(stage: Stage) -> None:
    waiting, done = uuid4(), uuid4()
    for app_id in (waiting, waiting, done):
        await stage.record(app_id)
    call = await stage.claim(done)
    assert call is not None
    await stage.calls.note(call, state="received", next_attempt_at=None)

    late = await stage.calls.apps_waiting(due_before=NOW + timedelta(seconds=1))

    assert late == [waiting]
    assert await stage.calls.apps_waiting(due_before=NOW) == []
