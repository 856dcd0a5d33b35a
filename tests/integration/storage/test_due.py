"""Due rows: parked ones are woken when their credential changes, and only then."""

from datetime import datetime, timedelta

import pytest

from shared.crypto.keyring import Keyring
from shared.domain.credentials import PushyCredential
from shared.storage import due as due_rows
from shared.storage.credentials import CredentialRepository
from shared.storage.due import DueMessage, DueRepository, Parked
from shared.storage.mongo import Database
from tests.builders import APP_ID, NOW, SEND_ID

LATER = NOW + timedelta(minutes=10)


def a_row(parked: Parked | None = None, due_at: datetime = LATER) -> DueMessage:
    return DueMessage(due_at=due_at, exchange="x", routing_key="k", body=b"b", parked=parked)


async def ready(due: DueRepository) -> int:
    return len(await due.ready(limit=10_000))


async def test_only_what_another_credential_refused_is_woken(database: Database) -> None:
    due = DueRepository(database, lambda: NOW)
    await due.add(
        [
            a_row(),
            a_row(Parked(APP_ID, "fcm", "old")),
            a_row(Parked(APP_ID, "fcm", "")),
            a_row(Parked(APP_ID, "fcm", "new")),
            a_row(Parked(APP_ID, "apns", "old")),
            a_row(Parked(SEND_ID, "fcm", "old")),
        ]
    )

    assert await due.wake([Parked(APP_ID, "fcm", "new"), Parked(SEND_ID, "apns", "x")]) == 2
    assert await ready(due) == 2
    assert await due.wake([Parked(APP_ID, "fcm", "new")]) == 0
    assert await due.wake([]) == 0


async def test_what_is_woken_and_put_off_is_not_woken_again(database: Database) -> None:
    due = DueRepository(database, lambda: NOW)
    await due.add([a_row(Parked(APP_ID, "fcm", "old"))])
    await due.wake([Parked(APP_ID, "fcm", "new")])

    await due.put_off(await due.ready(limit=10), 30)

    assert await due.wake([Parked(APP_ID, "fcm", "new")]) == 0
    assert await ready(due) == 0


async def test_all_of_a_lane_are_woken_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_rows, "_WOKEN_PER_WRITE", 7)
    due = DueRepository(database, lambda: NOW)
    await due.add([a_row(Parked(APP_ID, "fcm", "f1")) for _ in range(50)])

    assert await due.wake_all(APP_ID, "fcm") == 50
    assert await ready(due) == 50


async def test_a_credential_that_was_stored_again_is_told_of(
    database: Database, keyring: Keyring
) -> None:
    now = NOW
    credentials = CredentialRepository(database, keyring, lambda: now)
    await credentials.put(SEND_ID, "pushy", PushyCredential(api_key="a"))
    await credentials.put(APP_ID, "pushy", PushyCredential(api_key="a"))
    now += timedelta(seconds=1)
    summary = await credentials.put(APP_ID, "pushy", PushyCredential(api_key="b"))

    assert await credentials.changed_since(NOW) == [Parked(APP_ID, "pushy", summary.fingerprint)]
