"""What a check plays on: two apps, a user, everybody who may ask, and a clock that moves."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from shared.clock import utc_now
from tests.conformance.statements.callers import Kind
from tests.front_door import Api, Caller

Json = dict[str, Any]
TRACE = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}


class Clock:
    """Begins at tomorrow's noon: no test sees midnight, and nothing is old enough to be deleted."""

    def __init__(self) -> None:
        began = utc_now()
        noon = datetime(began.year, began.month, began.day, 12, tzinfo=UTC) + timedelta(days=1)
        self._ahead = noon - began

    def __call__(self) -> datetime:
        return utc_now() + self._ahead

    def forward(self, **by: float) -> None:
        self._ahead += timedelta(**by)


class Stage:
    """An app of a tenant and one of nobody's, both enabled, and one user, enrolled in the first."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self.api = api
        self.clock = clock
        self.app_id = uuid4()
        self.other_app_id = uuid4()
        self.user_id = uuid4()
        self.nobodys_id = uuid4()  # of no app, device or user
        self.tenant_id = f"tenant-{self.app_id}"
        self.admin = api.platform()

    async def set_up(self) -> None:
        for app_id, tenant_id in ((self.app_id, self.tenant_id), (self.other_app_id, None)):
            await self.found(app_id, tenant_id)
            await self.configure(app_id, enabled=True)
        await self.enroll(self.user_id)

    async def found(self, app_id: UUID, tenant_id: str | None = None) -> str:
        """A new app, not enabled; its client secret."""
        founding = {"name": "GymOps", "tenant_id": tenant_id}
        answer = await self.admin.put(f"/push/apps/{app_id}", founding)
        assert answer.status_code == 201, answer.text
        secret: str = answer.json()["client_secret"]
        return secret

    async def configure(self, app_id: UUID | None = None, **change: Any) -> Json:
        answer = await self.admin.patch(f"/push/config/{app_id or self.app_id}", change)
        assert answer.status_code == 200, answer.text
        config: Json = answer.json()
        return config

    async def config(self, app_id: UUID | None = None) -> Json:
        answer = await self.admin.get(f"/push/config/{app_id or self.app_id}")
        assert answer.status_code == 200, answer.text
        config: Json = answer.json()
        return config

    async def enroll(self, *user_ids: UUID, app_id: UUID | None = None) -> None:
        body = {"user_ids": [str(user_id) for user_id in user_ids]}
        answer = await self.admin.post(f"/push/apps/{app_id or self.app_id}/users", body)
        assert answer.status_code == 200, answer.text

    async def users(self, count: int) -> list[UUID]:
        """That many enrolled users."""
        user_ids = [uuid4() for _ in range(count)]
        await self.enroll(*user_ids)
        return user_ids

    def caller(self, kind: Kind) -> Caller:
        """Somebody with a token of that kind; `foreign` is who has nothing to do with the app."""
        app_id, other, api = self.app_id, self.other_app_id, self.api
        callers: dict[Kind, Caller] = {
            "service": api.service(app_id, "push:send"),
            "service_without_scope": api.service(app_id, "push:enroll", "push:sender"),
            "foreign_service": api.service(other, "push:send"),
            "user": api.user(app_id, self.user_id),
            "foreign_user": api.user(app_id),
            "app_admin": api.user(app_id, roles=["admin"]),
            "foreign_app_admin": api.user(other, roles=["admin"]),
            "tenant_admin": api.user(other, roles=["tenant_admin"], tenant_id=self.tenant_id),
            "foreign_tenant_admin": api.user(app_id, roles=["tenant_admin"], tenant_id="other"),
            "platform_admin": self.admin,
        }
        return callers[kind]

    async def register(
        self, token: str = "token", *, user_id: UUID | None = None, **changes: Any
    ) -> httpx.Response:
        """What a user is answered who registers an Android device of the app."""
        app_id = changes.pop("app_id", self.app_id)
        caller = self.api.user(app_id, user_id or self.user_id)
        body = {"app_id": str(app_id), "platform": "android", "push_token": token} | changes
        return await caller.post("/push/devices/register", body)

    async def device(self, token: str = "token", **changes: Any) -> str:
        """The id of a registered device."""
        answer = await self.register(token, **changes)
        assert answer.status_code == 201, answer.text
        device_id: str = answer.json()["device_id"]
        return device_id

    async def devices(self, query: str = "") -> Json:
        answer = await self.admin.get(f"/push/devices/{self.app_id}{query}")
        assert answer.status_code == 200, answer.text
        page: Json = answer.json()
        return page

    async def send(self, **changes: Any) -> str:
        """The id of a notification to the stage's user."""
        body = {"user_id": str(self.user_id), "title": "Hi", "body": "There"} | changes
        answer = await self.caller("service").post("/push/send", body)
        assert answer.status_code == 200, answer.text
        notification_id: str = answer.json()["notification_id"]
        return notification_id

    async def notification(self, notification_id: str) -> Json:
        """What the app is told of its notification."""
        path = f"/push/notifications/{notification_id}"
        answer = await self.caller("service").get(path)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def data(self, notification_id: str, user_id: UUID) -> Any:
        """The data that a user's device fetches."""
        path = f"/push/notifications/{notification_id}/data"
        answer = await self.api.user(self.app_id, user_id).get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def used_today(self) -> int:
        used: int = (await self.config())["notifications_today"]
        return used


def texts(user_ids: Sequence[UUID]) -> list[str]:
    return [str(user_id) for user_id in user_ids]


def traced(caller: Caller) -> Caller:
    """The caller with a trace id of its own: equal answers are then equal to the byte."""
    caller.headers |= TRACE
    return caller
