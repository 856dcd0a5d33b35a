"""Leases exclude, progress moves forward only, and a lost lease loses no outcome."""

import asyncio
from datetime import timedelta

from shared.clock import utc_now
from shared.domain.deliveries import Progress, Target
from shared.storage.chunks import ChunkRepository, DeliveryProgress, Lease
from shared.storage.mongo import Database
from shared.storage.sends import SendRepository
from tests.builders import APP_ID, DEVICE_ID, NOW, SEND_ID, a_chunk, a_send

CHUNK = a_chunk(targets=(Target(0, DEVICE_ID), Target(0, DEVICE_ID)))
SENT = Progress("sent", None, 1, "m1", NOW)
RETRY = Progress("accepted", "503", 1, None, NOW, NOW + timedelta(seconds=5))


async def a_stored_chunk(database: Database) -> ChunkRepository:
    await SendRepository(database).insert(a_send(), [CHUNK])
    return ChunkRepository(database)


async def progress_of(chunks: ChunkRepository) -> dict[int, Progress]:
    (chunk,) = await chunks.of_send(APP_ID, SEND_ID)
    return chunk.progress


async def test_only_one_of_many_gets_a_lease(database: Database) -> None:
    chunks = await a_stored_chunk(database)

    results = await asyncio.gather(*(chunks.lease([CHUNK.chunk_id], f"w{i}") for i in range(20)))

    assert sum(len(result.leased) for result in results) == 1
    assert all(result.leased or CHUNK.chunk_id in result.held for result in results)


async def test_a_released_chunk_can_be_leased_again_until_it_is_done(database: Database) -> None:
    chunks = await a_stored_chunk(database)
    await chunks.lease([CHUNK.chunk_id], "w1")
    await chunks.release(finished=[], unfinished=[Lease(CHUNK.chunk_id, "w1")])

    again = await chunks.lease([CHUNK.chunk_id], "w2")
    await chunks.release(finished=[Lease(CHUNK.chunk_id, "w2")], unfinished=[])
    done = await chunks.lease([CHUNK.chunk_id], "w3")

    assert [chunk.chunk_id for chunk in again.leased] == [CHUNK.chunk_id]
    assert not done.leased
    assert not done.held


async def test_a_stranger_cannot_release_a_lease(database: Database) -> None:
    chunks = await a_stored_chunk(database)
    await chunks.lease([CHUNK.chunk_id], "w1")

    await chunks.release(finished=[Lease(CHUNK.chunk_id, "w2")], unfinished=[])

    assert CHUNK.chunk_id in (await chunks.lease([CHUNK.chunk_id], "w3")).held


async def test_progress_is_recorded_under_the_lease(database: Database) -> None:
    chunks = await a_stored_chunk(database)
    await chunks.lease([CHUNK.chunk_id], "w1")

    await chunks.record(
        [
            DeliveryProgress("w1", CHUNK.chunk_id, 0, SENT),
            DeliveryProgress("w1", CHUNK.chunk_id, 1, RETRY),
        ]
    )

    assert await progress_of(chunks) == {0: SENT, 1: RETRY}


async def test_an_outcome_counts_even_when_the_lease_was_lost(database: Database) -> None:
    chunks = await a_stored_chunk(database)

    await chunks.record([DeliveryProgress("late", CHUNK.chunk_id, 0, SENT)])

    assert await progress_of(chunks) == {0: SENT}


async def test_terminal_states_absorb_what_comes_late(database: Database) -> None:
    chunks = await a_stored_chunk(database)
    later = Progress("unknown", "timeout", 2, None, NOW)
    await chunks.record([DeliveryProgress("w1", CHUNK.chunk_id, 0, SENT)])
    await chunks.record([DeliveryProgress("w1", CHUNK.chunk_id, 1, RETRY)])

    await chunks.record(
        [
            DeliveryProgress("late", CHUNK.chunk_id, 0, later),
            DeliveryProgress("late", CHUNK.chunk_id, 1, later),
        ]
    )

    assert await progress_of(chunks) == {0: SENT, 1: later}


async def test_an_outcome_never_overwrites_a_terminal_state_under_a_lease(
    database: Database,
) -> None:
    chunks = await a_stored_chunk(database)
    await chunks.record([DeliveryProgress("late", CHUNK.chunk_id, 0, SENT)])
    await chunks.lease([CHUNK.chunk_id], "w1")

    await chunks.record(
        [
            DeliveryProgress("w1", CHUNK.chunk_id, 0, RETRY),
            DeliveryProgress("w1", CHUNK.chunk_id, 1, RETRY),
        ]
    )

    assert await progress_of(chunks) == {0: SENT, 1: RETRY}


async def test_leases_that_were_never_released_are_counted(database: Database) -> None:
    chunks = await a_stored_chunk(database)
    lapsed = {"$set": {"lease_until": utc_now() - timedelta(seconds=1)}}

    counts = []
    for number in range(3):
        counts.append((await chunks.lease([CHUNK.chunk_id], f"w{number}")).leased[0].times_left)
        await database["chunks"].update_one({"_id": CHUNK.chunk_id}, lapsed)
    await chunks.release(finished=[], unfinished=[Lease(CHUNK.chunk_id, "w2")])
    after = (await chunks.lease([CHUNK.chunk_id], "w9")).leased[0].times_left

    assert (counts, after) == ([0, 1, 2], 0)


async def test_overdue_chunks_are_found_once_in_a_while_until_they_are_done(
    database: Database,
) -> None:
    chunks = await a_stored_chunk(database)
    now = CHUNK.expires_at + timedelta(seconds=1)

    async def overdue(unless_swept_within: timedelta) -> int:
        swept_before = now - unless_swept_within
        return len(await chunks.overdue(expired_before=now, swept_before=swept_before, limit=9))

    assert await overdue(timedelta(minutes=10)) == 1
    await chunks.note_swept([CHUNK.chunk_id], now)
    assert await overdue(timedelta(minutes=10)) == 0
    assert await overdue(timedelta(minutes=-1)) == 1
    await chunks.lease([CHUNK.chunk_id], "w1")
    await chunks.release(finished=[Lease(CHUNK.chunk_id, "w1")], unfinished=[])
    assert await overdue(timedelta(minutes=-1)) == 0
