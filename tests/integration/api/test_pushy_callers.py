"""Who may do what in the Pushy API, for which app, how often; and that refusals come enveloped."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy.local.mongod import Mongod
from shared.storage.mongo import connect
from tests.front_door import Api, Caller, running, settings_for
from tests.pushy_stage import (
    TRACE_ID,
    MovedClock,
    PushyStage,
    assert_data,
    assert_done,
    assert_invalid,
    assert_refused,
)
from tests.servers import Servers
from tests.simulated import Running

NOBODY = "00000000-0000-4000-8000-000000000000"
TOKEN = "pushy-device-token"
NOT_JSON = "Content-Type must be application/json"
NOT_PLAIN = "Content-Encoding is not supported"
DEVICE = {"token": TOKEN, "platform": "ANDROID", "language": "en"}
TOPICS = {"token": TOKEN, "topics": ["a"]}
PUSH = {"title": "Hi", "content": "There", "to": [TOKEN]}
DEVICE_ROUTES = [
    ("POST", "/device-info", DEVICE),
    ("GET", "/device-info", None),
    ("POST", "/device-info/subscribe", TOPICS),
    ("POST", "/device-info/unsubscribe", TOPICS),
]
OTHER_ROUTES = [
    ("GET", "/device-info/topics/a/subscribers", None),
    ("POST", "/notifications/send-dev", PUSH),
    ("POST", "/sys/key-pair", None),
]
OPERATORS = [("GET", f"/notifications/{NOBODY}", None)]
ROUTES = [*DEVICE_ROUTES, *OTHER_ROUTES, *OPERATORS]
Route = tuple[str, str, Any]


def name(route: Route) -> str:
    return f"{route[0]} {route[1].partition('0')[0]}"


each_route = pytest.mark.parametrize("route", ROUTES, ids=name)


@each_route
@pytest.mark.parametrize("token", [None, "x", "a.b.c"])
async def test_without_a_good_token_nothing_is_told(
    pushy: PushyStage, route: Route, token: str | None
) -> None:
    refused = await pushy.call(Caller(pushy.api.http, token), *route)

    assert_refused(refused, 401, "Invalid token")
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", DEVICE_ROUTES, ids=name)
async def test_a_service_has_no_devices(pushy: PushyStage, route: Route) -> None:
    refused = await pushy.call(pushy.service("push:send", "push:enroll"), *route)

    assert_refused(refused, 403, "Insufficient permissions")


@pytest.mark.parametrize("route", [*OTHER_ROUTES, *OPERATORS], ids=name)
async def test_a_service_needs_the_scope(pushy: PushyStage, route: Route) -> None:
    refused = await pushy.call(pushy.service("push:enroll"), *route)

    assert_refused(refused, 403, "Missing required scope")


@each_route
async def test_push_must_be_enabled(pushy: PushyStage, route: Route) -> None:
    await pushy.configure(enabled=False)

    caller = pushy.user(None, "admin") if route in OPERATORS else pushy.user()
    assert_refused(await pushy.call(caller, *route), 403, "Push not enabled")


@each_route
async def test_an_app_that_is_not_there_is_not_found(pushy: PushyStage, route: Route) -> None:
    caller = pushy.api.user(uuid4(), roles=["admin"])

    assert_refused(await pushy.call(caller, *route), 404, "App not found")


# --- several apps in a token


@pytest.fixture
async def both(pushy: PushyStage) -> tuple[Caller, str, str]:
    """A user of two apps."""
    apps = [str(pushy.app_id), str(await pushy.api.new_app())]
    claims = {"aud": apps, "roles": ["user"]}
    token = pushy.api._issuer._mint(str(pushy.user_id), claims, timedelta(hours=1))
    return Caller(pushy.api.http, token), apps[0], apps[1]


async def test_of_several_apps_the_header_picks_one(
    pushy: PushyStage, both: tuple[Caller, str, str]
) -> None:
    caller, first, second = both
    for app_id in (first, second.upper()):
        done = await pushy.call(caller, "POST", "/device-info", DEVICE, {"X-App-Id": app_id})
        assert done.status_code == 201, done.text

    rows = await pushy.api.database["devices"].find({"user_id": pushy.user_id})
    assert {str(row["app_id"]) for row in rows} == {first, second}


async def test_of_several_apps_one_must_be_picked(
    pushy: PushyStage, both: tuple[Caller, str, str]
) -> None:
    assert_invalid(await pushy.call(both[0], "POST", "/device-info", DEVICE), "#/X-App-Id")


@pytest.mark.parametrize("app_id", [NOBODY, "", "x"])
async def test_an_app_that_the_token_does_not_name_is_not_found(
    pushy: PushyStage, both: tuple[Caller, str, str], app_id: str
) -> None:
    for caller in (both[0], pushy.user(), pushy.user(None, "platform_admin")):
        refused = await pushy.call(caller, "GET", "/device-info", None, {"X-App-Id": app_id})
        assert_refused(refused, 404, "App not found")


async def test_an_app_is_picked_once(pushy: PushyStage, both: tuple[Caller, str, str]) -> None:
    caller, *apps = both
    fields = [*caller.headers.items(), *(("X-App-Id", app_id) for app_id in apps)]

    refused = await pushy.api.http.get("/api/v1/device-info", headers=fields)

    assert refused.status_code == 400
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/X-App-Id"]


async def test_a_token_of_one_app_may_name_it_too(pushy: PushyStage) -> None:
    header = {"X-App-Id": str(pushy.app_id)}

    assert_data(await pushy.call(pushy.user(), "GET", "/device-info", None, header), [])


# --- direct pushes


@pytest.mark.parametrize(
    ("kind", "may_send_to_any"),
    [
        ("service", True),
        ("admin", True),
        ("developer", True),
        ("platform_admin", True),
        ("tenant_admin", True),
        ("foreign_tenant_admin", False),
        ("user", False),
        ("visitor", False),
    ],
)
async def test_who_may_push_to_tokens_that_are_not_their_own(
    pushy: PushyStage, kind: str, *, may_send_to_any: bool
) -> None:
    caller = await caller_of(pushy, kind)
    await pushy.begin("mine")
    await pushy.begin("foreign", uuid4())

    assert_done(await pushy.send(["mine"], caller), "Notification sent successfully")
    for tokens in (["foreign"], ["mine", "foreign"], ["unknown"], ["mine", "unknown"]):
        answer = await pushy.send(tokens, caller)
        if may_send_to_any:
            assert_done(answer, "Notification sent successfully")
        else:
            assert_refused(answer, 403, "Insufficient permissions")


async def caller_of(pushy: PushyStage, kind: str) -> Caller:
    """A caller of a kind; users are the one whose token is `mine`."""
    if kind == "service":
        return pushy.service()
    if not kind.endswith("tenant_admin"):
        roles = [kind] if kind != "visitor" else ["user", "visitor", "Developer", "ADMIN"]
        return pushy.user(None, *roles)
    tenant = f"tenant-{pushy.app_id}"
    founding = {"name": "demo", "tenant_id": tenant}
    path = f"/push/apps/{pushy.app_id}"
    assert (await pushy.api.platform().put(path, founding)).status_code == 200
    tenant_id = tenant if kind == "tenant_admin" else "another"
    return pushy.api.user(pushy.app_id, pushy.user_id, ["tenant_admin"], tenant_id=tenant_id)


async def test_a_token_that_is_no_longer_active_is_nobodys_own(pushy: PushyStage) -> None:
    await pushy.begin("old")
    await pushy.begin("new")

    refused = await pushy.send(["old"], pushy.user())

    assert_refused(refused, 403, "Insufficient permissions")


async def test_a_caller_may_push_sixty_times_a_minute(pushy: PushyStage) -> None:
    caller, other = pushy.user(None, "developer"), pushy.user(uuid4(), "developer")
    invalid = [await pushy.send([], caller) for _ in range(3)]
    answers = [await pushy.send([TOKEN], caller) for _ in range(61)]

    assert {answer.status_code for answer in invalid} == {400}
    assert [answer.status_code for answer in answers] == [200] * 60 + [429]
    refused = answers[-1]
    assert_refused(refused, 429, "Too many calls")
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= 60
    assert refused.headers["ratelimit-policy"] == '"calls";q=60;w=60'
    assert refused.headers["ratelimit"] == f'"calls";r=0;t={wait}'
    for others in (other, pushy.service()):
        assert (await pushy.send([TOKEN], others)).status_code == 200
    pushy.clock.ahead += timedelta(minutes=1)
    assert (await pushy.send([TOKEN], caller)).status_code == 200


# --- envelopes of what no route decides


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/nothing", None),
        ("POST", "/device-info/topics", None),
        ("GET", "", None),
        ("DELETE", "/device-info", "GET, OPTIONS, POST"),
        ("GET", "/device-info/subscribe", "OPTIONS, POST"),
        ("PUT", "/notifications/send-dev", "OPTIONS, POST"),
        ("GET", "/notifications/send-dev", "OPTIONS, POST"),
        ("GET", "/sys/key-pair", "OPTIONS, POST"),
    ],
)
async def test_unknown_paths_and_methods(
    pushy: PushyStage, method: str, path: str, allowed: str | None
) -> None:
    refused = await pushy.call(pushy.user(), method, path)

    if allowed is None:
        assert_refused(refused, 404, "Not found")
    else:
        assert_refused(refused, 405, "Method not allowed")
        assert sorted(refused.headers["allow"].split(", ")) == allowed.split(", ")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"content-type": "text/plain"}, NOT_JSON),
        ({"content-type": ""}, NOT_JSON),
        ({"content-type": "application/json; charset=utf-16"}, NOT_JSON),
        ({"content-type": "application/jose; charset=utf-16"}, NOT_JSON),
        ({"content-type": "application/jwt"}, NOT_JSON),
        ({"content-type": "application/json", "content-encoding": "gzip"}, NOT_PLAIN),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/device-info", "/device-info/subscribe", "/notifications/send-dev"]
)
async def test_bodies_of_other_types_are_refused(
    pushy: PushyStage, path: str, fields: dict[str, str], message: str
) -> None:
    refused = await pushy.call(pushy.user(), "POST", path, b"{}", fields)

    assert_refused(refused, 415, message)


async def test_encrypted_bodies_are_for_two_routes(pushy: PushyStage) -> None:
    fields = {"content-type": "application/jose"}
    for path in ("/device-info/subscribe", "/device-info/unsubscribe"):
        refused = await pushy.call(pushy.user(), "POST", path, b"a.b.c.d.e", fields)
        assert_refused(refused, 415, NOT_JSON)
        wrapped = await pushy.post(path, {"payload": "a.b.c.d.e"})
        assert wrapped.json()["message"] == "Validation failed"


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("/device-info", 8_192),
        ("/device-info/subscribe", 65_536),
        ("/notifications/send-dev", 12_582_912),
    ],
)
async def test_bodies_that_are_too_large_are_refused(
    pushy: PushyStage, path: str, size: int
) -> None:
    fields = {"content-type": "application/json"}
    fits = await pushy.call(pushy.user(), "POST", path, b" " * size, fields)
    larger = await pushy.call(pushy.user(), "POST", path, b" " * (size + 1), fields)

    assert fits.status_code == 400
    assert_refused(larger, 413, "Request body too large")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"a":1}', b'{"token":"a","token":"b"}', b"\xff"]
)
@pytest.mark.parametrize(
    "path", ["/device-info", "/device-info/unsubscribe", "/notifications/send-dev"]
)
async def test_what_is_no_request_is_invalid(pushy: PushyStage, path: str, body: bytes) -> None:
    fields = {"content-type": "application/json"}
    refused = await pushy.call(pushy.user(), "POST", path, body, fields)

    errors = refused.json()["errors"]
    assert errors
    assert_refused(refused, 400, "Validation failed", errors=errors)


async def test_messages_come_in_the_language_that_is_asked_for(pushy: PushyStage) -> None:
    chinese = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
    done = await pushy.call(pushy.user(), "POST", "/device-info", DEVICE, chinese)
    subscribed = await pushy.call(pushy.user(), "POST", "/device-info/subscribe", TOPICS, chinese)
    unknown = await pushy.call(pushy.user(), "GET", "/nothing", None, chinese)
    nobody = await pushy.call(Caller(pushy.api.http, None), "GET", "/device-info", None, chinese)

    assert done.json()["message"] == "成功"
    assert subscribed.json()["data"] == {"success": True, "message": "主题订阅成功"}
    assert_refused(unknown, 404, "资源不存在")
    assert_refused(nobody, 401, "令牌无效")


async def test_without_a_database_all_is_a_503(
    servers: Servers, tmp_path: Path, pushy_simulators: Running, at_pushy: dict[str, str]
) -> None:
    mongod = Mongod(tmp_path / "mongod", cache_gb=0.25)
    mongod.start()
    try:
        settings = settings_for(servers, mongo_url=mongod.url, **at_pushy)
        async with connect(settings) as database, running(settings, database) as api:
            await _all_are_503(api, pushy_simulators, mongod)
    finally:
        mongod.stop()


async def _all_are_503(api: Api, simulators: Running, mongod: Mongod) -> None:
    stage = PushyStage(api, simulators, MovedClock())
    await stage.set_up()
    mongod.kill()
    user = stage.user()
    calls = (stage.call(user, *route) for route in DEVICE_ROUTES + OTHER_ROUTES)
    for refused in await asyncio.gather(*calls):
        assert_refused(refused, 503, "Service unavailable")
        assert refused.headers["retry-after"] == "5"
        assert refused.json()["trace_id"] == TRACE_ID
