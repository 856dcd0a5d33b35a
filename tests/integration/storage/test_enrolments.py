"""Enrolments: enrolling again changes nothing, alone and at the same time."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from shared.storage.enrolments import EnrolmentRepository
from shared.storage.mongo import Database
from tests.builders import APP_ID, NOW, USER_ID


async def test_who_is_enrolled_stays_so_since_then(database: Database) -> None:
    now = NOW
    enrolments = EnrolmentRepository(database, lambda: now)
    await enrolments.enroll(APP_ID, [USER_ID])
    now += timedelta(days=1)
    other = uuid4()

    await enrolments.enroll(APP_ID, [other, USER_ID])

    rows = await database["enrolments"].find({"app_id": APP_ID})
    assert {row["user_id"]: row["enrolled_at"] for row in rows} == {USER_ID: NOW, other: now}
    assert await enrolments.enrolled(APP_ID, [USER_ID, other, uuid4()]) == {USER_ID, other}
    assert await enrolments.enrolled(uuid4(), [USER_ID, other]) == set()


async def test_many_may_enrol_the_same_users_at_once(database: Database) -> None:
    enrolments = EnrolmentRepository(database, lambda: NOW)
    users = [uuid4() for _ in range(500)]

    def some(turn: int) -> list[UUID]:
        return [*users[turn * 40 :], *users[: turn * 40]]

    await asyncio.gather(*(enrolments.enroll(APP_ID, some(turn)) for turn in range(10)))

    assert await enrolments.enrolled(APP_ID, users) == set(users)
    assert await database["enrolments"].count({"app_id": APP_ID}) == 500


async def test_nobody_can_be_enrolled(database: Database) -> None:
    await EnrolmentRepository(database, lambda: NOW).enroll(APP_ID, [])
    assert await database["enrolments"].count({}) == 0


async def test_a_withdrawn_user_can_be_enrolled_again(database: Database) -> None:
    enrolments = EnrolmentRepository(database, lambda: NOW)
    await enrolments.enroll(APP_ID, [USER_ID])

    withdrawn = [await enrolments.withdraw(APP_ID, USER_ID) for _ in range(2)]
    await enrolments.enroll(APP_ID, [USER_ID])

    assert withdrawn == [True, False]
    assert await enrolments.is_enrolled(APP_ID, USER_ID)
