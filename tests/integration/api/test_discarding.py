"""Discarding dead letters: how many, once each, and nobody else's."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.clock import utc_now
from shared.storage.dead_letters import DeadLetter, DeadLetterRepository
from tests.builders import a_dead_letter
from tests.front_door import Api, Caller
from tests.integration.api.tenant import pointers

LIST = "/push/dead-letters"
FORMS = "exactly one of: ids; filter"


@pytest.fixture
async def app_id(api: Api) -> UUID:
    return await api.new_app()


def admin(api: Api, app_id: UUID) -> Caller:
    return api.user(app_id, roles=["admin"])


async def put(api: Api, app_id: UUID, count: int = 1, **changes: Any) -> list[str]:
    """The ids of dead letters, put there as a worker does it."""
    fields = {"app_id": app_id, "died_at": utc_now()} | changes
    letters = [a_dead_letter(**fields) for _ in range(count)]
    await DeadLetterRepository(api.database).put(letters)
    return [str(letter.dead_letter_id) for letter in letters]


async def discard(caller: Caller, app_id: UUID | None = None, **body: Any) -> httpx.Response:
    query = "" if app_id is None else f"?app_id={app_id}"
    return await caller.post(f"{LIST}/discard{query}", body)


async def discarded(caller: Caller, app_id: UUID | None = None, **body: Any) -> int:
    answer = await discard(caller, app_id, **body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["has_more"] is False
    count: int = answer.json()["discarded"]
    return count


async def left(api: Api, app_id: UUID) -> set[str]:
    answer = await admin(api, app_id).get(f"{LIST}?limit=1000")
    return {row["dead_letter_id"] for row in answer.json()["dead_letters"]}


async def test_letters_are_discarded_by_their_ids_once(api: Api, app_id: UUID) -> None:
    first, second, third = await put(api, app_id, 3)
    caller = admin(api, app_id)

    counts = [await discarded(caller, ids=[first, second, str(uuid4())]) for _ in range(2)]

    assert counts == [2, 0]
    assert await left(api, app_id) == {third}
    assert (await caller.get(f"{LIST}/{first}")).status_code == 404


async def test_letters_are_discarded_by_a_filter(api: Api, app_id: UUID) -> None:
    now = utc_now()
    (old,) = await put(api, app_id, died_at=now - timedelta(hours=2))
    await put(api, app_id, provider="apns", died_at=now - timedelta(hours=1))
    (poison,) = await put(api, app_id, reason="poison", died_at=now)
    caller = admin(api, app_id)
    half = {"since": (now - timedelta(hours=3)).isoformat(), "until": now.isoformat()}

    assert await discarded(caller, filter={"provider": "apns", "reason": "poison"}) == 0
    assert await discarded(caller, filter={"provider": "apns"} | half) == 1
    assert await left(api, app_id) == {old, poison}
    assert await discarded(caller, filter={"until": "0001-01-01T00:00:00+14:00"}) == 0
    assert await discarded(caller, filter={"reason": "poison"}) == 1
    assert await discarded(caller, filter={}) == 1
    assert await left(api, app_id) == set()


async def test_a_dry_run_counts_and_changes_nothing(api: Api, app_id: UUID) -> None:
    ids = await put(api, app_id, 3)
    caller = admin(api, app_id)

    assert await discarded(caller, filter={}, dry_run=True) == 3
    assert await discarded(caller, ids=ids[:2], dry_run=True) == 2

    assert await left(api, app_id) == set(ids)


async def test_more_than_ten_thousand_take_several_calls(api: Api, app_id: UUID) -> None:
    await put(api, app_id, 10_001)
    caller = admin(api, app_id)

    dry = (await discard(caller, filter={}, dry_run=True)).json()
    first = (await discard(caller, filter={})).json()
    second = (await discard(caller, filter={})).json()

    assert dry == first == {"discarded": 10_000, "has_more": True}
    assert second == {"discarded": 1, "has_more": False}


async def test_discarding_twice_at_once_counts_each_letter_once(api: Api, app_id: UUID) -> None:
    await put(api, app_id, 300)
    caller = admin(api, app_id)

    counts = await asyncio.gather(*(discarded(caller, filter={}) for _ in range(8)))

    assert sum(counts) == 300


async def test_one_letter_is_discarded_and_that_may_be_repeated(api: Api, app_id: UUID) -> None:
    first, second = await put(api, app_id, 2)
    caller = admin(api, app_id)

    answers = [await caller.delete(f"{LIST}/{first}") for _ in range(2)]

    assert [(a.status_code, a.json()) for a in answers] == [(200, {"status": "ok"})] * 2
    assert await left(api, app_id) == {second}


async def test_it_is_on_record_who_discarded(api: Api, app_id: UUID) -> None:
    (first,), user_id = await put(api, app_id), uuid4()

    await discarded(api.user(app_id, user_id, roles=["admin"]), ids=[first])

    row = await api.database["dead_letters"].find_one({"_id": UUID(first)})
    assert (row["closed_as"], row["closed_by"]) == ("discarded", str(user_id))
    assert row["closed_at"] <= utc_now()


async def test_foreign_letters_stay(api: Api, app_id: UUID) -> None:
    other = await api.new_app()
    theirs = await put(api, other)
    unreadable = DeadLetter(dead_letter_id=uuid4(), reason="unreadable", died_at=utc_now())
    await DeadLetterRepository(api.database).put([unreadable])
    caller = admin(api, app_id)
    foreign = [*theirs, str(unreadable.dead_letter_id)]

    assert await discarded(caller, ids=foreign) == 0
    assert await discarded(caller, filter={}) == 0
    for dead_letter_id in foreign:
        answer = await caller.delete(f"{LIST}/{dead_letter_id}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "Dead letter not found")
    assert (await discard(caller, other, ids=theirs)).status_code == 403

    assert await left(api, other) == set(theirs)
    assert await discarded(api.platform(), ids=[str(unreadable.dead_letter_id)]) == 1
    assert await discarded(api.platform(), other, ids=[*theirs, str(uuid4())]) == 1


async def test_who_may_not_discard(api: Api, app_id: UUID) -> None:
    (mine,) = await put(api, app_id)

    for caller in (api.service(app_id), api.user(app_id), api.user(uuid4(), roles=["admin"])):
        assert (await discard(caller, app_id, ids=[mine])).status_code == 403
        assert (await caller.delete(f"{LIST}/{mine}")).status_code in {403, 404}
    assert (await discard(Caller(api.http, None), ids=[mine])).status_code == 401

    assert await left(api, app_id) == {mine}


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "#", FORMS),
        ({"dry_run": True}, "#", FORMS),
        ({"ids": [str(uuid4())], "filter": {}}, "#", FORMS),
        ({"ids": []}, "#/ids", None),
        ({"ids": ["x"]}, "#/ids/0", None),
        ({"ids": None}, "#/ids", None),
        ({"ids": [str(UUID(int=n)) for n in range(1_001)]}, "#/ids", None),
        ({"filter": None}, "#/filter", None),
        ({"filter": {"provider": "email"}}, "#/filter/provider", None),
        ({"filter": {"provider": None}}, "#/filter/provider", None),
        ({"filter": {"reason": ""}}, "#/filter/reason", None),
        ({"filter": {"reason": {"$ne": 1}}}, "#/filter/reason", None),
        ({"filter": {"since": "2026-03-19T08:00:00"}}, "#/filter/since", None),
        ({"filter": {"app_id": str(uuid4())}}, "#/filter/app_id", None),
        ({"filter": {}, "dry_run": "yes"}, "#/dry_run", None),
    ],
)
async def test_a_bad_choice_is_named_and_nothing_is_discarded(
    api: Api, app_id: UUID, body: dict[str, Any], pointer: str, detail: str | None
) -> None:
    ids = await put(api, app_id)

    answer = await discard(admin(api, app_id), **body)

    assert pointers(answer) == [pointer]
    assert detail in {None, answer.json()["errors"][0]["detail"]}
    assert await left(api, app_id) == set(ids)
