"""Deleting an app: who may, what is gone at once, and when its id is free again."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from shared.clock import utc_now
from shared.storage.deletions import DeletionRepository
from tests.front_door import Api
from worker.purging import SETTLED_AFTER, Purger

APP_NOT_FOUND = (404, "App not found")
FORBIDDEN = (403, "Insufficient permissions")
BEING_DELETED = (409, "App is being deleted")


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]


async def purged(api: Api, *, settled: bool = True) -> None:
    """What the worker's scheduler does, at an instant when nothing can trickle in any more."""
    now = utc_now() + (SETTLED_AFTER if settled else timedelta(0))
    purger = Purger(DeletionRepository(api.database), lambda: now)
    for _ in range(2):
        await purger.purge()


async def test_who_may_found_an_app_may_delete_it(api: Api) -> None:
    app_id = uuid4()
    tenant_admin = api.user(app_id, roles=["tenant_admin"], tenant_id="t1")
    path = f"/push/apps/{app_id}"
    await tenant_admin.put(path, {"name": "x"})
    others = [
        api.user(app_id),
        api.user(app_id, roles=["admin"]),
        api.user(app_id, roles=["tenant_admin"], tenant_id="t2"),
        api.service(app_id, "push:send", "push:enroll"),
    ]

    refused = [told(await other.delete(path)) for other in others]
    deleted = await tenant_admin.delete(path)

    assert set(refused) == {FORBIDDEN}
    assert (deleted.status_code, deleted.json()) == (200, {"status": "ok"})
    assert (await api.http.delete(path)).status_code == 401


async def test_only_a_platform_admin_learns_that_there_is_no_app(api: Api) -> None:
    app_id = uuid4()
    tenant_admin = api.user(app_id, roles=["tenant_admin"], tenant_id="t1")
    for path in (f"/push/apps/{app_id}", "/push/apps/x"):
        assert told(await api.platform().delete(path)) == APP_NOT_FOUND
        assert told(await tenant_admin.delete(path)) == FORBIDDEN


async def test_one_of_many_deletes_an_app(api: Api) -> None:
    app_id = await api.new_app()
    admin = api.platform()

    answers = await asyncio.gather(*(admin.delete(f"/push/apps/{app_id}") for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 9


async def test_a_deleted_app_is_as_absent_for_every_request(api: Api) -> None:
    app_id, user_id = uuid4(), uuid4()
    admin = api.platform()
    founded = await admin.put(f"/push/apps/{app_id}", {"name": "x"})
    await admin.patch(f"/push/config/{app_id}", {"enabled": True})
    await admin.put(f"/push/config/{app_id}/providers/pushy", {"api_key": "k" * 32})
    device = await register(api, app_id, user_id)
    secret = founded.json()["client_secret"]
    assert await statuses(api, app_id, user_id, secret, device) == {200, 201}

    assert (await admin.delete(f"/push/apps/{app_id}")).status_code == 200

    gone = await statuses(api, app_id, user_id, secret, device)
    absent = await statuses(api, uuid4(), user_id, secret, str(uuid4()))
    assert gone == absent == {401, 404}
    assert await api.database["credentials"].find({"app_id": app_id}) == []
    row = await api.database["apps"].find_one({"_id": app_id})
    assert row.keys() == {"_id", "tenant_id", "deleted_at"}
    app_admin = api.user(app_id, roles=["admin"])
    assert told(await app_admin.get(f"/push/config/{app_id}")) == FORBIDDEN


async def register(api: Api, app_id: UUID, user_id: UUID) -> str:
    body = {"app_id": str(app_id), "platform": "android", "push_token": f"token-{user_id}"}
    answer = await api.user(app_id, user_id).post("/push/devices/register", body)
    device_id: str = answer.json()["device_id"]
    return device_id


async def statuses(api: Api, app_id: UUID, user_id: UUID, secret: str, device: str) -> set[int]:
    """What every kind of request about an app is answered."""
    admin, service = api.platform(), api.service(app_id, "push:send", "push:enroll")
    user = api.user(app_id, user_id)
    one = {"user_id": str(user_id), "title": "t", "body": "b"}
    many = {"user_ids": [str(user_id)], "title": "t", "body": "b"}
    token = {"app_id": str(app_id), "platform": "android", "push_token": f"token-{user_id}"}
    form = {"grant_type": "client_credentials", "client_id": str(app_id), "client_secret": secret}
    answers = [
        await admin.get(f"/push/apps/{app_id}"),
        await admin.get(f"/push/config/{app_id}"),
        await admin.patch(f"/push/config/{app_id}", {}),
        await admin.get(f"/push/config/{app_id}/providers/pushy"),
        await admin.get(f"/push/devices/{app_id}"),
        await service.put(f"/push/apps/{app_id}/users/{user_id}"),
        await service.post(f"/push/apps/{app_id}/users", {"user_ids": [str(user_id)]}),
        await service.post("/push/send", one),
        await service.post("/push/send/bulk", many),
        await service.post("/push/send/batch", {"notifications": [one]}),
        await user.post("/push/devices/register", token),
        await api.http.post("/auth/token", data=form),
        await user.delete(f"/push/devices/{device}"),
    ]
    return {answer.status_code for answer in answers}


async def test_an_id_is_free_again_once_all_rows_are_gone(api: Api) -> None:
    app_id = await api.new_app()
    path, admin = f"/push/apps/{app_id}", api.platform()
    user_id = await fill(api, app_id)
    await admin.delete(path)

    at_once = await admin.put(path, {"name": "again"})
    await purged(api, settled=False)
    while_unsettled = await admin.put(path, {"name": "again"})
    await purged(api)
    again = await admin.put(path, {"name": "again"})

    assert [told(answer) for answer in (at_once, while_unsettled)] == [BEING_DELETED] * 2
    assert again.status_code == 201
    config = (await admin.get(f"/push/config/{app_id}")).json()
    assert (config["device_count"], config["notifications_today"]) == (0, 0)
    assert (config["enabled"], config["webhook_secret"]) == (False, None)
    assert (await admin.get(f"{path}/users/{user_id}")).status_code == 404


async def fill(api: Api, app_id: UUID) -> UUID:
    """Rows of an app in most collections; the user that they are about."""
    user_id = await api.new_user(app_id)
    await register(api, app_id, user_id)
    await api.platform().put(f"/push/config/{app_id}/providers/pushy", {"api_key": "k" * 32})
    body = {"user_id": str(user_id), "title": "t", "body": "b"}
    assert (await api.service(app_id).post("/push/send", body)).status_code == 200
    return user_id


async def test_other_apps_keep_their_rows(api: Api) -> None:
    kept, gone = await api.new_app(), await api.new_app()
    for app_id in (kept, gone):
        await fill(api, app_id)
    before = await rows_of(api, kept)

    await api.platform().delete(f"/push/apps/{gone}")
    await purged(api)

    assert await rows_of(api, kept) == before
    assert not any((await rows_of(api, gone)).values())
    assert (await api.platform().get(f"/push/config/{kept}")).status_code == 200


async def rows_of(api: Api, app_id: UUID) -> dict[str, list[Any]]:
    prefixed = {"_id": {"$regex": f"^(register:)?{app_id}:"}}
    queries: dict[str, Any] = {n: {"app_id": app_id} for n in ("devices", "enrolments", "sends")}
    queries |= dict.fromkeys(("quotas", "limits", "credentials"), prefixed)
    rows = {name: await api.database[name].find(query) for name, query in queries.items()}
    return rows | {"apps": await api.database["apps"].find({"_id": app_id})}


async def test_only_whose_app_it_was_learns_that_it_is_being_deleted(api: Api) -> None:
    app_id = uuid4()
    path = f"/push/apps/{app_id}"
    mine = api.user(app_id, roles=["tenant_admin"], tenant_id="t1")
    stranger = api.user(app_id, roles=["tenant_admin"], tenant_id="t2")
    await mine.put(path, {"name": "x"})
    before = told(await stranger.put(path, {"name": "x"}))

    await mine.delete(path)

    assert told(await mine.put(path, {"name": "x"})) == BEING_DELETED
    assert told(await api.platform().put(path, {"name": "x"})) == BEING_DELETED
    assert told(await stranger.put(path, {"name": "x"})) == before == FORBIDDEN


async def test_founding_and_deleting_at_once_leave_an_app_or_none(api: Api) -> None:
    app_id = await api.new_app()
    path, admin = f"/push/apps/{app_id}", api.platform()

    founded = [admin.put(path, {"name": "again"}) for _ in range(10)]
    answers = await asyncio.gather(*founded[:5], admin.delete(path), *founded[5:])

    assert answers[5].status_code == 200
    others = {answer.status_code for answer in (*answers[:5], *answers[6:])}
    assert others <= {200, 404, 409}
    assert told(await admin.get(path)) == APP_NOT_FOUND
    assert told(await admin.put(path, {"name": "x"})) == BEING_DELETED
