"""Quotas, limits, leases and receipt numbers: exact under concurrency."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from shared import ids
from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.domain.credentials import PushyCredential
from shared.domain.receipts import Receipt
from shared.storage.credentials import CredentialRepository
from shared.storage.keys import KeyRepository, WrongKeyRing
from shared.storage.leases import LeaseRepository
from shared.storage.limits import LimitRepository, Window
from shared.storage.mongo import Database
from shared.storage.quotas import QuotaRepository
from shared.storage.receipt_calls import ReceiptCallRepository
from shared.storage.receipts import ReceiptRepository
from shared.storage.sends import SendRepository
from tests.builders import APP_ID, NOW, SEND_ID, USER_ID, a_receipt, a_send


async def test_a_quota_is_never_overspent(database: Database) -> None:
    quotas = QuotaRepository(database, lambda: NOW)

    charges = await asyncio.gather(*(quotas.charge(APP_ID, 1 + i % 7, 100) for i in range(60)))

    spent = sum(1 + i % 7 for i, charge in enumerate(charges) if charge.accepted)
    assert await quotas.used_today(APP_ID) == spent <= 100
    assert not all(charge.accepted for charge in charges)
    assert spent > 93


async def test_a_charge_is_whole_or_nothing_and_can_be_refunded(database: Database) -> None:
    quotas = QuotaRepository(database, lambda: NOW)
    first = await quotas.charge(APP_ID, 8, 10)

    refused = await quotas.charge(APP_ID, 3, 10)
    await quotas.refund(APP_ID, 8, first.day)

    assert (first.accepted, first.remaining) == (True, 2)
    assert (refused.accepted, refused.remaining) == (False, 2)
    assert (await quotas.charge(APP_ID, 10, 10)).accepted
    assert (await quotas.charge(APP_ID, 1, None)).accepted


async def test_a_new_utc_day_starts_from_zero(database: Database) -> None:
    now = NOW.replace(hour=23, minute=59, second=59, microsecond=999_000)
    quotas = QuotaRepository(database, lambda: now)
    await quotas.charge(APP_ID, 10, 10)

    now += timedelta(milliseconds=1)

    assert (await quotas.charge(APP_ID, 10, 10)).accepted


async def test_exactly_ten_registrations_in_any_hour(database: Database) -> None:
    now = NOW
    limits = LimitRepository(database, lambda: now)

    windows = await asyncio.gather(*(limits.try_registration(APP_ID, USER_ID) for _ in range(60)))

    assert sorted(w.remaining for w in windows if w.is_taken) == list(range(10))
    assert {w.frees_seconds for w in windows} == {3_600.0}
    now += timedelta(seconds=3_599.999)
    refused = await limits.try_registration(APP_ID, USER_ID)
    assert refused == Window(is_taken=False, remaining=0, frees_seconds=0.001)
    now += timedelta(milliseconds=1)
    assert (await limits.try_registration(APP_ID, USER_ID)).is_taken


async def test_a_window_slides_over_uses_at_different_instants(database: Database) -> None:
    now = NOW
    limits = LimitRepository(database, lambda: now)
    for minute in range(10):
        now = NOW + timedelta(minutes=minute)
        assert (await limits.try_registration(APP_ID, USER_ID)).is_taken

    now = NOW + timedelta(minutes=61)
    taken = [(await limits.try_registration(APP_ID, USER_ID)).is_taken for _ in range(4)]

    assert taken == [True, True, False, False]
    window = await limits.registrations(APP_ID, USER_ID)
    assert (window.remaining, window.frees_seconds) == (0, 60.0)


async def test_looking_at_a_window_takes_nothing(database: Database) -> None:
    limits = LimitRepository(database, lambda: NOW)

    before = await limits.registrations(APP_ID, USER_ID)
    await limits.try_registration(APP_ID, USER_ID)
    after = [await limits.registrations(APP_ID, USER_ID) for _ in range(3)]

    assert before == Window(is_taken=False, remaining=10, frees_seconds=0.0)
    assert {(window.remaining, window.frees_seconds) for window in after} == {(9, 3_600.0)}


async def test_clocks_that_differ_leave_a_window_whole(database: Database) -> None:
    ahead = LimitRepository(database, lambda: NOW + timedelta(seconds=2.5))
    behind = LimitRepository(database, lambda: NOW)

    tries = await asyncio.gather(
        *((ahead, behind)[i % 2].try_registration(APP_ID, USER_ID) for i in range(40))
    )

    assert sum(window.is_taken for window in tries) == 10
    assert (await behind.registrations(APP_ID, USER_ID)).remaining == 0
    assert {window.remaining for window in tries if not window.is_taken} == {0}


async def test_windows_are_per_app_and_user(database: Database) -> None:
    limits = LimitRepository(database, lambda: NOW)
    for _ in range(10):
        await limits.try_registration(APP_ID, USER_ID)

    others = [(APP_ID, SEND_ID), (SEND_ID, USER_ID)]

    assert all([(await limits.try_registration(*pair)).is_taken for pair in others])
    assert not (await limits.try_registration(APP_ID, USER_ID)).is_taken


async def test_a_window_is_tidied_long_after_its_last_use(database: Database) -> None:
    now = NOW
    limits = LimitRepository(database, lambda: now)
    await limits.try_registration(APP_ID, USER_ID)
    now += timedelta(minutes=30)
    await limits.try_registration(APP_ID, USER_ID)

    (document,) = await database["limits"].find({})

    assert document["expires_at"] == now + timedelta(hours=2)


async def test_failures_block_until_they_are_old(database: Database) -> None:
    now, window = NOW, timedelta(minutes=15)
    limits = LimitRepository(database, lambda: now)

    tries = await asyncio.gather(
        *(limits.try_failure("k", most=3, window=window) for _ in range(30))
    )

    assert sum(failure.is_taken for failure in tries) == 3
    assert {failure.frees_seconds for failure in tries} == {900}
    assert (await limits.try_failure("other", most=3, window=window)).is_taken
    now += window
    assert (await limits.try_failure("k", most=3, window=window)).is_taken


async def test_a_role_has_one_holder_at_a_time(database: Database) -> None:
    leases = LeaseRepository(database)

    got = await asyncio.gather(*(leases.acquire("r", f"w{i}", seconds=60) for i in range(10)))

    holder = f"w{got.index(True)}"
    assert got.count(True) == 1
    assert await leases.acquire("r", holder, seconds=60)
    assert not await leases.acquire("r", "stranger", seconds=60)
    await leases.release("r", holder)
    assert await leases.acquire("r", "stranger", seconds=60)


def a_body(_: UUID, receipts: Sequence[Receipt]) -> bytes:
    return repr([receipt.seq for receipt in receipts]).encode()


async def test_receipts_are_numbered_without_gaps_by_many_writers(database: Database) -> None:
    receipts = ReceiptRepository(database, utc_now)

    async def append(number: int) -> None:
        chunk = ids.chunk_id(SEND_ID, number)
        batch = [a_receipt(id=ids.receipt_id(chunk, i)) for i in range(1 + number % 5)]
        (call,) = await receipts.append(APP_ID, batch, a_body, to_be_posted=True)
        assert call.count == len(batch)

    await asyncio.gather(*(append(number) for number in range(30)))

    calls = await database["receipts"].find({"app_id": APP_ID}, sort=[("first_seq", 1)])
    numbers = [n for c in calls for n in range(c["first_seq"], c["first_seq"] + c["count"])]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == sum(1 + n % 5 for n in range(30))


async def test_a_receipt_is_recorded_once_and_its_call_offered_until_it_was_tried(
    database: Database,
) -> None:
    receipts, calls = ReceiptRepository(database, utc_now), ReceiptCallRepository(database)
    one, two = a_receipt(), a_receipt(id=ids.receipt_id(SEND_ID, 7))
    (first,) = await receipts.append(APP_ID, [one], a_body, to_be_posted=True)

    again = await receipts.append(APP_ID, [one], a_body, to_be_posted=True)
    partly = await receipts.append(APP_ID, [one, two], a_body, to_be_posted=True)
    noted = [await calls.note(first, state="received", next_attempt_at=None) for _ in range(2)]
    afterwards = await receipts.append(APP_ID, [one], a_body, to_be_posted=True)

    assert [call.webhook_id for call in again] == [first.webhook_id]
    assert [(call.first_seq, call.count) for call in partly] == [(1, 1), (2, 1)]
    assert noted == [True, False]
    assert afterwards == []


async def test_numbers_go_on_after_all_calls_were_pruned(database: Database) -> None:
    receipts = ReceiptRepository(database, utc_now)
    await receipts.append(APP_ID, [a_receipt()], a_body, to_be_posted=False)
    await database["receipts"].delete_many({})

    (call,) = await receipts.append(
        APP_ID, [a_receipt(id=ids.receipt_id(SEND_ID, 7))], a_body, to_be_posted=True
    )

    assert call.first_seq == 2


async def test_numbers_go_on_although_a_writer_died_before_it_noted_the_next(
    database: Database,
) -> None:
    await ReceiptRepository(database, utc_now).append(
        APP_ID, [a_receipt()], a_body, to_be_posted=True
    )
    await database["receipt_heads"].delete_many({})  # as if it had died between the two writes
    after = ReceiptRepository(database, utc_now)

    await after.append(APP_ID, [a_receipt()], a_body, to_be_posted=True)  # delivered again
    await database["receipts"].delete_many({})

    (call,) = await after.append(
        APP_ID, [a_receipt(id=ids.receipt_id(SEND_ID, 7))], a_body, to_be_posted=True
    )
    assert call.first_seq == 2


async def test_what_others_recorded_meanwhile_is_numbered_behind(database: Database) -> None:
    ours, theirs = (ReceiptRepository(database, utc_now) for _ in range(2))
    first = []

    for number, writer in enumerate([ours, ours, theirs, theirs, ours, theirs]):
        batch = [a_receipt(id=ids.receipt_id(SEND_ID, 10 * number + i)) for i in range(3)]
        (call,) = await writer.append(APP_ID, batch, a_body, to_be_posted=True)
        first.append(call.first_seq)

    assert first == [1, 4, 7, 10, 13, 16]


async def test_an_app_that_was_founded_again_begins_at_one(database: Database) -> None:
    now = NOW
    receipts = ReceiptRepository(database, lambda: now)
    await receipts.append(APP_ID, [a_receipt()], a_body, to_be_posted=True)
    for name in ("receipts", "receipt_heads"):
        await database[name].delete_many({})

    now += timedelta(seconds=15)
    (call,) = await receipts.append(APP_ID, [a_receipt()], a_body, to_be_posted=True)

    assert call.first_seq == 1


async def test_all_processes_share_one_key(database: Database, keyring: Keyring) -> None:
    keys = KeyRepository(database, keyring, utc_now)
    made = iter(range(100))

    def make() -> bytes:
        return f"key-{next(made)}".encode()

    got = await asyncio.gather(*(keys.get_or_create("issuer", make) for _ in range(20)))

    assert len(set(got)) == 1
    assert b"key-" not in repr(await database["keys"].find_one({"_id": "issuer"})).encode()


async def test_another_key_ring_is_noticed(database: Database, keyring: Keyring) -> None:
    await KeyRepository(database, keyring, utc_now).check_ring()
    await KeyRepository(database, keyring, utc_now).check_ring()

    with pytest.raises(WrongKeyRing, match="FANFARE_ENCRYPTION_KEYS"):
        await KeyRepository(database, Keyring({"k1": b"x" * 32}, b"h" * 32), utc_now).check_ring()


async def test_the_first_credential_stays_when_many_make_one(
    database: Database, keyring: Keyring
) -> None:
    credentials = CredentialRepository(database, keyring, utc_now)

    summaries = await asyncio.gather(
        *(
            credentials.put_if_absent(APP_ID, "pushy", PushyCredential(api_key=f"key-{i}"))
            for i in range(20)
        )
    )

    stored = await credentials.get(APP_ID, "pushy")
    assert isinstance(stored, PushyCredential)
    assert {summary.fingerprint for summary in summaries} == {stored.fingerprint}


async def test_unpublished_deliveries_are_counted(database: Database) -> None:
    sends = SendRepository(database)
    for number in range(3):
        send_id = ids.new_send_id(NOW)
        await sends.insert(a_send(send_id=send_id, delivery_count=number + 1), [])
    await sends.flag_published([send_id])

    assert await sends.count_unpublished() == 1 + 2
