"""The registration limit: exactly ten in any 60 minutes, whichever process a caller asks."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from shared.clock import utc_now
from shared.storage.mongo import connect
from tests.front_door import Api, Caller, running, settings_for
from tests.servers import Servers


class Clock:
    """The present of the first call, until somebody moves it."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Two:
    """Two applications over one database, and the clock of both."""

    def __init__(self, one: Api, other: Api, clock: Clock) -> None:
        self.one, self.other, self.clock = one, other, clock

    def callers(self, app_id: UUID, user_id: UUID) -> tuple[Caller, Caller]:
        return self.one.user(app_id, user_id), self.other.user(app_id, user_id)


@pytest.fixture(scope="module")
async def two(servers: Servers) -> AsyncIterator[Two]:
    settings = settings_for(servers, amqp_url=servers.rabbitmq.create_vhost("limit"))
    clock = Clock()
    async with (
        connect(settings) as database,
        running(settings, database, clock) as one,
        running(settings, database, clock) as other,
    ):
        yield Two(one, other, clock)
        await database.drop()


async def register(caller: Caller, app_id: UUID, token: str) -> httpx.Response:
    body = {"app_id": str(app_id), "platform": "android", "push_token": token}
    return await caller.post("/push/devices/register", body)


def limit_of(answer: httpx.Response) -> tuple[int, int]:
    """What is left, and in how many seconds one comes back."""
    assert answer.headers["ratelimit-policy"] == '"registrations";q=10;w=3600'
    found = re.fullmatch(r'"registrations";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    assert found
    return int(found[1]), int(found[2])


async def test_two_processes_let_ten_of_sixty_concurrent_tries_pass(two: Two) -> None:
    app_id, user_id = await two.one.new_app(), uuid4()
    callers = two.callers(app_id, user_id)

    answers = await asyncio.gather(
        *(register(callers[i % 2], app_id, f"token-{i}") for i in range(60))
    )

    assert sorted(a.status_code for a in answers) == [201] * 10 + [429] * 50
    left = sorted(limit_of(answer)[0] for answer in answers if answer.status_code == 201)
    assert left == list(range(10))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {(a.json()["detail"], a.headers["retry-after"], limit_of(a)) for a in refused} == {
        ("Too many registrations", "3600", (0, 3_600))
    }
    assert len(await two.one.database["devices"].find({"app_id": app_id})) == 10


async def test_a_try_passes_after_retry_after_and_not_before(two: Two) -> None:
    app_id, user_id = await two.one.new_app(), uuid4()
    for number in range(10):
        two.clock.forward(seconds=7, milliseconds=250)
        one, _ = two.callers(app_id, user_id)
        assert (await register(one, app_id, f"token-{number}")).status_code == 201
    refused = await register(one, app_id, "eleventh")
    wait = int(refused.headers["retry-after"])
    assert (refused.status_code, wait) == (429, 3_600 - 65)  # the tenth came 65.25 s later

    two.clock.forward(seconds=wait - 1)
    one, other = two.callers(app_id, user_id)
    too_early = [await register(caller, app_id, "eleventh") for caller in (one, other)]
    two.clock.forward(seconds=1)
    one, other = two.callers(app_id, user_id)
    in_time = await register(other, app_id, "eleventh")
    too_many = await register(one, app_id, "twelfth")

    assert [a.status_code for a in (*too_early, in_time, too_many)] == [429, 429, 201, 429]
    assert {answer.headers["retry-after"] for answer in too_early} == {"1"}
    assert limit_of(in_time) == (0, 7)  # the second falls out 7.25 s after the first
    assert too_many.headers["retry-after"] == "7"


async def test_every_registration_says_what_is_left(two: Two) -> None:
    app_id, user_id = await two.one.new_app(), uuid4()
    one, other = two.callers(app_id, user_id)

    first = await register(one, app_id, "a")
    two.clock.forward(seconds=600)
    second = await register(other, app_id, "b")
    known = await register(one, app_id, "a")
    two.clock.forward(seconds=3_000)
    third = await register(two.one.user(app_id, user_id), app_id, "c")
    two.clock.forward(seconds=7_200)
    forgotten = await register(two.one.user(app_id, user_id), app_id, "a")

    limits = [limit_of(answer) for answer in (first, second, known, third, forgotten)]
    assert limits == [(9, 3_600), (8, 3_000), (8, 3_000), (8, 600), (10, 0)]
    assert first.json() == known.json() == forgotten.json()


async def test_a_refused_registration_has_no_effect(two: Two) -> None:
    app_id, user_id = await two.one.new_app(), uuid4()
    one, _ = two.callers(app_id, user_id)
    for number in range(10):
        await register(one, app_id, f"token-{number}")
    await two.one.platform().delete(f"/push/apps/{app_id}/users/{user_id}")

    refused = await register(one, app_id, "eleventh")

    assert refused.status_code == 429
    assert (await two.one.platform().get(f"/push/apps/{app_id}/users/{user_id}")).status_code == 404
    assert len(await two.one.database["devices"].find({"app_id": app_id})) == 10


async def test_windows_are_per_app_and_user(two: Two) -> None:
    apps, user_id = [await two.one.new_app() for _ in range(2)], uuid4()
    caller = two.one.user(apps[0], user_id)
    statuses = [(await register(caller, apps[0], f"t{n}")).status_code for n in range(11)]
    assert statuses == [201] * 10 + [429]

    elsewhere = await register(two.one.user(apps[1], user_id), apps[1], "t")
    somebody = await register(two.one.user(apps[0], uuid4()), apps[0], "u")

    assert (limit_of(elsewhere)[0], limit_of(somebody)[0]) == (9, 9)


async def test_a_refusal_for_another_reason_takes_nothing(two: Two) -> None:
    app_id, user_id = await two.one.new_app(), uuid4()
    one, _ = two.callers(app_id, user_id)
    assert (await register(one, app_id, "")).status_code == 400
    assert (await register(one, uuid4(), "t")).status_code == 404

    assert limit_of(await register(one, app_id, "t")) == (9, 3_600)
