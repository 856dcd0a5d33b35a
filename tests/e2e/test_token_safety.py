"""A set-up that makes every token look dead costs no app its devices; tokens that died go."""

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from deploy.local.credentials import make_credentials
from shared.domain.holds import DEAD_ALLOWED
from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually

USERS = 40


class Audience:
    """Users of an app with one device each."""

    def __init__(self, tenant: Tenant, provider: str) -> None:
        self.tenant, self.provider = tenant, provider
        self.users: list[str] = []
        self.names: list[str] = []

    async def gather(self, size: int = USERS) -> None:
        gate = asyncio.Semaphore(16)

        async def join(user_id: str) -> str:
            async with gate:
                token = await self.tenant.new_token(self.provider)
                # said outright, so that the other environment's host is not tried
                said = {"apns_environment": "production"} if self.provider == "apns" else {}
                await self.tenant.register(user_id, self.provider, token, **said)
                return str(token["endpoint"] if isinstance(token, dict) else token).split("/")[-1]

        self.users = [str(uuid4()) for _ in range(size)]
        self.names = list(await asyncio.gather(*map(join, self.users)))

    async def send_to_all(self) -> Counter[tuple[str, str]]:
        """One bulk to everybody; how its deliveries stand once none is on its way any more."""
        answer = await self.tenant.call(
            "POST",
            "/push/send/bulk",
            token=self.tenant.service(),
            body={"user_ids": self.users, "title": "All", "body": "x"},
        )
        return await eventually(lambda: self._rested(answer["notification_ids"]), within_seconds=60)

    async def _rested(self, ids: list[str]) -> Counter[tuple[str, str]] | None:
        """None until each delivery is settled or parked."""
        statuses = await asyncio.gather(*map(self.tenant.status, ids))
        rows = [row for status in statuses for row in status["devices"]]
        if any(row["reason"] is None for row in rows if row["state"] == "accepted"):
            return None
        return Counter((row["state"], row["reason"] or "") for row in rows)

    async def look_dead(self, state: str, count: int = USERS) -> None:
        for name in self.names[:count]:
            path = f"/{self.provider}/devices/{name}"
            answer = await self.tenant.simulators.put(path, json={"state": state})
            assert answer.status_code < 300, answer.text

    async def deactivated(self) -> int:
        return len(await self.tenant.devices(active="false", limit="1000"))

    async def shown(self) -> Json:
        path = f"/push/config/{self.tenant.app_id}/providers/{self.provider}"
        return await self.tenant.call("GET", path, token=self.tenant.admin())

    def alarms(self) -> list[Json]:
        lines = self.tenant.system.logs().splitlines()
        events = [json.loads(line) for line in lines if "devices.deactivation_held" in line]
        return [e for e in events if e["app_id"] == self.tenant.app_id]


LOOKS: list[Any] = [
    ("apns", "other_environment"),
    ("apns", "other_topic"),
    ("fcm", "mismatch"),
    ("fcm", "bad"),
    ("webpush", "bad"),
    ("pushy", "bad"),
]


@pytest.mark.parametrize(("provider", "state"), LOOKS)
async def test_a_set_up_that_makes_every_token_look_dead_is_held(
    tenant: Tenant, provider: str, state: str
) -> None:
    audience = Audience(tenant, provider)
    await audience.gather()
    assert await audience.send_to_all() == {("sent", ""): USERS}
    await audience.look_dead(state)

    for _ in range(4):  # more often than suspicions are needed
        await audience.send_to_all()

    assert await audience.deactivated() <= DEAD_ALLOWED
    assert (await audience.shown())["deactivation_held_since"] is not None
    (alarm, *_) = audience.alarms()
    assert (alarm["level"], alarm["provider"]) == ("error", provider)


async def replaced(tenant: Tenant, provider: str) -> None:
    """Another credential in place of the right one, which the provider takes as good."""
    if provider == "webpush":  # a new key pair is made; the browsers are bound to the old one
        path = f"/push/config/{tenant.app_id}/providers/webpush"
        await tenant.call("DELETE", path, token=tenant.admin())
        body = {"subject": "mailto:ops@example.com"}
    else:
        body = make_credentials().by_provider()[provider]
    await tenant.put_credential(provider, body)


@pytest.mark.parametrize("provider", ["apns", "fcm", "webpush", "pushy"])
async def test_another_credential_deactivates_nobody(tenant: Tenant, provider: str) -> None:
    audience = Audience(tenant, provider)
    await audience.gather()
    assert await audience.send_to_all() == {("sent", ""): USERS}
    await replaced(tenant, provider)

    for _ in range(4):
        await audience.send_to_all()

    assert await audience.deactivated() <= DEAD_ALLOWED


@pytest.mark.parametrize("users", [USERS, 5])
async def test_nothing_is_deactivated_by_a_set_up_that_never_worked(
    tenant: Tenant, users: int
) -> None:
    audience = Audience(tenant, "fcm")
    await audience.gather(users)
    await audience.look_dead("mismatch", users)

    for _ in range(4):
        assert await audience.send_to_all() == {("rejected", "SENDER_ID_MISMATCH"): users}

    assert await audience.deactivated() == 0


async def test_a_steady_few_dead_tokens_are_deactivated(tenant: Tenant) -> None:
    audience = Audience(tenant, "fcm")
    await audience.gather(150)
    assert await audience.send_to_all() == {("sent", ""): 150}
    await audience.look_dead("unregistered", 3)

    await audience.send_to_all()

    gone = await tenant.devices(active="false")
    assert {device["user_id"] for device in gone} == set(audience.users[:3])
    assert (await audience.shown())["deactivation_held_since"] is None
    assert audience.alarms() == []
