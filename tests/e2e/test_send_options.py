"""The optional fields of a send, from the front door to what the provider was given."""

from typing import Any
from uuid import uuid4

import pytest

from tests.builders import EVERY_OPTION
from tests.e2e.tenant import Tenant

PROVIDERS = ("apns", "fcm", "webpush", "pushy")


async def payload(tenant: Tenant, provider: str, notification_id: str) -> Any:
    (entry,) = await tenant.seen(provider, notification_id)
    assert entry["accepted"]
    return entry["request"]


async def test_every_option_is_taken_by_every_provider(tenant: Tenant) -> None:
    user_id = str(uuid4())
    for provider in PROVIDERS:
        await tenant.register(user_id, provider, language="de-AT")

    notification_id = await tenant.send(user_id, **EVERY_OPTION)

    status = await tenant.settled(notification_id)
    assert {row["state"] for row in status["devices"]} == {"sent"}, status
    assert {tuple(row["cut"]) for row in status["devices"]} == {()}
    apns = await payload(tenant, "apns", notification_id)
    assert apns["payload"]["aps"] == {
        "alert": {
            "title": "Hallo",
            "body": "Welt",
            "title-loc-key": "TITLE",
            "title-loc-args": ["30"],
            "loc-key": "BODY",
        },
        "badge": 3,
        "sound": "ping.aiff",
        "category": "SHIFT",
        "thread-id": "shifts",
        "mutable-content": 1,
        "interruption-level": "active",
    }
    assert apns["headers"]["apns-collapse-id"] == "score"
    assert apns["headers"]["apns-priority"] == "5"
    fcm = (await payload(tenant, "fcm", notification_id))["payload"]["message"]
    assert fcm["notification"]["image"] == EVERY_OPTION["image"]
    assert fcm["android"] == {
        "priority": "NORMAL",
        "ttl": fcm["android"]["ttl"],
        "collapse_key": "score",
        "notification": {
            "tag": "score",
            "notification_count": 3,
            "sound": "ping.aiff",
            "click_action": EVERY_OPTION["click_action"],
            "title_loc_key": "TITLE",
            "title_loc_args": ["30"],
            "body_loc_key": "BODY",
            "channel_id": "shifts",
        },
    }
    web = await payload(tenant, "webpush", notification_id)
    assert web["payload"]["web_push"] == 8030
    assert web["payload"]["notification"] == {
        "title": "Hallo",
        "body": "Welt",
        "app_badge": 3,
        "image": EVERY_OPTION["image"],
        "navigate": EVERY_OPTION["click_action"],
        "tag": "shifts",
        "icon": "/i.png",
    }
    assert web["headers"]["urgency"] == "normal"
    pushy = (await payload(tenant, "pushy", notification_id))["payload"]
    assert (pushy["collapse_key"], pushy["data"]["extra"]) == ("score", 1)
    assert pushy["notification"]["title_loc_key"] == "TITLE"


async def test_a_silent_push_shows_nothing(tenant: Tenant) -> None:
    user_id = str(uuid4())
    for provider in PROVIDERS:
        await tenant.register(user_id, provider)

    notification_id = await tenant.send(user_id, silent=True, data={"sync": True})

    status = await tenant.settled(notification_id)
    assert {row["state"] for row in status["devices"]} == {"sent"}, status
    apns = await payload(tenant, "apns", notification_id)
    assert apns["payload"]["aps"] == {"content-available": 1}
    assert apns["headers"]["apns-push-type"] == "background"
    fcm = (await payload(tenant, "fcm", notification_id))["payload"]["message"]
    assert "notification" not in fcm
    assert "notification" not in fcm["android"]
    pushy = (await payload(tenant, "pushy", notification_id))["payload"]
    assert pushy["content_available"] is True
    assert "notification" not in pushy


async def test_only_the_platforms_that_are_meant_get_it(tenant: Tenant) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, "fcm")
    ios = await tenant.register(user_id, "apns")

    notification_id = await tenant.send(user_id, platforms=["ios", "web"])

    status = await tenant.settled(notification_id)
    assert [row["device_id"] for row in status["devices"]] == [ios]
    other = await tenant.send(user_id, platforms=["web"])
    assert (await tenant.status(other))["status"] == "no_devices"


async def test_what_does_not_fit_is_cut_and_can_be_fetched(tenant: Tenant) -> None:
    user_id = str(uuid4())
    for provider in PROVIDERS:
        await tenant.register(user_id, provider)
    data = {"blob": "x" * 4_080}

    notification_id = await tenant.send(user_id, body="漢" * 4_096, data=data)

    status = await tenant.settled(notification_id)
    cuts = {row["provider"]: set(row["cut"]) for row in status["devices"]}
    assert cuts == {provider: {"body", "data"} for provider in PROVIDERS}
    apns = await payload(tenant, "apns", notification_id)
    assert apns["payload"]["data_truncated"] is True
    assert apns["payload"]["aps"]["alert"]["body"].endswith("…")
    path = f"/push/notifications/{notification_id}/data"
    assert await tenant.call("GET", path, token=tenant.user(user_id)) == {"data": data}
    await tenant.call("GET", path, token=tenant.user(str(uuid4())), status=404)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_does_not_fit_is_rejected_when_it_must_not_be_cut(
    tenant: Tenant, provider: str
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, provider)

    notification_id = await tenant.send(user_id, body="漢" * 4_096, oversize="reject")

    status = await tenant.settled(notification_id)
    row = status["devices"][0]
    assert (row["state"], row["reason"]) == ("rejected", "payload_too_large")
    assert await tenant.seen(provider, notification_id) == []
    assert (await tenant.receipts(notification_id))[0]["state"] == "rejected"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_unknown_outcome_is_final_when_a_resend_is_not_wanted(
    tenant: Tenant, provider: str
) -> None:
    user_id = str(uuid4())
    await tenant.register(user_id, provider)
    title = f"suppress-{user_id}"
    await tenant.script(provider, {"kind": "cut_after"}, match={"title": title}, times=None)

    notification_id = await tenant.send(user_id, title=title, on_unknown="suppress")

    row = (await tenant.settled(notification_id))["devices"][0]
    assert (row["state"], row["attempts"]) == ("unknown", 1)
    assert len(await tenant.seen(provider, notification_id)) == 1
    assert (await tenant.receipts(notification_id))[0]["state"] == "unknown"
