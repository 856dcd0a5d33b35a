"""Idempotency keys when time passes and processes die between two steps."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from deploy.local.mongod import Mongod
from shared.clock import utc_now
from shared.domain.sends import Send
from shared.storage.mongo import connect
from shared.storage.sends import SendRepository
from tests.front_door import Api, running, served, settings_for
from tests.integration.api.keyed import a_keyed_tenant, send_id_of, told_apart, was_replayed
from tests.servers import Servers

DAY = timedelta(hours=24)


class MovableClock:
    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self._ahead

    def forward(self, **time: float) -> None:
        self._ahead += timedelta(**time)


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="module")
async def clocked(servers: Servers, clock: MovableClock) -> AsyncIterator[Api]:
    """An API whose clock the tests move."""
    async with served(servers, "idempotency", clock) as api:
        yield api


async def test_a_record_whose_process_died_is_found_by_its_claim(
    clocked: Api, clock: MovableClock
) -> None:
    tenant = await a_keyed_tenant(clocked)
    first = await tenant.ask(tenant.body(), "k")
    await tenant.forget_answer()

    clock.forward(seconds=5)
    early = await tenant.ask(tenant.body(), "k")
    clock.forward(seconds=6)
    late = [await tenant.ask(tenant.body(), "k") for _ in range(2)]

    assert (early.status_code, early.headers["retry-after"]) == (409, "1")
    assert [was_replayed(answer) for answer in late] == [True, True]
    assert {answer.content for answer in late} == {first.content}
    assert len(await tenant.recorded()) == await tenant.charged() == 1


async def test_what_a_dead_process_left_undone_is_done_once(
    clocked: Api, clock: MovableClock
) -> None:
    tenant = await a_keyed_tenant(clocked)
    await tenant.ask(tenant.body(), "k")
    claim = (await tenant.forget_record())["claim"]
    clock.forward(seconds=11)

    answers = await asyncio.gather(*(tenant.ask(tenant.body(), "k") for _ in range(50)))
    was_late = await SendRepository(clocked.database).insert(*tenant.late(), claim=claim)

    answered, counts = told_apart(answers)
    assert set(counts) <= {200, 409}
    assert list(answered) == await tenant.recorded()
    assert was_late is False
    assert await tenant.charged() == 1 + 1  # the dead one's unit is the price of a crash


async def test_a_dead_process_that_records_after_all_wins_or_loses_whole(
    clocked: Api, clock: MovableClock
) -> None:
    sends = SendRepository(clocked.database)
    for number in range(12):
        tenant = await a_keyed_tenant(clocked)
        await tenant.ask(tenant.body(), "k")
        claim = (await tenant.forget_record())["claim"]
        clock.forward(seconds=11)
        late, chunks = tenant.late()

        async def record(send: Send = late, after: int = number, claim: UUID = claim) -> bool:
            for _ in range(after * 8):  # so that it meets the other one at ever later steps
                await asyncio.sleep(0)
            return await sends.insert(send, [], claim=claim)

        answer, won = await asyncio.gather(tenant.ask(tenant.body(), "k"), record())

        assert chunks == []
        assert await tenant.recorded() == [send_id_of(answer)]
        assert (send_id_of(answer) == late.send_id) is won is was_replayed(answer)
        assert await tenant.charged() == (1 if won else 2)


async def test_a_request_for_another_body_never_takes_over(
    clocked: Api, clock: MovableClock
) -> None:
    tenant = await a_keyed_tenant(clocked)
    await tenant.ask(tenant.body(), "k")
    await tenant.forget_record()
    clock.forward(seconds=11)

    answer = await tenant.ask(tenant.body(title="other"), "k")

    assert answer.status_code == 422
    assert await tenant.recorded() == []


async def test_a_refusal_does_not_free_the_key_of_a_request_that_may_yet_be_recorded(
    clocked: Api, clock: MovableClock
) -> None:
    tenant = await a_keyed_tenant(clocked, daily_quota=1)
    await tenant.ask(tenant.body(), "k")
    claim = (await tenant.forget_record())["claim"]
    clock.forward(seconds=11)

    refused = await tenant.ask(tenant.body(), "k")  # the slow one has charged the last unit
    late, chunks = tenant.late()
    assert await SendRepository(clocked.database).insert(late, chunks, claim=claim)
    await clocked.platform().patch(f"/push/config/{tenant.app_id}", {"daily_quota": 10})
    answer = await tenant.ask(tenant.body(), "k")

    assert refused.status_code == 429
    assert (was_replayed(answer), send_id_of(answer)) == (True, late.send_id)
    assert len(await tenant.recorded()) == await tenant.charged() == 1


async def test_a_key_is_kept_for_24_hours(clocked: Api, clock: MovableClock) -> None:
    tenant = await a_keyed_tenant(clocked)
    first = await tenant.ask(tenant.body(), "k")
    kept_for = (await tenant.entry())["expires_at"] - clock()

    clock.forward(hours=23, minutes=59)
    replayed = await tenant.ask(tenant.body(), "k")
    clock.forward(minutes=1)
    fresh = await tenant.ask(tenant.body(), "k")

    assert DAY - timedelta(seconds=30) < kept_for <= DAY
    assert (was_replayed(replayed), replayed.content) == (True, first.content)
    assert (was_replayed(fresh), fresh.content == first.content) == (False, False)


async def test_an_expired_key_is_begun_anew_once(clocked: Api, clock: MovableClock) -> None:
    tenant = await a_keyed_tenant(clocked)
    await tenant.ask(tenant.body(), "k")
    clock.forward(hours=24)

    answers = await asyncio.gather(
        *(tenant.ask(tenant.body(title="other"), "k") for _ in range(50))
    )

    answered, counts = told_apart(answers)
    assert (len(answered), set(counts) <= {200, 409}) == (1, True)
    assert len(await tenant.recorded()) == 2


async def test_what_became_of_a_request_during_an_outage_is_found_out(
    servers: Servers, tmp_path: Path
) -> None:
    mongod, clock = Mongod(tmp_path / "mongod", cache_gb=0.25), MovableClock()
    mongod.start()
    try:
        settings = settings_for(servers, mongo_url=mongod.url)
        async with connect(settings) as database, running(settings, database, clock) as api:
            tenant = await a_keyed_tenant(api)
            first: dict[str, httpx.Response] = {}

            async def ask(caller: int) -> None:
                """One request after another, until the database stands still amid them."""
                for number in itertools.takewhile(lambda _: len(first) < 30, itertools.count()):
                    key = f"{caller}-{number}"
                    first[key] = await tenant.ask(tenant.body(), key)
                    if len(first) == 30:
                        assert mongod.signal(signal.SIGSTOP)

            async def ask_again() -> list[httpx.Response]:
                return await asyncio.gather(*(tenant.ask(tenant.body(), key) for key in first))

            await asyncio.gather(*(ask(caller) for caller in range(20)))
            assert mongod.signal(signal.SIGCONT)
            early = await ask_again()
            clock.forward(seconds=11)
            second = await ask_again()

            _, seen = told_apart(early)
            unknown = sum(answer.status_code == 503 for answer in first.values())
            assert {answer.status_code for answer in first.values()} <= {200, 503}
            assert unknown + seen[409] > 0
            answered = [send_id_of(answer) for answer in second]
            assert sorted(answered) == sorted(await tenant.recorded())
            assert len(set(answered)) == len(first)
            assert len(first) <= await tenant.charged() <= len(first) + unknown
            for before, after in zip([*first.values(), *early], second + second, strict=True):
                assert before.status_code != 200 or before.content == after.content
    finally:
        mongod.signal(signal.SIGCONT)
        mongod.stop()
