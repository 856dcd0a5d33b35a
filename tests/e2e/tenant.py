"""An app and its back end, as a caller of the service: HTTP in, simulators and webhook out."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import jwt

from tests.e2e.system import TEST_ISSUER, System
from tests.eventually import eventually

Json = dict[str, Any]
_TOKEN_SECONDS = 3_600


@dataclass
class Tenant:
    """One app with its tokens; every call goes through the front door."""

    system: System
    api: httpx.AsyncClient
    simulators: httpx.AsyncClient
    app_id: str = field(default_factory=lambda: str(uuid4()))
    config: Json = field(default_factory=dict)
    _service_token: str = ""
    _scripted: set[str] = field(default_factory=set)

    @property
    def hook(self) -> str:
        return f"app-{self.app_id}"

    @property
    def hook_url(self) -> str:
        return f"{self.system.simulator_urls['receiver_url']}/hooks/{self.hook}"

    def token(self, sub: str | None = None, **claims: Any) -> str:
        now = int(time.time())
        base = {"iss": TEST_ISSUER, "sub": sub or str(uuid4()), "iat": now}
        claims = base | {"exp": now + _TOKEN_SECONDS} | claims
        return jwt.encode(claims, self.system.jwt_secret, algorithm="HS256")

    def admin(self) -> str:
        return self.token(aud=self.app_id, roles=["platform_admin"])

    def user(self, user_id: str) -> str:
        return self.token(user_id, aud=self.app_id, roles=["user"])

    def service(self) -> str:
        """A service token; the same one again, as a back end uses it."""
        if not self._service_token:
            scope = "push:send push:enroll"
            self._service_token = self.token(self.app_id, token_type="service", scope=scope)
        return self._service_token

    async def call(
        self, method: str, path: str, *, token: str, body: Any = None, status: int = 200
    ) -> Json:
        """One call of the API; AssertionError unless it answers with `status`."""
        response = await self.api.request(
            method, path, json=body, headers={"authorization": f"Bearer {token}"}
        )
        assert response.status_code == status, f"{method} {path}: {response.text}"
        answer: Json = response.json() if response.content else {}
        return answer

    async def script(self, simulator: str, action: Json, **rule: Any) -> None:
        response = await self.simulators.post(
            f"/{simulator}/rules", json={"action": action, **rule}
        )
        assert response.status_code == 201, response.text
        self._scripted.add(simulator)

    async def end_scripts(self) -> None:
        """Take back what `script` put up, so that no fault that nobody met waits for another."""
        for simulator in self._scripted:
            await self.simulators.delete(f"/{simulator}/rules")

    async def set_up(
        self, *, receipts: bool = True, providers: tuple[str, ...] | None = None
    ) -> None:
        """Create and enable the app, with credentials for all simulators and a webhook."""
        await self.call(
            "PUT", f"/push/apps/{self.app_id}", token=self.admin(), body={"name": "t"}, status=201
        )
        change = {"enabled": True} | ({"webhook_url": self.hook_url} if receipts else {})
        self.config = await self.call(
            "PATCH", f"/push/config/{self.app_id}", token=self.admin(), body=change
        )
        await self.simulators.put(
            f"/receiver/endpoints/{self.hook}", json={"secrets": [self.config["webhook_secret"]]}
        )
        bodies = self.system.credentials.by_provider()
        for provider in bodies if providers is None else providers:
            await self.put_credential(provider, bodies[provider])

    async def put_credential(self, provider: str, body: Json) -> None:
        path = f"/push/config/{self.app_id}/providers/{provider}"
        await self.call("PUT", path, token=self.admin(), body=body)

    async def register(self, user_id: str, provider: str, token: Any = None, **changes: Any) -> str:
        """One more device of a user; its id."""
        platform = {"apns": "ios", "webpush": "web"}.get(provider, "android")
        body = {
            "app_id": self.app_id,
            "platform": platform,
            "provider": provider,
            "push_token": token or await self.new_token(provider),
        } | changes
        answer = await self.call(
            "POST", "/push/devices/register", token=self.user(user_id), body=body, status=201
        )
        device_id: str = answer["device_id"]
        return device_id

    async def new_token(self, provider: str) -> Any:
        if provider == "apns":
            return "ab" + secrets.token_hex(31)
        if provider == "webpush":
            key = {"application_server_key": self.config["vapid_public_key"]}
            answer = await self.simulators.post("/webpush/subscriptions", json=key)
            return answer.json()["subscription"]
        return f"{provider}{secrets.token_hex(16)}"

    async def send(self, user_id: str, **changes: Any) -> str:
        """One `POST /push/send`; the notification's id."""
        body = {"user_id": user_id, "title": "Title", "body": "Body"} | changes
        answer = await self.call("POST", "/push/send", token=self.service(), body=body)
        notification_id: str = answer["notification_id"]
        return notification_id

    async def status(self, notification_id: str) -> Json:
        return await self.call(
            "GET", f"/push/notifications/{notification_id}", token=self.service()
        )

    async def settled(self, notification_id: str, *, within_seconds: float = 40) -> Json:
        """The notification's status once no delivery waits any more."""

        async def look() -> Json | None:
            status = await self.status(notification_id)
            return None if status["status"] in {"pending", "scheduled"} else status

        return await eventually(look, within_seconds=within_seconds, what="settled")

    async def seen(self, simulator: str, notification_id: str) -> list[Json]:
        response = await self.simulators.get(
            f"/{simulator}/seen", params={"notification_id": notification_id}
        )
        entries: list[Json] = response.json()["entries"]
        return entries

    async def receipts(self, notification_id: str, *, count: int = 1) -> list[Json]:
        """The verified receipts of a notification, once there are `count`."""

        async def look() -> list[Json] | None:
            response = await self.simulators.get(
                "/receiver/receipts",
                params={"name": self.hook, "notification_id": notification_id},
            )
            found: list[Json] = response.json()["receipts"]
            return found if len(found) >= count else None

        return await eventually(look, within_seconds=60, what="receipts")

    async def devices(self, **filters: str) -> list[Json]:
        query = "&".join(f"{key}={value}" for key, value in filters.items())
        answer = await self.call("GET", f"/push/devices/{self.app_id}?{query}", token=self.admin())
        rows: list[Json] = answer["devices"]
        return rows
