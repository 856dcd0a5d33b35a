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
from shared.storage.limits import LimitRepository
from shared.storage.mongo import Database
from shared.storage.quotas import QuotaRepository
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

    waits = await asyncio.gather(*(limits.try_registration(APP_ID, USER_ID) for _ in range(60)))

    assert waits.count(None) == 10
    assert {wait for wait in waits if wait is not None} == {3_600.0}
    now += timedelta(seconds=3_599)
    assert await limits.try_registration(APP_ID, USER_ID) == 1.0
    now += timedelta(seconds=1)
    assert await limits.try_registration(APP_ID, USER_ID) is None


async def test_failures_block_until_they_are_old(database: Database) -> None:
    now, window = NOW, timedelta(minutes=15)
    limits = LimitRepository(database, lambda: now)
    for _ in range(3):
        assert await limits.blocked_for("k", most=3, window=window) is None
        await limits.record_failure("k", most=3, window=window)

    assert await limits.blocked_for("k", most=3, window=window) == 900
    assert await limits.blocked_for("other", most=3, window=window) is None
    now += window
    assert await limits.blocked_for("k", most=3, window=window) is None


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
    receipts = ReceiptRepository(database, utc_now)
    one, two = a_receipt(), a_receipt(id=ids.receipt_id(SEND_ID, 7))
    (first,) = await receipts.append(APP_ID, [one], a_body, to_be_posted=True)

    again = await receipts.append(APP_ID, [one], a_body, to_be_posted=True)
    partly = await receipts.append(APP_ID, [one, two], a_body, to_be_posted=True)
    noted = [await receipts.note(first, state="received", next_attempt_at=None) for _ in range(2)]
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
