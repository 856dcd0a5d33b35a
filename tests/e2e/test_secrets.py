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
