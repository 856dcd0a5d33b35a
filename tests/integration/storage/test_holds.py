"""Holds: one standing for all workers, whatever they find at the same moment."""

import asyncio
from datetime import timedelta
from uuid import UUID

from shared.domain.holds import DEAD_ALLOWED, NORMAL_FOR, Results, Standing
from shared.storage.holds import HoldRepository, Lane
from shared.storage.mongo import Database
from tests.builders import APP_ID, NOW, SEND_ID

LANE: Lane = (APP_ID, "fcm")


def dead(*numbers: int, taken: int = 0) -> Results:
    devices = [UUID(int=number) for number in numbers]
    return Results(fingerprint="f1", taken=taken, taken_at=NOW, dead=devices)


async def test_workers_that_race_deactivate_no_more_than_one_would(database: Database) -> None:
    workers = [HoldRepository(database) for _ in range(5)]
    await workers[0].judge(LANE, dead(taken=50), NOW)

    judged = await asyncio.gather(
        *(workers[n % 5].judge(LANE, dead(3 * n, 3 * n + 1, 3 * n + 2), NOW) for n in range(30))
    )

    allowed = [device for j in judged for device in j.judgement.may_be_deactivated]
    assert len(allowed) == len(set(allowed)) == DEAD_ALLOWED
    begun = [j for j in judged if j.judgement.standing.is_held and not j.before.is_held]
    assert len(begun) == 1


async def test_first_results_that_race_are_all_kept(database: Database) -> None:
    workers = [HoldRepository(database) for _ in range(8)]

    await asyncio.gather(*(w.judge(LANE, dead(n), NOW) for n, w in enumerate(workers)))

    assert (await workers[0].get(LANE)).sudden.dead == 8


async def test_a_hold_outlives_its_worker_and_is_no_other_lanes(database: Database) -> None:
    now = NOW + timedelta(microseconds=1_234_567)
    first = await HoldRepository(database).judge(LANE, dead(*range(50)), now)

    again = HoldRepository(database)

    assert await again.get(LANE) == first.judgement.standing
    assert (await again.get(LANE)).is_held
    assert await again.get((APP_ID, "apns")) == Standing()
    assert await again.get((SEND_ID, "fcm")) == Standing()
    assert await again.known([LANE, (APP_ID, "apns")]) == {LANE}


async def test_releasing_ends_a_hold_for_every_worker(database: Database) -> None:
    holds = HoldRepository(database)
    await holds.judge(LANE, dead(*range(50)), NOW)

    before = await holds.release(LANE, until=NOW + NORMAL_FOR, now=NOW)
    judged = await holds.judge(LANE, dead(*range(50)), NOW)

    assert before.held_since == NOW
    assert len(judged.judgement.may_be_deactivated) == 50
    assert not (await holds.get(LANE)).is_held


async def test_a_standing_of_an_earlier_version_keeps_its_hold(database: Database) -> None:
    earlier = {"fingerprint": "f1", "fingerprint_since": NOW, "held_since": NOW, "version": 7}
    counted = {"recent": [[NOW, None], [NOW, SEND_ID]], "normal_since": None, "app_id": APP_ID}
    await database["holds"].insert_one({"_id": f"{APP_ID}:fcm"} | earlier | counted)
    holds = HoldRepository(database)

    judged = await holds.judge(LANE, dead(1), NOW)

    assert judged.judgement.may_be_deactivated == frozenset()
    assert (await holds.get(LANE)).held_since == NOW
