"""The Pushy API from its front door to Pushy's simulator."""

from typing import Any
from uuid import uuid4

import httpx

from tests.e2e.tenant import Json, Tenant


async def call(
    tenant: Tenant, method: str, path: str, token: str, body: Any = None, **headers: str
) -> httpx.Response:
    fields = {"authorization": f"Bearer {token}"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    return await tenant.api.request(method, f"/api/v1{path}", json=body, headers=fields)


async def a_session(tenant: Tenant, user_id: str, token: str | None = None) -> str:
    token = token or await tenant.new_token("pushy")
    body = {"token": token, "platform": "ANDROID", "language": "en"}
    answer = await call(tenant, "POST", "/device-info", tenant.user(user_id), body)
    assert answer.status_code == 201, answer.text
    return token


async def test_a_session_topics_and_a_direct_push(tenant: Tenant) -> None:
    user_id = str(uuid4())
    token = await a_session(tenant, user_id)
    mine = tenant.user(user_id)

    listed = await call(tenant, "GET", "/device-info", mine)
    assert listed.json()["data"] == [{"token": token, "platform": "ANDROID"}]
    body: Json = {"token": token, "topics": ["announcements", "system-updates"]}
    subscribed = await call(tenant, "POST", "/device-info/subscribe", mine, body)
    assert subscribed.json()["data"] == {
        "success": True,
        "message": "Successfully subscribed to topics",
    }
    path = "/device-info/topics/announcements/subscribers"
    assert (await call(tenant, "GET", path, mine)).json()["data"] == {
        "topic": "announcements",
        "subscribers": [token],
    }
    push = {
        "title": "Balance Updated",
        "content": "Your wallet has been credited.",
        "to": [token],
        "action": "wallet_refresh",
        "additional_data": {"wallet_id": 17, "source": "topup"},
    }
    sent = await call(tenant, "POST", "/notifications/send-dev", mine, push)
    assert sent.status_code == 200, sent.text
    assert sent.json()["data"] == {"success": True, "message": "Notification sent successfully"}
    assert sent.json()["message"] == "Success"
    detail = await call(
        tenant, "GET", f"/notifications/{sent.headers['x-notification-id']}", tenant.service()
    )
    assert (detail.json()["data"]["devices"], detail.json()["data"]["failed"]) == (1, [])
