"""Sends through the front door, into the record and the queue."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared import ids
from tests.integration.api.conftest import Api


async def a_device(api: Api, app_id: UUID, user_id: UUID, token: str = "t") -> str:
    body = {"app_id": str(app_id), "platform": "android", "push_token": token}
    answer = await api.user(app_id, user_id).post("/push/devices/register", body)
    device_id: str = answer.json()["device_id"]
    return device_id


async def send(api: Api, app_id: UUID, user_id: UUID, **changes: Any) -> httpx.Response:
    body = {"user_id": str(user_id), "title": "Hi", "body": "There"} | changes
    return await api.service(app_id).post("/push/send", body)


async def test_a_send_is_recorded_and_published(api: Api) -> None:
    app_id, user_id = await api.new_app(), uuid4()
    device_id = await a_device(api, app_id, user_id)
    data = {"route": "/schedule", "n": 1}
    answer = await send(api, app_id, user_id, data=data, ttl=3_600)
    assert answer.status_code == 200
    notification_id = UUID(answer.json()["notification_id"])
    stored = await api.database["sends"].find_one({"_id": ids.send_id_of(notification_id)})
    assert stored["published"] is True
    status = await api.service(app_id).get(f"/push/notifications/{notification_id}")
    report = status.json()
    assert (report["status"], report["user_id"]) == ("pending", str(user_id))
    assert report["devices"] == [
        {
            "device_id": device_id,
            "provider": "fcm",
            "state": "accepted",
            "reason": None,
            "attempts": 0,
            "provider_message_id": None,
            "next_attempt_at": None,
            "updated_at": None,
            "cut": [],
        }
    ]


async def test_a_user_without_devices_is_accepted(api: Api) -> None:
    app_id = await api.new_app()
    answer = await send(api, app_id, await api.new_user(app_id))
    path = f"/push/notifications/{answer.json()['notification_id']}"
    assert (await api.service(app_id).get(path)).json()["status"] == "no_devices"


async def test_a_stranger_fails_the_whole_request(api: Api) -> None:
    app_id = await api.new_app(daily_quota=10)
    user_id, stranger = await api.new_user(app_id), uuid4()
    body = {"user_ids": [str(user_id), str(stranger)], "title": "t", "body": "b"}
    answer = await api.service(app_id).post("/push/send/bulk", body)
    assert (answer.status_code, answer.json()["detail"]) == (400, "User not enrolled")
    assert [e["pointer"] for e in answer.json()["errors"]] == ["#/user_ids/1"]
    assert (await api.platform().get(f"/push/config/{app_id}")).json()["notifications_today"] == 0


async def test_another_apps_user_is_a_stranger(api: Api) -> None:
    app_id, other = await api.new_app(), await api.new_app()
    answer = await send(api, app_id, await api.new_user(other))
    assert (answer.status_code, answer.json()["detail"]) == (400, "User not enrolled")


async def test_quota_is_exact_under_concurrency(api: Api) -> None:
    app_id = await api.new_app(daily_quota=10)
    user_id = await api.new_user(app_id)
    answers = await asyncio.gather(*(send(api, app_id, user_id) for _ in range(25)))
    assert sorted(a.status_code for a in answers) == [200] * 10 + [429] * 15
    refused = await send(api, app_id, user_id)
    assert (refused.json()["detail"], refused.json()["remaining"]) == ("Daily quota exceeded", 0)
    assert refused.headers["ratelimit-policy"] == '"daily";q=10;w=86400'
    assert int(refused.headers["retry-after"]) <= 86_400


async def test_quota_is_all_or_nothing_and_a_raise_counts_at_once(api: Api) -> None:
    app_id = await api.new_app(daily_quota=2)
    user_id = await api.new_user(app_id)
    row = {"user_id": str(user_id), "title": "t", "body": "b"}
    service = api.service(app_id)
    refused = await service.post("/push/send/batch", {"notifications": [row] * 3})
    assert (refused.status_code, refused.json()["remaining"]) == (429, 2)
    await api.platform().patch(f"/push/config/{app_id}", {"daily_quota": 3})
    accepted = await service.post("/push/send/batch", {"notifications": [row] * 3})
    assert len(set(accepted.json()["notification_ids"])) == 3


async def test_a_duplicate_in_a_bulk_costs_one_unit(api: Api) -> None:
    app_id = await api.new_app(daily_quota=1)
    user_id = await api.new_user(app_id)
    body = {"user_ids": [str(user_id)] * 3, "title": "t", "body": "b"}
    answer = await api.service(app_id).post("/push/send/bulk", body)
    assert answer.status_code == 200
    assert len(set(answer.json()["notification_ids"])) == 1


async def test_quota_zero_refuses_and_null_lifts_it(api: Api) -> None:
    app_id = await api.new_app(daily_quota=0)
    user_id = await api.new_user(app_id)
    assert (await send(api, app_id, user_id)).status_code == 429
    await api.platform().patch(f"/push/config/{app_id}", {"daily_quota": None})
    assert (await send(api, app_id, user_id)).status_code == 200


async def test_a_notification_is_seen_by_its_app_and_admins_only(api: Api) -> None:
    app_id, other = await api.new_app(), await api.new_app()
    made = (await send(api, app_id, await api.new_user(app_id))).json()["notification_id"]
    path = f"/push/notifications/{made}"
    assert (await api.service(app_id).get(path)).status_code == 200
    assert (await api.user(app_id, roles=["admin"]).get(path)).status_code == 200
    assert (await api.platform().get(path)).status_code == 200
    beyond = f"/push/notifications/{UUID(int=UUID(made).int + 1)}"
    refusals = [
        await api.service(other).get(path),
        await api.user(other, roles=["admin"]).get(path),
        await api.user(app_id, roles=["tenant_admin"], tenant_id="t1").get(path),
        await api.service(other).get(f"/push/notifications/{uuid4()}"),
        await api.service(other).get("/push/notifications/x"),
        await api.service(app_id).get(beyond),
    ]
    found = {(answer.status_code, answer.json()["detail"]) for answer in refusals}
    assert found == {(404, "Notification not found")}
    assert (await api.user(app_id).get(path)).status_code == 403


@pytest.mark.parametrize("count", [500])
async def test_a_full_batch_of_the_largest_notifications(api: Api, count: int) -> None:
    app_id = await api.new_app()
    user_id = await api.new_user(app_id)
    row = {
        "user_id": str(user_id),
        "title": "\U0001f600" * 256,
        "body": "\U0001f600" * 4_096,
        "data": {"a": "\U0001f600" * 1_022},
    }
    answer = await api.service(app_id).post("/push/send/batch", {"notifications": [row] * count})
    assert answer.status_code == 200, answer.text[:300]
    last = answer.json()["notification_ids"][-1]
    assert (await api.service(app_id).get(f"/push/notifications/{last}")).status_code == 200


async def test_a_broker_outage_does_not_fail_a_send(without_broker: Api) -> None:
    app_id, user_id = await without_broker.new_app(), uuid4()
    await a_device(without_broker, app_id, user_id)
    answer = await send(without_broker, app_id, user_id)
    assert answer.status_code == 200
    send_id = ids.send_id_of(UUID(answer.json()["notification_id"]))
    stored = await without_broker.database["sends"].find_one({"_id": send_id})
    assert stored["published"] is False
    ready = await without_broker.http.get("/readyz")
    assert (ready.status_code, ready.json()["broker"]) == (200, False)
