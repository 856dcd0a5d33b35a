"""Each provider delivers, and each main answer has its effect on device, retry and receipt."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.system import System
from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually

PROVIDERS = ("apns", "fcm", "webpush", "pushy")


async def test_one_send_reaches_all_four_providers(tenant: Tenant) -> None:
    user_id = str(uuid4())
    devices = {await tenant.register(user_id, provider): provider for provider in PROVIDERS}

    notification_id = await tenant.send(user_id, title="Hallo", data={"route": "/x", "n": 17})

    status = await tenant.settled(notification_id)
    assert status["status"] == "sent"
    assert {row["device_id"]: row["provider"] for row in status["devices"]} == devices
    assert {row["state"] for row in status["devices"]} == {"sent"}
    assert {row["attempts"] for row in status["devices"]} == {1}
    for provider in PROVIDERS:
        entries = await tenant.seen(provider, notification_id)
        assert len(entries) == 1, provider
        assert "Hallo" in str(entries[0]["request"]["payload"])
    receipts = await tenant.receipts(notification_id, count=4)
    assert {r["device_id"]: r["state"] for r in receipts} == dict.fromkeys(devices, "sent")


ANSWERS: list[Any] = [
    # provider, device state in the simulator, delivery state, device stays active, dead letter
    ("apns", "unregistered", "unregistered", False),
    ("fcm", "unregistered", "unregistered", False),
    ("webpush", "unregistered", "unregistered", False),
    ("pushy", "unregistered", None, None),
    ("apns", "bad", "rejected", True),
    ("fcm", "mismatch", "rejected", True),
]


@pytest.mark.parametrize(("provider", "device_state", "state", "active"), ANSWERS)
async def test_a_dead_token_is_deactivated_and_a_suspect_one_is_not_at_once(
    tenant: Tenant, provider: str, device_state: str, state: str | None, active: bool | None
) -> None:
    user_id = str(uuid4())
    token = await tenant.new_token(provider)
    device_id = await tenant.register(user_id, provider, token)
    name = token["endpoint"].rsplit("/", 1)[-1] if provider == "webpush" else token
    await tenant.simulators.put(f"/{provider}/devices/{name}", json={"state": device_state})

    notification_id = await tenant.send(user_id)

    status = await tenant.settled(notification_id)
    row = status["devices"][0]
    if state is not None:
        assert row["state"] == state
    assert row["attempts"] == 1
    rows = {d["device_id"]: d for d in await tenant.devices(user_id=user_id)}
    gone = await tenant.devices(user_id=user_id, active="false")
    is_active = device_id in rows
    assert is_active != bool(gone)
    if active is not None:
        assert is_active == active
    if gone:
        assert gone[0]["deactivated_reason"].startswith(f"{provider}:")
    receipts = await tenant.receipts(notification_id)
    assert receipts[0]["state"] == row["state"]


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ("apns", "ServiceUnavailable"),
        ("fcm", "UNAVAILABLE"),
        ("webpush", None),
        ("pushy", "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_an_unavailable_provider_is_retried_to_success(
    tenant: Tenant, provider: str, reason: str | None
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, provider)
    status_code = 500 if provider == "pushy" else 503
    title = f"retry-{provider}-{user_id}"
    action: Json = {"kind": "answer", "status": status_code}
    if reason is not None:
        action["reason"] = reason
    await tenant.script(provider, action, match={"title": title}, times=2)

    notification_id = await tenant.send(user_id, title=title)

    status = await tenant.settled(notification_id)
    row = status["devices"][0]
    assert (row["state"], row["attempts"]) == ("sent", 3)
    entries = await tenant.seen(provider, notification_id)
    assert [entry["accepted"] for entry in entries] == [False, False, True]
    assert len(await tenant.devices(user_id=user_id)) == 1


@pytest.mark.parametrize("kind", ["cut_before", "garbage"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_call_without_answer_is_repeated(tenant: Tenant, provider: str, kind: str) -> None:
    await sent_in_spite_of(tenant, provider, kind)


async def test_a_call_that_hangs_is_repeated(tenant: Tenant) -> None:
    await asyncio.gather(*(sent_in_spite_of(tenant, provider, "hang") for provider in PROVIDERS))


async def sent_in_spite_of(tenant: Tenant, provider: str, kind: str) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, provider)
    title = f"{kind}-{user_id}"
    action: Json = {"kind": kind} | ({"status": 502} if kind == "garbage" else {})
    await tenant.script(provider, action, match={"title": title}, times=1)

    notification_id = await tenant.send(user_id, title=title)

    status = await tenant.settled(notification_id)
    assert status["devices"][0]["state"] == "sent"
    accepted = [e for e in await tenant.seen(provider, notification_id) if e["accepted"]]
    assert len(accepted) == 1


async def test_a_lost_answer_is_repeated_under_the_same_id(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "apns")
    title = f"cut-after-{user_id}"
    await tenant.script("apns", {"kind": "cut_after"}, match={"title": title}, times=1)

    notification_id = await tenant.send(user_id, title=title)

    assert (await tenant.settled(notification_id))["devices"][0]["state"] == "sent"
    entries = await tenant.seen("apns", notification_id)
    assert [entry["answered"] for entry in entries] == [False, True]
    assert len({entry["id"] for entry in entries}) == 1
    assert len({entry["request"]["headers"]["apns-collapse-id"] for entry in entries}) == 1


async def test_a_retry_waits_as_long_as_the_provider_asks(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    title = f"retry-after-{user_id}"
    await tenant.script(
        "fcm",
        {
            "kind": "answer",
            "status": 503,
            "reason": "UNAVAILABLE",
            "headers": {"retry-after": "3"},
        },
        match={"title": title},
        times=1,
    )

    notification_id = await tenant.send(user_id, title=title)

    await tenant.settled(notification_id)
    first, second = await tenant.seen("fcm", notification_id)
    assert second["at"] - first["at"] >= 3


async def test_what_a_provider_rejects_is_dead_lettered_and_told(tenant: Tenant) -> None:
    user_id = str(uuid4())
    device_id = await tenant.register(user_id, "apns")
    title = f"reject-{user_id}"
    await tenant.script(
        "apns",
        {"kind": "answer", "status": 400, "reason": "BadCollapseId"},
        match={"title": title},
    )

    notification_id = await tenant.send(user_id, title=title)

    status = await tenant.settled(notification_id)
    assert status["status"] == "failed"
    assert status["devices"][0]["state"] == "rejected"
    assert [d["device_id"] for d in await tenant.devices(user_id=user_id)] == [device_id]
    receipts = await tenant.receipts(notification_id)
    assert (receipts[0]["state"], receipts[0]["reason"]) == ("rejected", "BadCollapseId")


async def test_a_short_life_ends_as_expired(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    title = f"expire-{user_id}"
    await tenant.script(
        "fcm",
        {"kind": "answer", "status": 503, "reason": "UNAVAILABLE"},
        match={"title": title},
        times=None,
    )

    notification_id = await tenant.send(user_id, title=title, ttl=2)

    status = await tenant.settled(notification_id)
    assert status["status"] == "expired"
    assert (await tenant.receipts(notification_id))[0]["state"] == "expired"


async def test_now_or_never_makes_one_attempt(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    title = f"never-{user_id}"
    await tenant.script(
        "fcm",
        {"kind": "answer", "status": 503, "reason": "UNAVAILABLE"},
        match={"title": title},
        times=None,
    )

    notification_id = await tenant.send(user_id, title=title, ttl=0)

    row = (await tenant.settled(notification_id))["devices"][0]
    assert (row["state"], row["attempts"]) == ("expired", 1)


async def test_a_delivery_waits_for_its_credential(
    system: System, api: httpx.AsyncClient, simulators: httpx.AsyncClient
) -> None:
    tenant = Tenant(system, api, simulators)
    await tenant.set_up(providers=())
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    notification_id = await tenant.send(user_id)

    async def parked() -> bool:
        row = (await tenant.status(notification_id))["devices"][0]
        return (row["state"], row["reason"], row["attempts"]) == ("accepted", "no_credential", 0)

    await eventually(parked)

    await tenant.put_credential("fcm", system.credentials.fcm)

    row = (await tenant.settled(notification_id))["devices"][0]
    assert (row["state"], row["attempts"]) == ("sent", 1)


async def test_nobody_to_send_to_ends_as_no_devices(tenant: Tenant) -> None:
    user_id = str(uuid4())
    device_id = await tenant.register(user_id, "fcm")
    await tenant.call("DELETE", f"/push/devices/{device_id}", token=tenant.user(user_id))

    notification_id = await tenant.send(user_id)

    assert (await tenant.status(notification_id))["status"] == "no_devices"


async def test_a_device_that_changed_hands_gets_nothing_of_its_old_user(tenant: Tenant) -> None:
    old, new = str(uuid4()), str(uuid4())
    token = await tenant.new_token("fcm")
    first = await tenant.register(old, "fcm", token)
    second = await tenant.register(new, "fcm", token)

    notification_id = await tenant.send(old)

    assert first == second
    assert (await tenant.status(notification_id))["status"] == "no_devices"
    assert (await tenant.settled(await tenant.send(new)))["status"] == "sent"


async def test_bulk_and_batch_reach_everybody_once(tenant: Tenant) -> None:
    users = [str(uuid4()) for _ in range(30)]
    for user_id in users:
        await tenant.register(user_id, "fcm")

    bulk = await tenant.call(
        "POST",
        "/push/send/bulk",
        token=tenant.service(),
        body={"user_ids": [*users, users[0]], "title": "All", "body": "x"},
    )
    batch = await tenant.call(
        "POST",
        "/push/send/batch",
        token=tenant.service(),
        body={"notifications": [{"user_id": u, "title": f"For {u}", "body": "y"} for u in users]},
    )

    ids = bulk["notification_ids"]
    assert ids[0] == ids[-1]
    assert len(set(ids)) == 30
    for notification_id in {*ids, *batch["notification_ids"]}:
        assert (await tenant.settled(notification_id))["status"] == "sent"
        assert len(await tenant.seen("fcm", notification_id)) == 1
    entry = (await tenant.seen("fcm", batch["notification_ids"][3]))[0]
    assert f"For {users[3]}" in str(entry["request"]["payload"])
