"""Idempotency keys through the front door: one effect and the same answer, however often asked."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from shared.storage.mongo import connect
from shared.storage.schema import create_indexes
from tests.front_door import Api, running, settings_for
from tests.integration.api.keyed import KeyedTenant, a_keyed_tenant, told_apart, was_replayed
from tests.integration.api.tenant import TEXT, Body
from tests.servers import Servers


@pytest.fixture
async def tenant(api: Api) -> KeyedTenant:
    return await a_keyed_tenant(api)


@pytest.mark.parametrize("route", ["", "/bulk", "/batch"])
async def test_a_repeated_request_gets_the_first_answer(tenant: KeyedTenant, route: str) -> None:
    other = await tenant.api.new_user(tenant.app_id)
    users = [str(u) for u in (tenant.user_id, other, tenant.user_id)]
    rows = [tenant.body(user_id=user, title=f"n{i}") for i, user in enumerate(users)]
    bodies = {
        "": tenant.body(),
        "/bulk": {"user_ids": users, **TEXT},
        "/batch": {"notifications": rows},
    }

    answers = [await tenant.ask(bodies[route], "k", route=route) for _ in range(3)]

    assert [was_replayed(answer) for answer in answers] == [False, True, True]
    assert len({answer.content for answer in answers}) == 1
    assert "ratelimit" not in answers[1].headers
    assert len(await tenant.recorded()) == 1
    assert await tenant.charged() == {"": 1, "/bulk": 2, "/batch": 3}[route]


async def test_without_a_key_each_request_is_one_of_its_own(tenant: KeyedTenant) -> None:
    answers = [await tenant.ask(tenant.body()) for _ in range(2)]
    assert not any(was_replayed(answer) for answer in answers)
    assert len(await tenant.recorded()) == 2


@pytest.mark.parametrize("route", ["", "/bulk", "/batch"])
async def test_a_key_stands_for_one_request(tenant: KeyedTenant, route: str) -> None:
    await tenant.ask(tenant.body(), "k")
    bodies = {
        "": tenant.body(title="other"),
        "/bulk": {"user_ids": [str(tenant.user_id)], **TEXT},
        "/batch": {"notifications": [tenant.body()]},
    }

    answer = await tenant.ask(bodies[route], "k", route=route)

    assert answer.status_code == 422
    assert answer.json()["detail"] == "Idempotency key was used for another request"
    assert len(await tenant.recorded()) == await tenant.charged() == 1


async def test_the_same_route_by_another_spelling_is_the_same_request(tenant: KeyedTenant) -> None:
    await tenant.ask(tenant.body(), "k")
    again = await tenant.ask(tenant.body(), "k", route="/")
    assert was_replayed(again)


async def test_a_quoted_key_is_the_bare_one(tenant: KeyedTenant) -> None:
    first = await tenant.ask(tenant.body(), "k-1")
    again = await tenant.ask(tenant.body(), '"k-1"')
    assert (was_replayed(again), again.content) == (True, first.content)


@pytest.mark.parametrize("key", ["k" * 255, '"' + "k" * 255 + '"', '"a b"', "!~#"])
async def test_a_key_may_be_anything_printable(tenant: KeyedTenant, key: str) -> None:
    answers = [await tenant.ask(tenant.body(), key) for _ in range(2)]
    assert [was_replayed(answer) for answer in answers] == [False, True]


@pytest.mark.parametrize(
    "keys",
    [
        [""],
        ['""'],
        ["k" * 256],
        ['"' + "k" * 256 + '"'],
        ["a b"],
        ["a\x01b"],
        ["a\x7f"],
        ["a\tb"],
        ['a"b'],
        ['"a'],
        ["a\\b"],
        ["\u00e9".encode()],
        [b"\xff"],
        ["a, b"],
        ["a", "a"],
        ["a", "b"],
        ["a", ""],
    ],
)
async def test_a_bad_key_is_refused(tenant: KeyedTenant, keys: list[str | bytes]) -> None:
    answer = await tenant.ask(tenant.body(), *keys)
    assert (answer.status_code, answer.json()["detail"]) == (400, "Validation failed")
    assert [e["pointer"] for e in answer.json()["errors"]] == ["#/Idempotency-Key"]
    assert await tenant.recorded() == []


async def test_a_key_is_its_apps_own(api: Api, tenant: KeyedTenant) -> None:
    other = await a_keyed_tenant(api)
    answers = [await one.ask(one.body(), "k") for one in (tenant, other)]
    assert not any(was_replayed(answer) for answer in answers)
    assert answers[0].content != answers[1].content


async def test_a_stranger_is_refused_and_the_key_is_free_again(tenant: KeyedTenant) -> None:
    stranger = uuid4()
    body = tenant.body(user_id=str(stranger))
    refused = await tenant.ask(body, "k")
    await tenant.api.platform().put(f"/push/apps/{tenant.app_id}/users/{stranger}")

    accepted = await tenant.ask(body, "k")

    assert (refused.status_code, refused.json()["detail"]) == (400, "User not enrolled")
    assert not was_replayed(accepted)


async def test_what_was_over_quota_may_be_asked_for_again(api: Api) -> None:
    tenant = await a_keyed_tenant(api, daily_quota=0)
    refused = await tenant.ask(tenant.body(), "k")
    await api.platform().patch(f"/push/config/{tenant.app_id}", {"daily_quota": 1})

    answers = [await tenant.ask(tenant.body(), "k") for _ in range(2)]

    assert refused.status_code == 429
    assert [was_replayed(answer) for answer in answers] == [False, True]
    assert await tenant.charged() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"badge": -1},
        {"send_at": "2020-01-01T00:00:00Z"},
        {"overrides": {"apns": {"notification_id": "x"}}},
    ],
)
async def test_a_faulty_request_may_be_mended_under_its_key(
    tenant: KeyedTenant, wrong: Body
) -> None:
    refused = await tenant.ask(tenant.body(**wrong), "k")
    mended = await tenant.ask(tenant.body(), "k")
    assert (refused.status_code, was_replayed(mended)) == (400, False)


async def test_200_requests_at_once_have_one_effect(tenant: KeyedTenant) -> None:
    answers = await asyncio.gather(*(tenant.ask(tenant.body(), "k") for _ in range(200)))

    answered, counts = told_apart(answers)
    assert set(counts) <= {200, 409}
    assert list(answered) == await tenant.recorded()
    assert await tenant.charged() == 1
    assert was_replayed(await tenant.ask(tenant.body(), "k"))


async def test_a_key_holds_in_every_process(servers: Servers) -> None:
    settings = settings_for(servers, amqp_url=servers.rabbitmq.create_vhost("two-doors"))
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(connect(settings))
        await create_indexes(database)
        doors = [await stack.enter_async_context(running(settings, database)) for _ in range(2)]
        tenant = await a_keyed_tenant(doors[0])

        rounds = [
            await asyncio.gather(
                *(tenant.ask_at(doors[i % 2], tenant.body(), key) for i in range(40))
            )
            for key in ("k1", "k2", "k3")
        ]
        outcomes = [told_apart(answers) for answers in rounds]
        recorded, charged = await tenant.recorded(), await tenant.charged()
        await database.drop()

    assert [len(answered) for answered, _ in outcomes] == [1, 1, 1]
    assert set().union(*(answered for answered, _ in outcomes)) == set(recorded)
    assert len(recorded) == charged == 3


async def test_a_refusal_is_never_answered_from_what_was_kept(tenant: KeyedTenant) -> None:
    await tenant.ask(tenant.body(), "k")
    await tenant.api.platform().patch(f"/push/config/{tenant.app_id}", {"enabled": False})
    answer = await tenant.ask(tenant.body(), "k")
    assert (answer.status_code, answer.json()["detail"]) == (403, "Push not enabled")
