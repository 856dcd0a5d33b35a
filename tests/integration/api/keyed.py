"""A tenant whose requests carry idempotency keys, and what is on record of them."""

from collections import Counter
from uuid import UUID

import httpx

from api.services.planning import Request, build
from shared import ids
from shared.clock import utc_now
from shared.domain.deliveries import Chunk
from shared.domain.notifications import Content
from shared.domain.sends import Recipient, Send
from shared.storage.mongo import Document
from tests.front_door import Api
from tests.integration.api.tenant import Body, Tenant


class KeyedTenant(Tenant):
    """It has a daily quota, so what is charged is counted."""

    async def ask(self, body: Body, *keys: str | bytes, route: str = "") -> httpx.Response:
        return await self.ask_at(self.api, body, *keys, route=route)

    async def ask_at(
        self, api: Api, body: Body, *keys: str | bytes, route: str = ""
    ) -> httpx.Response:
        given = api.service(self.app_id).headers.items()
        fields = [(name.encode(), value.encode()) for name, value in given]
        fields += [(b"Idempotency-Key", k if isinstance(k, bytes) else k.encode()) for k in keys]
        return await api.http.post(f"/push/send{route}", headers=fields, json=body)

    async def entry(self) -> Document:
        (entry,) = await self.api.database["idempotency"].find(
            {"_id": {"$gte": f"{self.app_id}:", "$lt": f"{self.app_id};"}}
        )
        return entry

    async def forget_answer(self) -> Document:
        """As if the process had died before it noted what it had recorded."""
        entry = await self.entry()
        change = {"$set": {"send_id": None}}
        await self.api.database["idempotency"].update_one({"_id": entry["_id"]}, change)
        return entry

    async def forget_record(self) -> Document:
        """As if the process had died before it recorded anything."""
        for collection in ("sends", "chunks"):
            await self.api.database[collection].delete_many({"app_id": self.app_id})
        return await self.forget_answer()

    def late(self) -> tuple[Send, list[Chunk]]:
        """What a process that was thought dead is about to record."""
        request = Request((Content(title="Hi", body="There"),), (Recipient(self.user_id, 0),))
        return build(self.app_id, request, [], utc_now())


async def a_keyed_tenant(api: Api, daily_quota: int = 1_000) -> KeyedTenant:
    app_id = await api.new_app(daily_quota=daily_quota)
    return KeyedTenant(api, app_id, await api.new_user(app_id))


def send_id_of(answer: httpx.Response) -> UUID:
    return ids.send_id_of(UUID(answer.json()["notification_id"]))


def was_replayed(answer: httpx.Response) -> bool:
    assert answer.status_code == 200, answer.text
    return bool(answer.headers.get("idempotent-replayed") == "true")


def told_apart(answers: list[httpx.Response]) -> tuple[set[UUID], Counter[int]]:
    """The sends that were answered, and how often each status; every 409 says when to come back."""
    counts = Counter(answer.status_code for answer in answers)
    refusals = [answer for answer in answers if answer.status_code == 409]
    assert {answer.headers["retry-after"] for answer in refusals} <= {"1"}
    assert {answer.json()["detail"] for answer in refusals} <= {
        "Request with this idempotency key is in progress"
    }
    return {send_id_of(answer) for answer in answers if answer.status_code == 200}, counts
