"""Pushy devices: registered, listed, moved, and one active session whoever races with whom."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from shared.storage.mongo import connect
from tests.front_door import Api, running, settings_for
from tests.pushy_stage import PushyStage, assert_data, assert_invalid, assert_refused
from tests.servers import Servers

AT_ONCE = 50
TOKEN = "pushy-device-token"
Json = dict[str, Any]


def a_device(**changes: Any) -> Json:
    return {"token": TOKEN, "platform": "ANDROID", "language": "en"} | changes


async def test_a_token_is_registered_and_listed(pushy: PushyStage) -> None:
    registered = await pushy.post("/device-info", a_device())

    assert_data(registered, {"token": TOKEN, "platform": "ANDROID"}, 201)
    listed = await pushy.get("/device-info")
    assert_data(listed, [{"token": TOKEN, "platform": "ANDROID"}])
    row = await pushy.row()
    assert (row["provider"], row["platform"], row["language"]) == ("pushy", "android", "en")
    assert TOKEN not in str(row)


@pytest.mark.parametrize("platform", ["IOS", "ANDROID", "WEB"])
@pytest.mark.parametrize("language", ["en", "zh", None])
async def test_all_platforms_and_languages_are_taken(
    pushy: PushyStage, platform: str, language: str | None
) -> None:
    body = a_device(platform=platform, language=language)
    if language is None:
        del body["language"]

    registered = await pushy.post("/device-info", body)

    assert_data(registered, {"token": TOKEN, "platform": platform}, 201)
    assert (await pushy.row())["language"] == language or "en"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"platform": "android"}, "#/platform"),
        ({"platform": "MACOS"}, "#/platform"),
        ({"platform": None}, "#/platform"),
        ({"language": "de"}, "#/language"),
        ({"language": "EN"}, "#/language"),
        ({"language": None}, "#/language"),
        ({"token": ""}, "#/token"),
        ({"token": 1}, "#/token"),
        ({"token": "with space"}, "#/token"),
        ({"token": "with-line\n"}, "#/token"),
        ({"token": "é"}, "#/token"),
        ({"token": "t" * 257}, "#/token"),
        ({"token": "/topics/announcements"}, "#/token"),
        ({"user_id": "x"}, "#/user_id"),
    ],
)
async def test_a_bad_device_is_refused(pushy: PushyStage, change: Json, pointer: str) -> None:
    assert_invalid(await pushy.post("/device-info", a_device(**change)), pointer)
    assert await pushy.tokens() == []


@pytest.mark.parametrize("member", ["token", "platform"])
async def test_a_device_needs_its_members(pushy: PushyStage, member: str) -> None:
    body = a_device()
    del body[member]

    assert_invalid(await pushy.post("/device-info", body), f"#/{member}")


async def test_the_last_token_of_a_user_is_the_active_one(pushy: PushyStage) -> None:
    await pushy.begin("token-1")
    await pushy.begin("token-2")

    assert await pushy.tokens() == ["token-2"]


async def test_a_token_moves_to_the_user_who_registers_it(pushy: PushyStage) -> None:
    other = uuid4()
    await pushy.begin(TOKEN)
    before = await pushy.row()

    await pushy.begin(TOKEN, other, language="zh")

    assert (await pushy.tokens(), await pushy.tokens(other)) == ([], [TOKEN])
    moved = await pushy.row(other)
    assert (moved["_id"], moved["language"]) == (before["_id"], "zh")


async def test_a_user_has_sessions_of_their_own_in_each_app(pushy: PushyStage) -> None:
    other = PushyStage(pushy.api, pushy.simulators, pushy.clock)
    other.user_id = pushy.user_id
    await other.set_up()

    await pushy.begin(TOKEN)
    await other.begin(TOKEN)

    assert (await pushy.tokens(), await other.tokens()) == ([TOKEN], [TOKEN])


async def test_registering_enrols_the_user(pushy: PushyStage) -> None:
    await pushy.begin(TOKEN)

    path = f"/push/apps/{pushy.app_id}/users/{pushy.user_id}"
    assert (await pushy.api.platform().get(path)).status_code == 200


async def test_an_app_that_enrols_by_itself_refuses_strangers(pushy: PushyStage) -> None:
    await pushy.configure(auto_enroll=False)

    refused = await pushy.post("/device-info", a_device())

    detail = "the token's user is not enrolled"
    assert_refused(refused, 400, "User not enrolled", errors=[{"pointer": "#", "detail": detail}])
    await pushy.api.platform().put(f"/push/apps/{pushy.app_id}/users/{pushy.user_id}")
    await pushy.begin(TOKEN)


async def test_a_device_of_another_provider_with_the_same_text_becomes_this_one(
    pushy: PushyStage,
) -> None:
    fcm = {"app_id": str(pushy.app_id), "platform": "android", "push_token": TOKEN}
    owner = uuid4()
    first = await pushy.user(owner).post("/push/devices/register", fcm)
    assert first.status_code == 201
    assert await pushy.tokens(owner) == []

    await pushy.begin(TOKEN)

    assert str((await pushy.row())["_id"]) == first.json()["device_id"]
    assert await pushy.tokens() == [TOKEN]


async def test_devices_of_other_providers_are_no_sessions(pushy: PushyStage) -> None:
    fcm = {"app_id": str(pushy.app_id), "platform": "android", "push_token": "fcm-token"}
    await pushy.user().post("/push/devices/register", fcm)

    await pushy.begin(TOKEN)

    rows = await pushy.api.database["devices"].find({"app_id": pushy.app_id, "active": True})
    assert {row["provider"] for row in rows} == {"fcm", "pushy"}
    assert await pushy.tokens() == [TOKEN]
    body = {"token": "fcm-token", "topics": ["a"]}
    refused = await pushy.post("/device-info/subscribe", body)
    assert_refused(refused, 400, "Invalid device token", code="INVALID_DEVICE_TOKEN")


@pytest.fixture(params=["motor", "pymongo"])
async def processes(
    request: pytest.FixtureRequest, servers: Servers, pushy: PushyStage, at_pushy: Json
) -> Any:
    """Two more processes over the database of the stage."""
    name = pushy.api.database._raw.name
    settings = settings_for(servers, mongo_database=name, mongo_driver=request.param, **at_pushy)
    async with (
        connect(settings) as database,
        running(settings, database) as one,
        running(settings, database) as two,
    ):
        yield [one, two]


def spread(pushy: PushyStage, processes: list[Api], n: int) -> PushyStage:
    """The stage on one of several processes."""
    other = PushyStage(processes[n % len(processes)], pushy.simulators, pushy.clock)
    other.app_id, other.user_id = pushy.app_id, pushy.user_id
    return other


async def test_fifty_users_who_register_a_token_at_once_leave_one_active_row(
    pushy: PushyStage, processes: list[Api]
) -> None:
    users = [uuid4() for _ in range(AT_ONCE)]

    await asyncio.gather(
        *(spread(pushy, processes, n).begin(TOKEN, user) for n, user in enumerate(users))
    )

    (row,) = await pushy.api.database["devices"].find({"app_id": pushy.app_id})
    assert row["active"]
    assert [len(await pushy.tokens(user)) for user in users].count(1) == 1


async def test_fifty_tokens_that_a_user_registers_at_once_leave_one_active_row(
    pushy: PushyStage, processes: list[Api]
) -> None:
    await asyncio.gather(*(spread(pushy, processes, n).begin(f"token-{n}") for n in range(AT_ONCE)))

    rows = await pushy.api.database["devices"].find({"app_id": pushy.app_id})
    assert len(rows) == AT_ONCE
    assert [row["active"] for row in rows].count(True) == 1
    assert len(await pushy.tokens()) == 1
