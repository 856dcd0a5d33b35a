"""Apps, enrolments, configuration and credentials through the front door."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.integration.api.conftest import Api


async def test_an_app_is_created_once_and_then_renamed(api: Api) -> None:
    path, admin = f"/push/apps/{uuid4()}", api.platform()
    created = await admin.put(path, {"name": "one"})
    again = await admin.put(path, {"name": "two"})
    assert (created.status_code, again.status_code) == (201, 200)
    assert len(created.json()["client_secret"]) == 43
    assert "client_secret" not in again.json()
    assert (await admin.get(path)).json()["name"] == "two"


async def test_only_one_of_many_creates_an_app(api: Api) -> None:
    path, admin = f"/push/apps/{uuid4()}", api.platform()
    answers = await asyncio.gather(*(admin.put(path, {"name": "x"}) for _ in range(20)))
    assert sorted(a.status_code for a in answers) == [200] * 19 + [201]


async def test_a_tenant_admin_founds_apps_of_its_own_tenant(api: Api) -> None:
    app_id = uuid4()
    tenant_admin = api.user(app_id, roles=["tenant_admin"], tenant_id="t1")
    path = f"/push/apps/{app_id}"
    refused = await tenant_admin.put(path, {"name": "x", "tenant_id": "t2"})
    assert (refused.status_code, refused.json()["detail"]) == (403, "Insufficient permissions")
    created = await tenant_admin.put(path, {"name": "x"})
    assert (created.status_code, created.json()["tenant_id"]) == (201, "t1")
    for tenant in ("t2", None):
        moved = await tenant_admin.put(path, {"name": "x", "tenant_id": tenant})
        assert moved.status_code == 403
    stranger = api.user(app_id, roles=["tenant_admin"], tenant_id="t2")
    assert (await stranger.put(path, {"name": "mine"})).status_code == 403
    assert (await stranger.get(path)).status_code == 403


async def test_a_secret_is_replaced(api: Api) -> None:
    app_id = uuid4()
    admin = api.platform()
    old = (await admin.put(f"/push/apps/{app_id}", {"name": "x"})).json()["client_secret"]
    new = (await admin.post(f"/push/apps/{app_id}/secret")).json()["client_secret"]
    form = {"grant_type": "client_credentials", "client_id": str(app_id)}
    statuses = [
        (await api.http.post("/auth/token", data=form | {"client_secret": s})).status_code
        for s in (old, new)
    ]
    assert statuses == [401, 200]


async def test_failed_tries_are_limited_and_a_correct_secret_passes(api: Api) -> None:
    app_id = uuid4()
    answer = await api.platform().put(f"/push/apps/{app_id}", {"name": "x"})
    form = {"grant_type": "client_credentials", "client_id": str(app_id)}
    wrong = form | {"client_secret": "wrong"}
    statuses = [(await api.http.post("/auth/token", data=wrong)).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    right = form | {"client_secret": answer.json()["client_secret"]}
    granted = await api.http.post("/auth/token", data=right)
    assert granted.status_code == 200
    assert granted.json()["scope"] == "push:send"


async def test_first_enable_makes_secrets_that_then_stay(api: Api) -> None:
    app_id, admin = uuid4(), api.platform()
    await admin.put(f"/push/apps/{app_id}", {"name": "x"})
    path = f"/push/config/{app_id}"
    before = (await admin.get(path)).json()
    assert (before["enabled"], before["webhook_secret"], before["vapid_public_key"]) == (
        False,
        None,
        None,
    )
    hook = "https://yourapp.com/hooks/push-receipts"
    first = await admin.patch(path, {"enabled": True, "webhook_url": hook, "daily_quota": 10_000})
    assert first.status_code == 200
    config = first.json()
    assert config["webhook_secret"].startswith("whsec_")
    assert len(config["vapid_public_key"]) == 87
    assert (config["webhook_url"], config["daily_quota"]) == (hook, 10_000)
    off = (await admin.patch(path, {"enabled": False})).json()
    on = (await admin.patch(path, {"enabled": True, "webhook_url": None})).json()
    assert off | {"enabled": True, "webhook_url": None} == on
    assert on["webhook_secret"] == config["webhook_secret"]
    assert (await admin.patch(path, {})).json() == on


async def test_concurrent_first_enables_agree_on_the_secret(api: Api) -> None:
    app_id, admin = uuid4(), api.platform()
    await admin.put(f"/push/apps/{app_id}", {"name": "x"})
    path = f"/push/config/{app_id}"
    answers = await asyncio.gather(*(admin.patch(path, {"enabled": True}) for _ in range(10)))
    assert {a.json()["webhook_secret"] for a in answers} == {
        (await admin.get(path)).json()["webhook_secret"]
    }


async def test_a_webhook_secret_is_regenerated_on_request(api: Api) -> None:
    app_id = await api.new_app()
    path, admin = f"/push/config/{app_id}", api.platform()
    old = (await admin.get(path)).json()["webhook_secret"]
    new = (await admin.patch(path, {"regenerate_webhook_secret": True})).json()["webhook_secret"]
    assert new != old
    document = await api.database["apps"].find_one({"_id": app_id})
    assert len(document["webhook_secrets"]) == 2
    assert document["webhook_secrets"][1]["expires_at"] is not None


async def test_secrets_that_are_regenerated_at_once_all_sign(api: Api) -> None:
    app_id = await api.new_app()
    path, admin = f"/push/config/{app_id}", api.platform()
    rotation = {"regenerate_webhook_secret": True}

    answers = await asyncio.gather(*(admin.patch(path, rotation) for _ in range(3)))

    assert len({answer.json()["webhook_secret"] for answer in answers}) == 3
    document = await api.database["apps"].find_one({"_id": app_id})
    assert len(document["webhook_secrets"]) == 4  # the latest, and three that sign beside it
    await admin.patch(path, rotation)
    document = await api.database["apps"].find_one({"_id": app_id})
    assert len(document["webhook_secrets"]) == 4


@pytest.mark.parametrize(
    "url",
    ["http://example.com/x", "https://10.0.0.1/x", "https://a@example.com/", "ftp://x.y", "x", ""],
)
async def test_a_webhook_must_be_public_https(api: Api, url: str) -> None:
    app_id = await api.new_app()
    answer = await api.platform().patch(f"/push/config/{app_id}", {"webhook_url": url})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/webhook_url"


async def test_usage_is_counted(api: Api) -> None:
    app_id = await api.new_app()
    user_id = await api.new_user(app_id)
    user = api.user(app_id, user_id)
    for token in ("one", "two"):
        body = {"app_id": str(app_id), "platform": "android", "push_token": token}
        await user.post("/push/devices/register", body)
    users = {"user_ids": [str(user_id)], "title": "t", "body": "b"}
    await api.service(app_id).post("/push/send/bulk", users)
    config = (await api.platform().get(f"/push/config/{app_id}")).json()
    assert (config["device_count"], config["notifications_today"]) == (2, 1)


def apns_body() -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"team_id": "T" * 10, "key_id": "K" * 10, "private_key": pem, "topic": "com.example"}


async def test_a_credential_is_stored_shown_and_deleted(api: Api) -> None:
    app_id = await api.new_app()
    path, admin = f"/push/config/{app_id}/providers/apns", api.platform()
    body = apns_body()
    stored = await admin.put(path, body)
    assert stored.status_code == 200
    assert stored.json()["details"]["environment"] == "production"
    shown = await admin.get(path)
    assert shown.json() == stored.json()
    assert body["private_key"][40:80] not in shown.text
    assert (await admin.delete(path)).json() == {"status": "ok"}
    for answer in (await admin.get(path), await admin.delete(path)):
        assert (answer.status_code, answer.json()["detail"]) == (404, "Credential not found")


async def test_secrets_are_not_readable_in_the_database(api: Api) -> None:
    app_id = await api.new_app()
    admin = api.platform()
    await admin.put(f"/push/config/{app_id}/providers/pushy", {"api_key": "canary-api-key"})
    config = (await admin.get(f"/push/config/{app_id}")).json()
    stored = await api.database["apps"].find_one({"_id": app_id})
    kept = await api.database["credentials"].find({"app_id": app_id})
    text = repr(stored) + repr(kept)
    assert "canary-api-key" not in text
    assert config["webhook_secret"] not in text


async def test_enrolments_come_and_go(api: Api) -> None:
    app_id = await api.new_app()
    service, user_id = api.service(app_id, "push:enroll"), uuid4()
    path = f"/push/apps/{app_id}/users/{user_id}"
    assert (await service.get(path)).status_code == 404
    assert (await service.put(path)).json() == {"user_id": str(user_id), "enrolled": True}
    assert (await service.put(path)).status_code == 200
    assert (await service.get(path)).status_code == 200
    assert (await service.delete(path)).json() == {"status": "ok"}
    assert (await service.delete(path)).status_code == 404
    assert (await service.put(f"/push/apps/{app_id}/users/x")).status_code == 400


@pytest.mark.parametrize(("count", "status"), [(1, 200), (10_000, 200), (0, 400), (10_001, 400)])
async def test_enrolments_in_bulk(api: Api, count: int, status: int) -> None:
    app_id = await api.new_app()
    body = {"user_ids": [str(uuid4()) for _ in range(count)]}
    answer = await api.service(app_id, "push:enroll").post(f"/push/apps/{app_id}/users", body)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"enrolled": count}
        last = f"/push/apps/{app_id}/users/{body['user_ids'][-1]}"
        assert (await api.platform().get(last)).status_code == 200
