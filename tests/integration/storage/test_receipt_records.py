"""Receipts as they are read back, on both drivers: the log, the feed, and calls that begin anew."""

from datetime import timedelta
from uuid import UUID, uuid4

from shared.domain.receipts import Receipt
from shared.storage.mongo import Database
from shared.storage.receipt_attempts import ReceiptAttempt, ReceiptAttemptRepository
from shared.storage.receipt_feed import ReceiptFeed
from shared.storage.receipt_replays import BySeq, ByTime, ReceiptReplayRepository
from shared.storage.receipts import ReceiptRepository
from tests.builders import APP_ID, NOW, a_receipt


async def record(database: Database, *counts: int, app_id: UUID = APP_ID) -> None:
    receipts = ReceiptRepository(database, lambda: NOW)
    for count in counts:
        rows = [a_receipt(id=uuid4()) for _ in range(count)]
        await receipts.append(app_id, rows, a_body, to_be_posted=True)


def a_body(_: UUID, receipts: object) -> bytes:
    assert isinstance(receipts, list)
    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    return b"{}"


def an_attempt(number: int) -> ReceiptAttempt:
    return ReceiptAttempt(
        app_id=APP_ID,
        webhook_id="msg_1",
        first_seq=1,
        attempt=number,
        at=NOW + timedelta(seconds=number),
        status=None,
        problem="timeout",
        took_ms=15_000,
        answer="",
    )


async def test_attempts_come_back_as_they_were_noted(database: Database) -> None:
    attempts = ReceiptAttemptRepository(database)
    for number in (1, 2, 3):
        await attempts.note(an_attempt(number))

    assert await attempts.newest(APP_ID, limit=2) == [an_attempt(3), an_attempt(2)]
    assert await attempts.newest(uuid4(), limit=2) == []


async def test_the_feed_reads_the_calls_that_hold_a_page(database: Database) -> None:
    await record(database, 3, 3, 3)
    await record(database, 1, app_id=uuid4())
    feed = ReceiptFeed(database)

    kept = await feed.kept(APP_ID)
    calls = await feed.calls_behind(APP_ID, 4, limit=2)

    assert (kept.oldest_seq, kept.newest_seq) == (1, 9)
    assert [(call.first_seq, call.last_seq) for call in calls] == [(4, 6)]


async def test_a_call_that_has_changed_is_not_renewed(database: Database) -> None:
    await record(database, 1, 1)
    replays = ReceiptReplayRepository(database)
    first, second = await replays.holding(APP_ID, BySeq(1, 2), limit=10)
    await database["receipts"].update_one({"first_seq": 1}, {"$set": {"attempts": 1}})

    renewed = await replays.renew(APP_ID, {"msg_a": first, "msg_b": second}, NOW)

    heads = await replays.holding(APP_ID, BySeq(1, 2), limit=10)
    assert renewed == 1
    assert [head.webhook_id for head in heads] == [first.webhook_id, "msg_b"]


async def test_a_renewed_call_is_nobodys_any_more(database: Database) -> None:
    await record(database, 1)
    replays = ReceiptReplayRepository(database)
    await database["receipts"].update_one({}, {"$set": {"claimed_until": NOW}})
    (head,) = await replays.holding(APP_ID, BySeq(1, 1), limit=10)

    await replays.renew(APP_ID, {"msg_a": head}, NOW)

    row = await database["receipts"].find_one({"app_id": APP_ID})
    assert "claimed_until" not in row


async def test_a_time_begins_with_its_first_instant_and_ends_before_its_last(
    database: Database,
) -> None:
    await record(database, 1)
    replays, second = ReceiptReplayRepository(database), timedelta(seconds=1)

    since = await replays.holding(APP_ID, ByTime(NOW, NOW + second), limit=10)
    until = await replays.holding(APP_ID, ByTime(NOW - second, NOW), limit=10)

    assert (len(since), len(until)) == (1, 0)


async def test_replays_use_indexes(database: Database) -> None:
    for chosen in (
        {"first_seq": {"$gte": 1, "$lte": 2}},
        {"ids": {"$in": ["x"]}},
        {"created_at": {"$gte": NOW, "$lt": NOW}},
    ):
        find = {"find": "receipts", "filter": {"app_id": "x"} | chosen, "sort": {"first_seq": 1}}
        plan = await database._raw.command({"explain": find})
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), chosen
