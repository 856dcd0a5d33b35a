"""Credentials: asked about at their provider, watched in use, changed without a restart."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from deploy.local.credentials import make_credentials
from tests.e2e.system import System
from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually

PROVIDERS = ("apns", "fcm", "webpush", "pushy")


async def verify(tenant: Tenant, provider: str) -> Json:
    path = f"/push/config/{tenant.app_id}/providers/{provider}/verify"
    return await tenant.call("POST", path, token=tenant.admin())


async def shown(tenant: Tenant, provider: str) -> Json:
    path = f"/push/config/{tenant.app_id}/providers/{provider}"
    return await tenant.call("GET", path, token=tenant.admin())


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_good_credential_is_valid(tenant: Tenant, provider: str) -> None:
    answer = await verify(tenant, provider)

    assert (answer["provider"], answer["verdict"]) == (provider, "valid")
    credential = await shown(tenant, provider)
    assert credential["last_success_at"] is not None
    assert credential["last_error"] is None


WRONG: dict[str, Any] = {
    "apns": make_credentials().apns,
    "fcm": make_credentials().fcm,
    "pushy": {"api_key": "wrong-key"},
}


@pytest.mark.parametrize("provider", WRONG)
async def test_a_wrong_credential_is_invalid_and_says_why(tenant: Tenant, provider: str) -> None:
    await tenant.put_credential(provider, WRONG[provider])

    answer = await verify(tenant, provider)

    assert answer["verdict"] == "invalid"
    credential = await shown(tenant, provider)
    assert credential["last_error"] == answer["reason"] is not None
    assert credential["last_success_at"] is None


async def test_a_provider_that_does_not_answer_leaves_it_unknown(tenant: Tenant) -> None:
    await tenant.script("pushy", {"kind": "cut_before"}, match={"device": "fanfareverify"}, times=1)

    answer = await verify(tenant, "pushy")

    assert answer["verdict"] == "unknown"
    assert (await shown(tenant, "pushy"))["last_error"] is None


async def test_no_credential_cannot_be_verified(
    system: System, api: httpx.AsyncClient, simulators: httpx.AsyncClient
) -> None:
    tenant = Tenant(system, api, simulators)
    await tenant.set_up(providers=())
    path = f"/push/config/{tenant.app_id}/providers/fcm/verify"

    answer = await tenant.call("POST", path, token=tenant.admin(), status=404)

    assert answer["detail"] == "Credential not found"


async def test_verifying_reaches_nobody(tenant: Tenant) -> None:
    async def accepted() -> int:
        stats = await tenant.simulators.get("/fcm/stats")
        return int(stats.json()["accepted"])

    before = await accepted()

    await verify(tenant, "fcm")

    assert await accepted() == before


async def test_what_the_worker_learns_of_a_credential_is_shown(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    assert (await tenant.settled(await tenant.send(user_id)))["status"] == "sent"

    async def noted(name: str) -> Any:
        return (await shown(tenant, "fcm"))[name]

    assert await eventually(lambda: noted("last_success_at"))
    await tenant.put_credential("fcm", WRONG["fcm"])
    assert await noted("last_success_at") is None

    async def refused() -> Any:  # the worker may know the old one for two seconds more
        await tenant.send(user_id)
        return await noted("last_error")

    assert await eventually(refused)
    assert await noted("last_success_at") is None


async def test_a_change_reaches_the_worker_without_restart(system: System, tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    assert (await tenant.settled(await tenant.send(user_id)))["status"] == "sent"

    await tenant.put_credential("fcm", WRONG["fcm"])

    async def refused() -> bool:
        notification_id = await tenant.send(user_id)

        async def attempted() -> Json | None:
            row = (await tenant.status(notification_id))["devices"][0]
            return row if row["updated_at"] else None

        return bool((await eventually(attempted))["state"] == "accepted")  # parked

    await eventually(refused, within_seconds=5)
    await tenant.put_credential("fcm", system.credentials.fcm)

    async def taken() -> bool:
        status = await tenant.settled(await tenant.send(user_id))
        return bool(status["status"] == "sent")

    await eventually(taken, within_seconds=5)
