"""Previews: exactly what the adapters would send, without a secret, a record or a charge."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import http_ece
import pytest

from shared.crypto.vapid import b64url_decode, b64url_encode
from shared.domain.credentials import WebPushCredential
from shared.domain.devices import Device, Provider
from shared.domain.notifications import Notification
from shared.outbound.rotation import RotatingTransport
from shared.providers.apns import ApnsAdapter
from shared.providers.apns_pool import ApnsTransports
from shared.providers.fcm import FcmAdapter
from shared.providers.outcomes import Sent
from shared.providers.pushy import PushyAdapter
from shared.providers.webpush import WebPushAdapter
from tests.builders import EVERY_OPTION
from tests.front_door import Api, served
from tests.integration.api.shop import PATH, Shop, a_shop
from tests.integration.api.tenant import Body, a_tenant, pointers
from tests.servers import Servers
from tests.unit.shared.providers.builders import (
    AUTH_SECRET,
    make_apns_credential,
    make_fcm_credential,
)
from tests.unit.shared.providers.fake_http import FakeHttp, Request, json_response

FROZEN = datetime.now(UTC).replace(microsecond=0)
EVERYTHING: Body = EVERY_OPTION | {"data": {"route": "/schedule", "n": 1, "from": "x"}, "ttl": 600}
BODIES: dict[str, Body] = {
    "plain": {},
    "everything": EVERYTHING,
    "silent": {"silent": True, "data": {"a": 1.50}},
    "now or never": {"ttl": 0},
    "unrepeatable": {"on_unknown": "suppress", "priority": "low"},
    "long": {"body": "\u00e9" * 4_096},
    "without data": {"title": "\U0001f600" * 256, "data": {"a": "x" * 4_088}},
    "later": {"send_at": (FROZEN + timedelta(days=3)).isoformat(), "ttl": 60},
}
DATA_ONLY = {"data": {"a": "x" * 4_088}}


@pytest.fixture(scope="module")
async def frozen(servers: Servers) -> AsyncIterator[Api]:
    """An API whose clock stands still, so that what it builds can be built again."""
    async with served(servers, "preview", lambda: FROZEN) as api:
        yield api


@pytest.fixture(scope="module")
async def shop(frozen: Api) -> Shop:
    return await a_shop(frozen)


OK = json_response(200, {"success": True, "id": "p-1", "name": "projects/x/messages/1"})
CREATED = json_response(201)
OAUTH = json_response(200, {"access_token": "ya29.secret", "expires_in": 3_600})


async def really_sent(shop: Shop, device: Device, notification: Notification) -> Request:
    """What the adapter posts for a device at the time of the notification."""
    http = FakeHttp(*{"fcm": (OAUTH, OK), "webpush": (CREATED,)}.get(device.provider, (OK,)))
    credential = await shop.credential(device.provider)
    adapter = adapter_of(device.provider, http, notification.starts_at)
    outcome = await adapter.send(notification, device, credential)
    assert isinstance(outcome, Sent), outcome
    return http.requests[-1]


def adapter_of(provider: Provider, http: FakeHttp, now: datetime) -> Any:
    timing: Any = {"clock": lambda: now, "timeout_seconds": 1}
    client = cast("RotatingTransport", http)
    match provider:
        case "apns":
            return ApnsAdapter(
                ApnsTransports(lambda _: client),
                production_url="https://api.push.apple.com",
                sandbox_url="https://api.sandbox.push.apple.com",
                **timing,
            )
        case "fcm":
            return FcmAdapter(
                client,
                base_url="https://fcm.googleapis.com",
                token_url="https://oauth2.googleapis.com/token",
                **timing,
            )
        case "webpush":
            return WebPushAdapter(client, allowed_hosts=("*.push.services.mozilla.com",), **timing)
        case "pushy":
            return PushyAdapter(client, base_url="https://api.pushy.me", **timing)


def readable(request: Request, device: Device, shop: Shop) -> tuple[str, dict[str, str], str]:
    """URL, headers and body of what was sent, with the secrets replaced as in a preview."""
    body, url = request.body, request.url
    if device.provider == "webpush":
        body = http_ece.decrypt(
            body, private_key=shop.browser, auth_secret=b64url_decode(AUTH_SECRET)
        )
        url = url.replace(PATH, "<token>")
    url = url.replace(device.token, "<token>").replace("s3cret%2Fkey%26more", "<hidden>")
    hidden = {"authorization": "<hidden>"} if "authorization" in request.headers else {}
    return url, {**request.headers, **hidden}, body.decode().replace(device.token, "<token>")


def id_in(row: Body) -> UUID:
    body = row["request"]["body"]
    holder = body.get("message", body)
    return UUID({**holder, **holder.get("data", {})}["notification_id"])


@pytest.mark.parametrize("name", BODIES)
async def test_a_preview_shows_what_the_adapter_sends(shop: Shop, name: str) -> None:
    answer = await shop.post("/preview", shop.body(**BODIES[name]))
    rows = {row["device_id"]: row for row in answer.json()["devices"]}
    content = shop.content(**BODIES[name])
    starts_at = content.send_at or FROZEN
    assert set(rows) == set(shop.devices.values())
    for kind, device_id in shop.devices.items():
        shown, device = rows[device_id]["request"], await shop.device(device_id)
        notification = Notification(
            notification_id=id_in(rows[device_id]),
            app_id=shop.app_id,
            user_id=shop.user_id,
            content=content,
            starts_at=starts_at,
            expires_at=starts_at + timedelta(seconds=content.ttl_seconds),
        )
        request = await really_sent(shop, device, notification)
        url, headers, body = readable(request, device, shop)
        assert (shown["method"], shown["url"]) == (request.method, url), kind
        assert shown["headers"] == headers, kind
        assert f'"body":{body}' in answer.text, kind  # to the byte
        if kind in {"apns", "webpush"}:
            assert shown["payload_bytes"] == len(body.encode())


async def test_a_preview_follows_the_contract(shop: Shop) -> None:
    rows = await shop.preview(**EVERYTHING)
    bodies = {kind: rows[device]["request"]["body"] for kind, device in shop.devices.items()}
    aps = bodies["apns"]["aps"]
    assert aps["alert"]["title-loc-args"] == ["30"]
    assert (aps["badge"], aps["sound"], aps["category"]) == (3, "ping.aiff", "SHIFT")
    assert (aps["thread-id"], aps["mutable-content"]) == ("shifts", 1)
    assert aps["interruption-level"] == "active"
    assert bodies["apns"]["data"] == EVERYTHING["data"]
    headers = rows[shop.devices["apns"]]["request"]["headers"]
    assert (headers["apns-collapse-id"], headers["apns-priority"]) == ("score", "5")
    assert headers["apns-topic"] == "com.example.app"
    message = bodies["fcm"]["message"]
    assert message["token"] == "<token>"
    assert message["notification"]["title"] == "Hallo"
    assert (message["data"]["n"], message["data"]["x_from"]) == ("1", "x")
    assert message["android"]["ttl"] == "600s"
    assert message["android"]["notification"]["channel_id"] == "shifts"
    assert bodies["fcm-ios"]["message"]["apns"]["payload"]["data"] == EVERYTHING["data"]
    web = bodies["fcm-web"]["message"]["webpush"]
    assert web["fcm_options"] == {"link": "https://example.com/schedule"}
    assert bodies["webpush"]["web_push"] == 8030
    assert bodies["webpush"]["notification"]["navigate"] == "https://example.com/schedule"
    assert bodies["webpush"]["notification"]["icon"] == "/i.png"
    web_headers = rows[shop.devices["webpush"]]["request"]["headers"]
    assert (web_headers["ttl"], web_headers["urgency"]) == ("600", "normal")
    pushy = bodies["pushy"]
    assert (pushy["to"], pushy["time_to_live"], pushy["collapse_key"]) == ("<token>", 600, "score")
    assert pushy["data"]["data"] == EVERYTHING["data"]
    assert (pushy["data"]["message"], pushy["data"]["extra"]) == ("There", 1)


async def secrets_of(shop: Shop) -> list[str]:
    devices = [await shop.device(device_id) for device_id in shop.devices.values()]
    web = cast("WebPushCredential", await shop.credential("webpush"))
    keys = [make_apns_credential().private_key, make_fcm_credential().private_key]
    config = (await shop.api.platform().get(f"/push/config/{shop.app_id}")).json()
    numbers = shop.browser.public_key().public_numbers()
    point = b"\4" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
    return [
        *(device.token for device in devices),
        *(line for key in keys for line in key.splitlines()[1:-1]),
        *(web.vapid_private_key, PATH, "secret-path", AUTH_SECRET, b64url_encode(point)),
        *("s3cret", "ya29", config["webhook_secret"], "BEGIN PRIVATE KEY"),
    ]


@pytest.mark.parametrize("name", BODIES)
async def test_no_secret_is_in_a_preview(shop: Shop, name: str) -> None:
    answer = await shop.post("/preview", shop.body(**BODIES[name]))
    found = [secret for secret in await secrets_of(shop) if secret in answer.text]
    assert found == []
    assert b"<hidden>" in answer.content


async def rows_of(api: Api, app_id: UUID) -> dict[str, int]:
    owned = {"app_id": app_id}
    counts = {name: await api.database[name].count(owned) for name in ("sends", "chunks")}
    counts |= {name: await api.database[name].count({}) for name in ("contents", "idempotency")}
    return counts | {"quotas": await api.database["quotas"].count({})}


async def test_a_preview_leaves_no_trace_and_costs_nothing(api: Api) -> None:
    shop = await a_shop(api)
    before = await rows_of(api, shop.app_id)

    for _ in range(12):  # the quota is 10
        await shop.preview(**EVERYTHING)

    assert await rows_of(api, shop.app_id) == before
    assert await shop.charged() == 0
    assert (await shop.send()).headers["ratelimit"].startswith('"daily";r=9;')


async def test_a_preview_of_an_id_is_nobodys_notification(shop: Shop) -> None:
    rows = await shop.preview()
    (made,) = {id_in(row) for row in rows.values()}
    assert (await shop.get(f"/push/notifications/{made}")).status_code == 404


async def test_what_is_cut_is_shown(shop: Shop) -> None:
    cuts = {
        name: {tuple(row["request"]["cut"]) for row in (await shop.preview(**body)).values()}
        for name, body in BODIES.items()
    }
    assert cuts["plain"] == cuts["everything"] == cuts["silent"] == {()}
    assert cuts["long"] == {("body",)}
    assert cuts["without data"] == {("data",)}
    for row in (await shop.preview(**BODIES["without data"])).values():
        request = row["request"]
        assert request["payload_bytes"] <= request["payload_bytes_max"] <= 4_096
        assert '"data_truncated":' in json.dumps(request["body"], separators=(",", ":"))


def skips(rows: dict[str, Body]) -> dict[str, str | None]:
    assert all((row["skipped"] is None) != (row["request"] is None) for row in rows.values())
    return {device_id: row["skipped"] for device_id, row in rows.items()}


async def test_what_is_too_large_and_must_not_be_cut_is_skipped(shop: Shop) -> None:
    rows = await shop.preview(**DATA_ONLY, oversize="reject")
    assert set(skips(rows).values()) == {"payload_too_large"}


async def test_what_the_payload_cannot_hold_at_all_is_skipped(shop: Shop) -> None:
    patch = {"overrides": {"apns": {"x": "x" * 4_000}}}
    found = skips(await shop.preview(**patch, image="https://a/" + "i" * 400))
    assert found.pop(shop.devices["apns"]) == "payload_too_large"
    assert set(found.values()) == {None}


async def test_a_device_of_a_platform_that_is_not_meant_is_skipped(shop: Shop) -> None:
    found = skips(await shop.preview(platforms=["web", "ios"]))
    expected = {"fcm": "platform_not_meant", "pushy": "platform_not_meant"}
    assert found == {device: expected.get(kind) for kind, device in shop.devices.items()}


async def test_devices_without_a_credential_are_skipped(api: Api) -> None:
    shop = await a_shop(api, with_credentials=False)
    found = skips(await shop.preview())
    has_one = shop.devices["webpush"]  # its keys are made with the app
    assert found == {
        device: None if device == has_one else "no_credential" for device in shop.devices.values()
    }


async def test_an_inactive_device_is_shown_and_skipped(api: Api) -> None:
    shop = await a_shop(api)
    gone = shop.devices["fcm"]
    await api.user(shop.app_id, shop.user_id).delete(f"/push/devices/{gone}")
    found = skips(await shop.preview())
    assert found.pop(gone) == "inactive: unregistered_by_caller"
    assert set(found.values()) == {None}


async def test_only_the_users_own_devices_are_shown(api: Api) -> None:
    tenant = await a_tenant(api)
    other = await tenant.new_user()
    await tenant.register(other, push_token="other")
    shop = Shop(api, tenant.app_id, tenant.user_id)
    assert await shop.preview() == {}


async def test_a_preview_is_refused_where_the_send_would_be(api: Api) -> None:
    tenant = await a_tenant(api)
    stranger = await tenant.post("/preview", tenant.body(user_id=str(uuid4())))
    assert (stranger.status_code, stranger.json()["detail"]) == (400, "User not enrolled")
    assert [e["pointer"] for e in stranger.json()["errors"]] == ["#/user_id"]
    faults: dict[str, Body] = {
        "#/send_at": {"send_at": "2020-01-01T00:00:00Z"},
        "#/badge": {"badge": -1},
        "#/overrides/fcm/token": {"overrides": {"fcm": {"token": "x"}}},
    }
    for pointer, fault in faults.items():
        assert pointers(await tenant.post("/preview", tenant.body(**fault))) == [pointer]
    user = await api.user(tenant.app_id).post("/push/send/preview", tenant.body())
    assert (user.status_code, user.json()["detail"]) == (403, "Missing required scope")
    await api.platform().patch(f"/push/config/{tenant.app_id}", {"enabled": False})
    disabled = await tenant.post("/preview", tenant.body())
    assert (disabled.status_code, disabled.json()["detail"]) == (403, "Push not enabled")


@pytest.mark.parametrize(
    "patch",
    [
        {"notification": "x"},
        {"notification": []},
        {"notification": None},
        {"android": {"notification": 5}},
        {"android": {"notification": None}},
        {"data": {"n": 1, "o": {"a": [True, None]}}},
        {"apns": {"payload": {"aps": "x"}}},
        {"webpush": {"notification": {"title": None}, "fcm_options": None}},
    ],
)
async def test_an_override_of_the_wrong_shape_is_shown_as_it_would_go_out(
    shop: Shop, patch: Body
) -> None:
    rows = await shop.preview(overrides={"fcm": patch})
    assert set(skips(rows).values()) == {None}
