"""Devices through the front door."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.integration.api.conftest import Api, Caller


async def register(
    caller: Caller, app_id: UUID, token: str = "t", /, **changes: Any
) -> httpx.Response:
    body = {"app_id": str(app_id), "platform": "android", "push_token": token} | changes
    return await caller.post("/push/devices/register", body)


async def test_registering_again_keeps_the_device(api: Api) -> None:
    app_id, user_id = await api.new_app(), uuid4()
    user = api.user(app_id, user_id)
    first, second = await register(user, app_id), await register(user, app_id)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


async def test_registering_enrols_the_user(api: Api) -> None:
    app_id, user_id = await api.new_app(), uuid4()
    await register(api.user(app_id, user_id), app_id)
    path = f"/push/apps/{app_id}/users/{user_id}"
    assert (await api.platform().get(path)).status_code == 200


async def test_an_app_may_enrol_its_users_itself(api: Api) -> None:
    app_id, user_id = await api.new_app(auto_enroll=False), uuid4()
    user = api.user(app_id, user_id)
    refused = await register(user, app_id)
    assert (refused.status_code, refused.json()["detail"]) == (400, "User not enrolled")
    await api.platform().put(f"/push/apps/{app_id}/users/{user_id}")
    assert (await register(user, app_id)).status_code == 201


async def test_a_token_moves_to_its_new_user(api: Api) -> None:
    app_id, old, new = await api.new_app(), uuid4(), uuid4()
    first = await register(api.user(app_id, old), app_id)
    second = await register(api.user(app_id, new), app_id)
    assert first.json() == second.json()
    rows = (await api.platform().get(f"/push/devices/{app_id}")).json()["devices"]
    assert [row["user_id"] for row in rows] == [str(new)]


async def test_ten_registrations_an_hour_and_known_tokens_are_free(api: Api) -> None:
    app_id = await api.new_app()
    user = api.user(app_id)
    statuses = [(await register(user, app_id, f"t{i}")).status_code for i in range(10)]
    assert statuses == [201] * 10
    refused = await register(user, app_id, "t10")
    assert (refused.status_code, refused.json()["detail"]) == (429, "Too many registrations")
    assert 3_590 <= int(refused.headers["retry-after"]) <= 3_600
    assert (await register(user, app_id, "t3")).status_code == 201
    assert (await register(api.user(app_id), app_id, "t10")).status_code == 201


async def test_ten_of_many_concurrent_registrations(api: Api) -> None:
    app_id = await api.new_app()
    user = api.user(app_id)
    answers = await asyncio.gather(*(register(user, app_id, f"t{i}") for i in range(30)))
    assert sorted(a.status_code for a in answers) == [201] * 10 + [429] * 20


async def test_refused_registrations_of_other_apps_are_alike(api: Api) -> None:
    mine, foreign = await api.new_app(), await api.new_app()
    user = api.user(mine)
    answers = [await register(user, app_id) for app_id in (foreign, uuid4())]
    assert [(a.status_code, a.json()["detail"]) for a in answers] == [(404, "App not found")] * 2
    gone = api.user(app_id := uuid4())
    absent = await register(gone, app_id)
    assert (absent.status_code, absent.json()["detail"]) == (404, "App not found")


async def test_registration_needs_push_enabled(api: Api) -> None:
    app_id = await api.new_app(enabled=False)
    answer = await register(api.user(app_id), app_id)
    assert (answer.status_code, answer.json()["detail"]) == (403, "Push not enabled")


async def test_disabling_an_app_takes_effect_at_once(api: Api) -> None:
    app_id = await api.new_app()
    user, user_id = api.user(app_id), await api.new_user(app_id)
    assert (await register(user, app_id)).status_code == 201
    await api.platform().patch(f"/push/config/{app_id}", {"enabled": False})
    assert (await register(user, app_id)).status_code == 403
    body = {"user_id": str(user_id), "title": "t", "body": "b"}
    refused = await api.service(app_id).post("/push/send", body)
    assert (refused.status_code, refused.json()["detail"]) == (403, "Push not enabled")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"platform": "tv"}, "#/platform"),
        ({"platform": None}, "#/platform"),
        ({"push_token": ""}, "#/push_token"),
        ({"push_token": "x" * 4_097}, "#/push_token"),
        ({"push_token": 5}, "#/push_token"),
        ({"push_token": {}}, "#/push_token"),
        ({"app_id": "x"}, "#/app_id"),
        ({"provider": "gcm"}, "#/provider"),
        ({"provider": "apns"}, "#/push_token"),
        ({"language": "de\n"}, "#/language"),
        ({"timezone": "Europe/Berlin\n"}, "#/timezone"),
        ({"active": True}, "#/active"),
        ({"user_id": str(uuid4())}, "#/user_id"),
        ({"apns_environment": "staging"}, "#/apns_environment"),
    ],
)
async def test_a_bad_registration_is_a_400(api: Api, changes: dict[str, Any], pointer: str) -> None:
    app_id = await api.new_app()
    answer = await register(api.user(app_id), app_id, **changes)
    assert (answer.status_code, answer.json()["detail"]) == (400, "Validation failed")
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)


async def test_the_list_is_paged_and_filtered(api: Api) -> None:
    app_id, user_id = await api.new_app(), uuid4()
    user = api.user(app_id, user_id)
    ids = [
        (await register(user, app_id, "a", language="zh-Hant-TW", timezone="Asia/Taipei")),
        (await register(user, app_id, "b", platform="ios")),
        (await register(api.user(app_id), app_id, "0a" * 32, platform="ios")),
    ]
    devices = [answer.json()["device_id"] for answer in ids]
    admin, path = api.platform(), f"/push/devices/{app_id}"
    first = (await admin.get(f"{path}?limit=2")).json()
    second = (await admin.get(f"{path}?limit=2&cursor={first['next_cursor']}")).json()
    assert [row["device_id"] for row in first["devices"] + second["devices"]] == devices
    assert (first["total"], "next_cursor" in second) == (3, False)
    assert {"device_id", "user_id", "platform", "last_seen_at"} <= first["devices"][0].keys()

    async def found(query: str) -> list[str]:
        answer = await admin.get(f"{path}?{query}")
        assert answer.status_code == 200, answer.text
        return [row["device_id"] for row in answer.json()["devices"]]

    assert await found(f"user_id={user_id}") == devices[:2]
    assert await found("platform=ios") == devices[1:]
    assert await found("provider=apns") == devices[2:]
    await user.delete(f"/push/devices/{devices[0]}")
    assert await found("") == devices[1:]
    assert await found("active=false") == devices[:1]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "cursor=x", "user_id=x", "platform=tv",
     "provider=gcm", "active=maybe"],
)  # fmt: skip
async def test_a_bad_query_is_a_400(api: Api, query: str) -> None:
    app_id = await api.new_app()
    answer = await api.platform().get(f"/push/devices/{app_id}?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (400, "Validation failed")


async def test_unregistering_is_for_the_owner_and_the_app(api: Api) -> None:
    app_id, user_id = await api.new_app(), uuid4()
    user = api.user(app_id, user_id)
    device = (await register(user, app_id)).json()["device_id"]
    path = f"/push/devices/{device}"
    strangers = [
        api.user(app_id),
        api.user(await api.new_app(), user_id),
        api.service(await api.new_app()),
    ]
    refusals = [await stranger.delete(path) for stranger in strangers]
    refusals += [await user.delete(f"/push/devices/{other}") for other in (uuid4(), "x")]
    assert {(a.status_code, a.json()["detail"]) for a in refusals} == {(404, "Device not found")}
    for caller in (user, user, api.service(app_id)):
        answer = await caller.delete(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_push_tokens_are_not_readable_in_the_database(api: Api) -> None:
    app_id = await api.new_app()
    await register(api.user(app_id), app_id, "canary-push-token")
    rows = await api.database["devices"].find({"app_id": app_id})
    assert len(rows) == 1
    assert "canary-push-token" not in repr(rows)
