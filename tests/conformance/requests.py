"""Valid requests of every route, and the three sends as one."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx

from tests.conformance.stage import Stage, texts
from tests.front_door import Caller

TEXT = {"title": "Your shift starts in 30 min", "body": "Open GymOps to view details."}


class Request(NamedTuple):
    method: str
    path: str
    body: Any = None

    async def by(self, caller: Caller) -> httpx.Response:
        return await caller.call(*self)


def request_of(route: str, stage: Stage, app_id: UUID | None = None) -> Request:
    """A valid request about an app, the stage's own when none is named."""
    app_id = app_id or stage.app_id
    token = {"app_id": str(app_id), "platform": "android", "push_token": "token"}
    match route:
        case "config.patch":
            return Request("PATCH", f"/push/config/{app_id}", {"daily_quota": 10_000})
        case "config.get":
            return Request("GET", f"/push/config/{app_id}")
        case "devices.list":
            return Request("GET", f"/push/devices/{app_id}")
        case "register":
            return Request("POST", "/push/devices/register", token)
        case "unregister":
            return Request("DELETE", f"/push/devices/{uuid4()}")
        case _:
            return sending(route, [stage.user_id])


def sending(send: str, user_ids: Sequence[UUID], **content: Any) -> Request:
    """A send of this kind to these users; a send to a single user takes the last of them."""
    content = TEXT | content
    match send:
        case "send":
            return Request("POST", "/push/send", {"user_id": str(user_ids[-1])} | content)
        case "bulk":
            return Request("POST", "/push/send/bulk", {"user_ids": texts(user_ids)} | content)
        case _:
            rows = [{"user_id": user_id} | content for user_id in texts(user_ids)]
            return Request("POST", "/push/send/batch", {"notifications": rows})


def field_of(send: str, name: str, index: int = 0) -> str:
    """The pointer to a field of a notification's content."""
    return f"#/notifications/{index}/{name}" if send == "batch" else f"#/{name}"


def user_of(send: str, index: int) -> str:
    """The pointer to a user in a request to several."""
    pointers = {"send": "#/user_id", "bulk": f"#/user_ids/{index}"}
    return pointers.get(send, f"#/notifications/{index}/user_id")


def made_by(answer: httpx.Response) -> list[str]:
    """The ids of the notifications that a send has made."""
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    ids: list[str] = told.get("notification_ids") or [told["notification_id"]]
    return ids
