"""Notifications page by page, and what is left of the quota that they are charged to."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import ids
from shared.clock import utc_now
from shared.domain.deliveries import Progress
from shared.storage.chunks import ChunkRepository, DeliveryProgress
from tests.front_door import Api, Caller
from tests.integration.api.tenant import Body, Tenant, a_tenant, pointers

LIST = "/push/notifications"


@pytest.fixture
async def tenant(api: Api) -> Tenant:
    return await a_tenant(api)


async def pages(caller: Caller, query: str) -> AsyncIterator[list[Body]]:
    """Every page, each asked for when the one before has been looked at."""
    cursor = ""
    while True:
        answer = await caller.get(f"{LIST}?{query}{cursor}")
        assert answer.status_code == 200, answer.text
        yield answer.json()["notifications"]
        if "next_cursor" not in answer.json():
            return
        cursor = f"&cursor={answer.json()['next_cursor']}"


async def everything(caller: Caller, query: str = "limit=1000") -> list[str]:
    return [row["notification_id"] async for page in pages(caller, query) for row in page]


async def some_sends(tenant: Tenant) -> list[str]:
    """Single ones and bulks, in the order of their acceptance."""
    others = [await tenant.new_user() for _ in range(6)]
    made = [await tenant.sent()]
    made += (await tenant.bulk(*others)).json()["notification_ids"]
    made += [await tenant.sent(title="2")]
    made += (await tenant.bulk(tenant.user_id, others[0])).json()["notification_ids"]
    made += (await tenant.batch({}, {}, {})).json()["notification_ids"]
    return made


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 12, 13, 14, 1_000])
async def test_pages_hold_every_notification_once_newest_first(tenant: Tenant, limit: int) -> None:
    made = await some_sends(tenant)
    service = tenant.api.service(tenant.app_id)

    seen = [page async for page in pages(service, f"limit={limit}")]

    listed = [row["notification_id"] for page in seen for row in page]
    assert listed == sorted(made, reverse=True)
    assert [len(page) for page in seen[:-1]] == [limit] * (len(seen) - 1)
    assert seen[-1]
    times = [row["accepted_at"] for page in seen for row in page]
    assert times == sorted(times, reverse=True)


async def test_more_sends_than_are_read_at_once_are_listed_once(tenant: Tenant) -> None:
    made = await asyncio.gather(*(tenant.sent() for _ in range(225)))
    made += (await tenant.bulk(*[await tenant.new_user() for _ in range(30)])).json()[
        "notification_ids"
    ]
    service = tenant.api.service(tenant.app_id)
    for limit in (41, 100, 1_000):
        assert await everything(service, f"limit={limit}") == sorted(made, reverse=True)


@pytest.mark.parametrize("limit", [1, 3, 5])
async def test_what_comes_in_between_two_pages_disturbs_none(tenant: Tenant, limit: int) -> None:
    made = await some_sends(tenant)
    service, seen = tenant.api.service(tenant.app_id), []

    async for page in pages(service, f"limit={limit}"):
        seen += [row["notification_id"] for row in page]
        await tenant.bulk(tenant.user_id, await tenant.new_user())

    assert seen == sorted(made, reverse=True)
    assert len(await everything(service)) > len(seen)


async def test_a_list_is_empty_before_the_first_send(tenant: Tenant) -> None:
    answer = await tenant.get(LIST)
    assert (answer.status_code, answer.json()) == (200, {"notifications": []})


async def test_a_row_says_what_the_status_says(tenant: Tenant) -> None:
    notification_id = await tenant.sent()
    (row,) = (await tenant.get(LIST)).json()["notifications"]
    status = await tenant.status(notification_id)
    assert status == row | {"devices": []}


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_a_list_of_one_user_holds_nobody_elses(tenant: Tenant, limit: int) -> None:
    other = await tenant.new_user()
    mine = [await tenant.sent()]
    mine.append((await tenant.bulk(other, tenant.user_id)).json()["notification_ids"][1])
    rows = [{"user_id": str(other)}, {}, {"user_id": str(other)}, {}]
    batch = (await tenant.batch(*rows)).json()["notification_ids"]
    mine += [batch[1], batch[3]]
    await tenant.bulk(other)
    service = tenant.api.service(tenant.app_id)

    listed = await everything(service, f"user_id={tenant.user_id}&limit={limit}")

    assert listed == sorted(mine, reverse=True)
    assert await everything(service, f"user_id={uuid4()}&limit={limit}") == []


async def settle(tenant: Tenant, notification_id: str, state: Any) -> None:
    """As a worker does it."""
    chunks, send_id = ChunkRepository(tenant.api.database), ids.send_id_of(UUID(notification_id))
    for chunk in await chunks.of_send(tenant.app_id, send_id):
        progress = Progress(state, None, 1, None, utc_now())
        await chunks.record([DeliveryProgress("w", chunk.chunk_id, 0, progress)])


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_a_list_of_one_status_holds_no_other(tenant: Tenant, limit: int) -> None:
    made = {"no_devices": [await tenant.sent() for _ in range(4)]}
    await tenant.register()
    made["pending"] = [await tenant.sent() for _ in range(2)]
    for status, state in (("sent", "sent"), ("expired", "expired"), ("failed", "rejected")):
        made[status] = [await tenant.sent()]
        await settle(tenant, made[status][0], state)
    tomorrow = (utc_now() + timedelta(days=1)).isoformat()
    made["scheduled"] = [await tenant.sent(send_at=tomorrow) for _ in range(2)]
    made["no_devices"] += [await tenant.sent(platforms=["ios"])]
    service = tenant.api.service(tenant.app_id)

    for status, expected in made.items():
        listed = await everything(service, f"status={status}&limit={limit}")
        assert listed == sorted(expected, reverse=True), status


async def test_a_rare_status_is_found_among_many(tenant: Tenant) -> None:
    rare = await tenant.sent()
    await tenant.register()
    for _ in range(3):
        await tenant.batch(*[{}] * 500)
    service = tenant.api.service(tenant.app_id)

    seen = [page async for page in pages(service, "status=no_devices&limit=1")]

    assert [[row["notification_id"] for row in page] for page in seen] == [[rare]]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("cursor=x", "#/cursor"),
        ("cursor=", "#/cursor"),
        (f"cursor={'0' * 31}", "#/cursor"),
        ("cursor=%00", "#/cursor"),
        ("user_id=x", "#/user_id"),
        ("status=done", "#/status"),
        ("status=", "#/status"),
        ("status=Sent", "#/status"),
        ("limit=0", "#/limit"),
        ("limit=1001", "#/limit"),
        ("limit=x", "#/limit"),
        ("limit=1&limit=2", "#/limit"),
        ("cursor=x&cursor=y", "#/cursor"),
    ],
)
async def test_a_faulty_query_is_refused(tenant: Tenant, query: str, pointer: str) -> None:
    assert pointers(await tenant.get(f"{LIST}?{query}")) == [pointer]


@pytest.mark.parametrize("cursor", [UUID(int=0), UUID(int=2**128 - 1), uuid4()])
async def test_a_cursor_is_a_place_not_a_key(tenant: Tenant, cursor: UUID) -> None:
    made = await tenant.sent()
    answer = await tenant.get(f"{LIST}?cursor={cursor}")
    listed = [row["notification_id"] for row in answer.json()["notifications"]]
    assert listed == ([made] if cursor > UUID(made) else [])


async def test_a_cursor_of_another_app_shows_nothing_of_it(api: Api, tenant: Tenant) -> None:
    other = await a_tenant(api)
    mine, theirs = await tenant.sent(), await other.sent()
    answer = await tenant.get(f"{LIST}?cursor={theirs}")
    assert [row["notification_id"] for row in answer.json()["notifications"]] == [mine]


async def test_who_may_list_what(api: Api, tenant: Tenant) -> None:
    other = await a_tenant(api)
    mine, theirs = await tenant.sent(), await other.sent()
    own, foreign = tenant.app_id, other.app_id
    await api.platform().put(f"/push/apps/{own}", {"name": "x", "tenant_id": "t1"})
    tenant_admin = api.user(own, roles=["tenant_admin"], tenant_id="t1")
    seen = {
        "service": await everything(api.service(own)),
        "service that names it": await everything(api.service(own), f"app_id={own}"),
        "its admin": await everything(api.user(own, roles=["admin"])),
        "its admin who names it": await everything(api.user(own, roles=["admin"]), f"app_id={own}"),
        "platform admin": await everything(api.platform(), f"app_id={own}"),
        "its tenant's admin": await everything(tenant_admin),
    }
    assert set(map(tuple, seen.values())) == {(mine,)}
    assert await everything(api.platform(), f"app_id={foreign}") == [theirs]


async def test_who_may_not_list(api: Api, tenant: Tenant) -> None:
    other = await a_tenant(api)
    own, foreign = tenant.app_id, other.app_id
    await other.sent()
    tenant_admin = api.user(own, roles=["tenant_admin"], tenant_id="t1")
    refusals = {
        "another app": (api.service(own), f"app_id={foreign}"),
        "no app": (api.service(own), f"app_id={uuid4()}"),
        "no id": (api.service(own), "app_id=x"),
        "admin of another": (api.user(own, roles=["admin"]), f"app_id={foreign}"),
        "admin of none": (api.user(own, roles=["admin"]), f"app_id={uuid4()}"),
        "tenant admin": (tenant_admin, f"app_id={foreign}"),
        "user": (api.user(own, tenant.user_id), f"user_id={tenant.user_id}"),
        "user who names it": (api.user(own, tenant.user_id), f"app_id={own}"),
    }
    for who, (caller, query) in refusals.items():
        answer = await caller.get(f"{LIST}?{query}")
        assert answer.status_code == 403, who
        assert answer.json()["detail"] == "Insufficient permissions", who
    scopeless = await api.service(own, "push:enroll").get(LIST)
    assert (scopeless.status_code, scopeless.json()["detail"]) == (403, "Missing required scope")
    absent = await api.platform().get(f"{LIST}?app_id={uuid4()}")
    assert (absent.status_code, absent.json()["detail"]) == (404, "App not found")


async def test_a_quota_is_told_after_each_send(api: Api) -> None:
    limited, free = await a_tenant(api, daily_quota=10), await a_tenant(api)
    others = [await limited.new_user() for _ in range(4)]

    answers = [await limited.send(), await limited.bulk(*others), await limited.batch({}, {}, {})]

    assert [a.headers["ratelimit-policy"] for a in answers] == ['"daily";q=10;w=86400'] * 3
    left = [a.headers["ratelimit"].split(";t=") for a in answers]
    assert [name for name, _ in left] == ['"daily";r=9', '"daily";r=5', '"daily";r=2']
    assert all(0 < int(seconds) <= 86_400 for _, seconds in left)
    without = await free.send()
    assert not {"ratelimit", "ratelimit-policy"} & set(without.headers)


async def test_a_quota_is_spent_to_the_unit_by_many_bulks_at_once(api: Api) -> None:
    tenant = await a_tenant(api, daily_quota=300)
    users = [await tenant.new_user() for _ in range(5)]

    answers = await asyncio.gather(*(tenant.bulk(*users) for _ in range(120)))

    assert sorted(a.status_code for a in answers) == [200] * 60 + [429] * 60
    assert {a.json()["remaining"] for a in answers if a.status_code == 429} <= {0}
    told = sorted(a.headers["ratelimit"].split(";")[1] for a in answers if a.status_code == 200)
    assert told == sorted(f"r={left}" for left in range(0, 300, 5))
    assert len(await tenant.recorded()) == 60
    assert await tenant.charged() == 300
    config = (await api.platform().get(f"/push/config/{tenant.app_id}")).json()
    assert config["notifications_today"] == 300
