"""Nothing secret reaches a log, whatever happens to it on the way."""

import time
from uuid import uuid4

import httpx

from tests.e2e.system import System
from tests.e2e.tenant import Tenant


async def test_no_canary_reaches_a_log(system: System, tenant: Tenant) -> None:
    user_id = str(uuid4())
    mark = f"canary{int(time.time())}"
    tokens = {
        "fcm": f"{mark}fcmtoken503once",
        "pushy": f"dead-{mark}pushytoken",
        "apns": "dead" + mark.encode().hex().ljust(60, "a"),
    }
    for provider, token in tokens.items():
        await tenant.register(user_id, provider, token)
    notification_id = await tenant.send(
        user_id, title=f"{mark}title", body=f"{mark}body", data={"k": f"{mark}data"}
    )
    await tenant.settled(notification_id)
    await tenant.receipts(notification_id, count=3)
    bad_token = tenant.token(user_id, aud=tenant.app_id, roles=[f"{mark}role"])
    for body in (f'{{"user_id":"{mark}', f'{{"title":"{mark}"}}'):
        response = await tenant.api.post(
            "/push/send",
            content=body,
            headers={
                "authorization": f"Bearer {tenant.service()}",
                "content-type": "application/json",
            },
        )
        assert response.status_code == 400
    response = await tenant.api.get(
        f"/push/devices/{tenant.app_id}", headers={"authorization": f"Bearer {bad_token}"}
    )
    assert response.status_code == httpx.codes.UNAUTHORIZED

    logs = system.logs()

    secrets = {
        mark,
        mark.encode().hex(),
        tenant.service(),
        tenant.config["webhook_secret"],
        system.jwt_secret,
        system.credentials.pushy["api_key"],
        system.settings["FANFARE_HASH_KEY"],
    }
    assert notification_id.replace("-", "")[:28] in logs.replace("-", "")
    assert [secret for secret in secrets if secret in logs] == []


async def test_no_canary_of_options_keys_or_direct_pushes_reaches_a_log(
    system: System, tenant: Tenant
) -> None:
    user_id = str(uuid4())
    mark = f"canari{int(time.time())}"
    wording = {"title": f"{mark}title", "body": f"{mark}body"}
    options = {
        "collapse_key": f"{mark}collapse",
        "image": f"https://{mark}.example/a.png",
        "click_action": f"{mark}click",
        "title_loc": {"key": "K", "args": [f"{mark}arg"]},
        "localized": {"de": wording},
        "overrides": {"fcm": {"data": {"k": f"{mark}patch"}}, "pushy": {"data": {"k": mark}}},
    }
    for provider in ("fcm", "pushy"):
        await tenant.register(user_id, provider, f"{mark}{provider}", language="de")
    headers = {"authorization": f"Bearer {tenant.service()}", "idempotency-key": f"{mark}key"}
    body = {"user_id": user_id, "data": {"k": f"{mark}data"}} | wording | options
    for path in ("/push/send", "/push/send", "/push/send/preview"):
        response = await tenant.api.post(path, json=body, headers=headers)
        assert response.status_code == 200, response.text
    overridden = await tenant.api.post(
        "/push/send", json=body | {"overrides": {"fcm": {"token": mark}}}, headers=headers
    )
    assert overridden.status_code == 400
    user = {"authorization": f"Bearer {tenant.user(user_id)}"}
    session = {"token": f"{mark}session", "platform": "ANDROID"}
    push = {"title": f"{mark}t", "content": f"{mark}c", "to": [f"{mark}session"]}
    for path, content, status in (
        ("/device-info", session, 201),
        ("/device-info/subscribe", {"token": f"{mark}session", "topics": ["news"]}, 200),
        ("/notifications/send-dev", push | {"additional_data": {"k": f"{mark}extra"}}, 200),
        ("/notifications/send-dev", push | {"to": [f"{mark}foreign"]}, 403),
        ("/device-info", {"payload": f"{mark}.no.jwe"}, 400),
    ):
        response = await tenant.api.post(f"/api/v1{path}", json=content, headers=user)
        assert response.status_code == status, response.text
    wrong = {"api_key": f"{mark}apikey"}
    await tenant.put_credential("pushy", wrong)
    path = f"/push/config/{tenant.app_id}/providers/pushy/verify"
    verification = await tenant.call("POST", path, token=tenant.admin())
    assert verification["verdict"] == "invalid", verification
    enrolled = await tenant.api.post(
        f"/push/apps/{tenant.app_id}/users",
        content=f"{mark}line\n",
        headers={"authorization": headers["authorization"], "content-type": "application/x-ndjson"},
    )
    assert enrolled.status_code == 200

    logs = system.logs()

    assert tenant.app_id in logs
    assert mark not in logs
    assert system.credentials.pushy["api_key"] not in logs
