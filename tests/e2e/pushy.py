"""Calls of the Pushy API, and sessions that it has begun."""

from typing import Any

import httpx

from tests.e2e.tenant import Tenant


async def call(
    tenant: Tenant, method: str, path: str, token: str, body: Any = None, **headers: str
) -> httpx.Response:
    fields = {"authorization": f"Bearer {token}"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    content = {"content": body} if isinstance(body, str) else {"json": body}
    return await tenant.api.request(method, f"/api/v1{path}", headers=fields, **content)


async def a_session(tenant: Tenant, user_id: str, token: str | None = None, **changes: str) -> str:
    token = token or await tenant.new_token("pushy")
    body = {"token": token, "platform": "ANDROID", "language": "en"} | changes
    answer = await call(tenant, "POST", "/device-info", tenant.user(user_id), body)
    assert answer.status_code == 201, answer.text
    return token
