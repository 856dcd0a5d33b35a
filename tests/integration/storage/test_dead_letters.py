"""Dead letters: once each, page by page, whoever they belong to."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pymongo
import pytest

from shared.storage.dead_letters import (
    Closing,
    DeadLetter,
    DeadLetterFilter,
    DeadLetterRepository,
)
from shared.storage.mongo import Database
from tests.builders import APP_ID, NOW, a_dead_letter
from tests.servers import Servers

EVERY = DeadLetterFilter()
OF_APP = DeadLetterFilter(app_id=APP_ID)
DISCARDED = Closing(NOW, "discarded", "somebody")


async def pages(
    letters: DeadLetterRepository, chosen: DeadLetterFilter, limit: int
) -> list[list[DeadLetter]]:
    found, after = [], None
    while page := await letters.page(chosen, after=after, limit=limit):
        found.append(page)
        after = page[-1].dead_letter_id
    return found


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_pages_hold_every_letter_once_newest_first(database: Database, limit: int) -> None:
    letters = DeadLetterRepository(database)
    made = [a_dead_letter(died_at=NOW + timedelta(seconds=n // 4)) for n in range(11)]
    await letters.put(made)

    found = [letter for page in await pages(letters, OF_APP, limit) for letter in page]

    order = sorted(made, key=lambda m: (m.died_at, m.dead_letter_id.bytes), reverse=True)
    assert found == order


async def test_a_letter_that_is_put_twice_stands_once_as_it_was(database: Database) -> None:
    letters = DeadLetterRepository(database)
    letter = a_dead_letter()
    await letters.put([letter])

    await letters.put([letter, a_dead_letter(dead_letter_id=letter.dead_letter_id, attempts=9)])

    assert await letters.page(EVERY, after=None, limit=10) == [letter]
    assert await letters.get(letter.dead_letter_id) == letter


async def test_filters_let_through_what_fits_all_of_them(database: Database) -> None:
    letters = DeadLetterRepository(database)
    made = {
        "plain": a_dead_letter(),
        "provider": a_dead_letter(provider="apns"),
        "reason": a_dead_letter(reason="poison"),
        "later": a_dead_letter(died_at=NOW + timedelta(hours=1)),
        "other app": a_dead_letter(app_id=uuid4()),
        "no app": DeadLetter(dead_letter_id=uuid4(), reason="unreadable", died_at=NOW, raw=b"x"),
    }
    await letters.put(list(made.values()))
    chosen = {
        DeadLetterFilter(app_id=APP_ID): {"plain", "provider", "reason", "later"},
        DeadLetterFilter(provider="apns"): {"provider"},
        DeadLetterFilter(reason="poison"): {"reason"},
        DeadLetterFilter(app_id=APP_ID, provider="apns", reason="poison"): set(),
        DeadLetterFilter(since=NOW + timedelta(hours=1)): {"later"},
        DeadLetterFilter(app_id=APP_ID, until=NOW + timedelta(hours=1)): {
            "plain",
            "provider",
            "reason",
        },
        DeadLetterFilter(reason="unreadable"): {"no app"},
        EVERY: set(made),
    }
    names = {letter.dead_letter_id: name for name, letter in made.items()}

    for filters, expected in chosen.items():
        found = await letters.page(filters, after=None, limit=100)
        assert {names[letter.dead_letter_id] for letter in found} == expected, filters


async def test_a_list_leaves_out_what_cannot_be_read(database: Database) -> None:
    letters = DeadLetterRepository(database)
    letter = DeadLetter(dead_letter_id=uuid4(), reason="unreadable", died_at=NOW, raw=b"\xff")
    await letters.put([letter])

    (listed,) = await letters.page(EVERY, after=None, limit=10)
    kept = await letters.get(letter.dead_letter_id)

    assert (listed.raw, kept) == (None, letter)


async def test_behind_a_letter_that_is_not_there_is_nothing(database: Database) -> None:
    letters = DeadLetterRepository(database)
    foreign = a_dead_letter(app_id=uuid4(), died_at=NOW + timedelta(days=1))
    await letters.put([a_dead_letter(), foreign])

    for after in (uuid4(), UUID(int=0), foreign.dead_letter_id):
        assert await letters.page(OF_APP, after=after, limit=10) == []
    assert len(await letters.page(EVERY, after=foreign.dead_letter_id, limit=10)) == 1


async def test_a_closed_letter_is_out_of_sight_and_is_a_place_still(database: Database) -> None:
    letters = DeadLetterRepository(database)
    first, second, third = (a_dead_letter(died_at=NOW - timedelta(hours=n)) for n in range(3))
    await letters.put([first, second, third])

    assert await letters.close([second.dead_letter_id, uuid4()], DISCARDED) == 1

    assert await letters.page(OF_APP, after=None, limit=10) == [first, third]
    assert await letters.page(OF_APP, after=second.dead_letter_id, limit=10) == [third]
    assert await letters.newest(EVERY, limit=10) == [first.dead_letter_id, third.dead_letter_id]
    assert await letters.get(second.dead_letter_id) is None
    assert await letters.get(second.dead_letter_id, also_closed=True) == second


async def test_a_settlement_that_is_repeated_does_not_bring_a_letter_back(
    database: Database,
) -> None:
    letters = DeadLetterRepository(database)
    letter = a_dead_letter()
    await letters.put([letter])
    await letters.close([letter.dead_letter_id], DISCARDED)

    await letters.put([letter])

    assert await letters.page(EVERY, after=None, limit=10) == []


async def test_letters_that_many_close_at_once_are_counted_once(database: Database) -> None:
    made = [a_dead_letter() for _ in range(50)]
    await DeadLetterRepository(database).put(made)
    ids = [letter.dead_letter_id for letter in made]

    closed = await asyncio.gather(
        *(DeadLetterRepository(database).close(ids, DISCARDED) for _ in range(8))
    )

    assert sum(closed) == 50


async def test_what_cannot_be_read_is_forgotten_with_its_letter(database: Database) -> None:
    letters = DeadLetterRepository(database)
    letter = DeadLetter(dead_letter_id=uuid4(), reason="unreadable", died_at=NOW, raw=b"\xff")
    await letters.put([letter])

    await letters.close([letter.dead_letter_id], DISCARDED)

    kept = await letters.get(letter.dead_letter_id, also_closed=True)
    assert kept is not None
    assert kept.raw is None


@pytest.mark.parametrize(
    "chosen",
    [
        EVERY,
        OF_APP,
        DeadLetterFilter(app_id=APP_ID, reason="rare"),
        DeadLetterFilter(reason="rare"),
        DeadLetterFilter(app_id=APP_ID, since=NOW, until=NOW + timedelta(seconds=1_300)),
    ],
    ids=["all", "app", "its reason", "reason", "time"],
)
async def test_a_page_reads_little_more_than_it_shows(
    database: Database, servers: Servers, chosen: DeadLetterFilter
) -> None:
    letters = DeadLetterRepository(database)
    app_ids, reasons = [APP_ID, uuid4()], ["common"] * 99 + ["rare"]
    made = [
        a_dead_letter(
            died_at=NOW + timedelta(seconds=n),
            app_id=app_ids[n // 2 % 2],
            reason=reasons[n // 4 % 100],
        )
        for n in range(3_000)
    ]
    await letters.put(made)
    await letters.close([letter.dead_letter_id for letter in made[1_500:]], DISCARDED)

    client: pymongo.AsyncMongoClient[dict[str, Any]]
    async with pymongo.AsyncMongoClient(servers.mongod.url) as client:
        before = await client.admin.command("serverStatus")
        first = await letters.page(chosen, after=None, limit=5)
        await letters.page(chosen, after=first[-1].dead_letter_id, limit=5)
        read = await client.admin.command("serverStatus")

    assert len(first) == 5
    assert scanned(read) - scanned(before) < 500  # of 3,000; the server has errands of its own


def scanned(status: dict[str, Any]) -> int:
    """Documents and keys that the server has looked at."""
    metrics: dict[str, int] = status["metrics"]["queryExecutor"]
    return metrics["scannedObjects"] + metrics["scanned"]
