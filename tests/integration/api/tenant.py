"""An app with one enrolled user, as its own backend sees it."""

import json
from typing import Any
from uuid import UUID

import httpx

from tests.front_door import Api

Body = dict[str, Any]
TEXT = {"title": "Hi", "body": "There"}


class Tenant:
    def __init__(self, api: Api, app_id: UUID, user_id: UUID) -> None:
        self.api, self.app_id, self.user_id = api, app_id, user_id

    def body(self, **changes: Any) -> Body:
        return {"user_id": str(self.user_id), **TEXT} | changes

    async def get(self, path: str) -> httpx.Response:
        return await self.api.service(self.app_id).get(path)

    async def post(self, route: str, body: Body) -> httpx.Response:
        return await self.api.service(self.app_id).post(f"/push/send{route}", body)

    async def post_text(self, route: str, text: str) -> httpx.Response:
        """A body that Python's own encoder would not write."""
        headers = self.api.service(self.app_id).headers | {"Content-Type": "application/json"}
        return await self.api.http.post(f"/push/send{route}", content=text, headers=headers)

    async def send(self, **changes: Any) -> httpx.Response:
        return await self.post("", self.body(**changes))

    async def send_raw(self, member: str, text: str, route: str = "") -> httpx.Response:
        """A send with one member more, whose JSON is given as text."""
        body = json.dumps(self.body()).removesuffix("}")
        return await self.post_text(route, f'{body}, "{member}": {text}}}')

    async def batch(self, *rows: Body) -> httpx.Response:
        return await self.post("/batch", {"notifications": [self.body(**row) for row in rows]})

    async def bulk(self, *users: UUID, **changes: Any) -> httpx.Response:
        return await self.post("/bulk", {"user_ids": [str(u) for u in users], **TEXT} | changes)

    async def sent(self, **changes: Any) -> str:
        """The id of a notification that was accepted."""
        answer = await self.send(**changes)
        assert answer.status_code == 200, answer.text
        notification_id: str = answer.json()["notification_id"]
        return notification_id

    async def status(self, notification_id: str) -> Body:
        status: Body = (await self.get(f"/push/notifications/{notification_id}")).json()
        return status

    async def new_user(self) -> UUID:
        return await self.api.new_user(self.app_id)

    async def register(self, user_id: UUID | None = None, **device: Any) -> str:
        """The id of a device of the tenant's user, or of another one."""
        body = {"app_id": str(self.app_id), "platform": "android", "push_token": "t"} | device
        caller = self.api.user(self.app_id, user_id or self.user_id)
        answer = await caller.post("/push/devices/register", body)
        assert answer.status_code == 201, answer.text
        device_id: str = answer.json()["device_id"]
        return device_id

    async def recorded(self) -> list[UUID]:
        """The sends that are on record."""
        rows = await self.api.database["sends"].find({"app_id": self.app_id}, projection={"_id": 1})
        return [row["_id"] for row in rows]

    async def charged(self) -> int:
        rows = await self.api.database["quotas"].find({})
        return sum(row["used"] for row in rows if row["_id"].startswith(f"{self.app_id}:"))


async def a_tenant(api: Api, **config: Any) -> Tenant:
    app_id = await api.new_app(**config)
    return Tenant(api, app_id, await api.new_user(app_id))


def pointers(answer: httpx.Response) -> list[str]:
    """Where the faults are that a request was refused for."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"] == "Validation failed"
    return [error["pointer"] for error in answer.json()["errors"]]
