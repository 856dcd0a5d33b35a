"""Checks of the seed's error table: each row at each route that it applies to."""

from datetime import timedelta
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conformance.answers import assert_alike, assert_refused, assert_refused_at
from tests.conformance.checks.limits import ALPHABETS, DATA_BYTES_MAX, data_of
from tests.conformance.checks.registry import Checks
from tests.conformance.requests import (
    Request,
    field_of,
    made_by,
    request_of,
    sending,
    user_of,
)
from tests.conformance.stage import TRACE, Stage, traced
from tests.conformance.statements.callers import Kind
from tests.conformance.statements.errors import ABOUT_AN_APP, ROUTES
from tests.conformance.statements.sends import SENDS
from tests.front_door import Caller

CHECKS = Checks()


@CHECKS.of("errors.form")
async def refusals_have_one_form(stage: Stage) -> None:
    service, admin = traced(stage.caller("service")), stage.admin
    stranger = await sending("send", [stage.nobodys_id]).by(service)
    await stage.configure(daily_quota=0)

    assert_refused_at(stranger, "User not enrolled", "#/user_id")
    assert stranger.json()["trace_id"] == TRACE["traceparent"].split("-")[1]
    assert_refused(await request_of("config.get", stage).by(nobody(stage)), 401, "Invalid token")
    assert_refused(await admin.post("/push/send", {}), 403, "Missing required scope")
    assert_refused(await request_of("unregister", stage).by(service), 404, "Device not found")
    over_quota = await request_of("send", stage).by(service)
    assert_refused(over_quota, 429, "Daily quota exceeded", remaining=0)


@CHECKS.of_each({f"errors.not_enrolled.{send}": (send,) for send in SENDS})
async def a_stranger_fails_the_whole_request(stage: Stage, send: str) -> None:
    elsewhere = uuid4()
    await stage.enroll(elsewhere, app_id=stage.other_app_id)

    for stranger in (stage.nobodys_id, elsewhere):
        request = sending(send, [stage.user_id, stranger])
        answer = await request.by(stage.caller("service"))
        assert_refused_at(answer, "User not enrolled", user_of(send, 1))
    assert await stage.used_today() == 0


@CHECKS.of_each({f"errors.data_too_large.{send}": (send,) for send in SENDS})
async def too_much_data_fails_the_whole_request(stage: Stage, send: str) -> None:
    for character in ALPHABETS:
        data = data_of(DATA_BYTES_MAX + 1, character)
        answer = await sending(send, [stage.user_id], data=data).by(stage.caller("service"))
        assert_refused_at(answer, "Data payload too large", field_of(send, "data"))
    assert await stage.used_today() == 0


def nobody(stage: Stage) -> Caller:
    return Caller(stage.api.http, None)


def with_bad_tokens(stage: Stage) -> list[Caller]:
    """Without a token, without a JWT, and with JWTs that are expired, forged, and not ours."""
    good = [stage.caller(kind).headers["Authorization"].split(".") for kind in ("service", "user")]
    forged = ".".join([*good[0][:2], good[1][2]]).removeprefix("Bearer ")
    expired = stage.api.service(stage.app_id, "push:send", lifetime=-timedelta(minutes=5))
    now = int(stage.clock().timestamp())
    claims = {"iss": "https://id.example.com", "iat": now, "exp": now + 600} | {
        "sub": str(stage.app_id),
        "token_type": "service",
        "scope": "push:send",
    }
    unknown = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
    texts = ("token", "", forged, unknown)
    return [nobody(stage), expired, *(Caller(stage.api.http, text) for text in texts)]


@CHECKS.of_each({f"errors.invalid_token.{route}": (route,) for route in ROUTES})
async def a_bad_token_opens_nothing(stage: Stage, route: str) -> None:
    request = request_of(route, stage)
    for caller in with_bad_tokens(stage):
        assert_refused(await request.by(caller), 401, "Invalid token")


@CHECKS.of_each({f"errors.missing_scope.{route}": (route,) for route in ("unregister", *SENDS)})
async def a_service_needs_the_scope(stage: Stage, route: str) -> None:
    device_id = await stage.device()
    request = request_of(route, stage)
    if route == "unregister":
        request = Request("DELETE", f"/push/devices/{device_id}")

    answer = await request.by(stage.caller("service_without_scope"))

    assert_refused(answer, 403, "Missing required scope")
    assert await stage.config() == await stage.configure() | {
        "device_count": 1,
        "notifications_today": 0,
    }


@CHECKS.of_each(
    {"errors.not_enabled.register": ("register", "user")}
    | {f"errors.not_enabled.{send}": (send, "service") for send in SENDS}
)
async def an_app_must_be_enabled(stage: Stage, route: str, kind: Kind) -> None:
    await stage.configure(enabled=False)
    request = request_of(route, stage)

    assert_refused(await request.by(stage.caller(kind)), 403, "Push not enabled")
    await stage.configure(enabled=True)
    assert (await request.by(stage.caller(kind))).is_success


@CHECKS.of_each({f"errors.insufficient.{route}": (route,) for route in ABOUT_AN_APP})
async def who_is_no_admin_sees_and_changes_nothing(stage: Stage, route: str) -> None:
    before = await stage.config()
    kinds: tuple[Kind, ...] = ("user", "foreign_user", "service", "service_without_scope")
    for kind in kinds:
        answer = await request_of(route, stage).by(stage.caller(kind))
        assert_refused(answer, 403, "Insufficient permissions")
    assert await stage.config() == before


def of_an_absent_app(route: str, stage: Stage) -> Caller:
    """Who may learn that there is no such app: platform admins, and whose token names it."""
    if route in ABOUT_AN_APP:
        return stage.admin
    if route == "register":
        return stage.api.user(stage.nobodys_id, stage.user_id)
    return stage.api.service(stage.nobodys_id)


@CHECKS.of_each(
    {f"errors.app_not_found.{route}": (route,) for route in (*ABOUT_AN_APP, "register", *SENDS)}
)
async def an_app_that_does_not_exist(stage: Stage, route: str) -> None:
    request = request_of(route, stage, app_id=stage.nobodys_id)

    answer = await request.by(of_an_absent_app(route, stage))

    assert_refused(answer, 404, "App not found")


@CHECKS.of("errors.app_not_found.alike")
async def another_app_is_as_absent(stage: Stage) -> None:
    user = traced(stage.caller("user"))
    apps = (stage.other_app_id, stage.nobodys_id)

    foreign, absent = [await request_of("register", stage, app_id).by(user) for app_id in apps]

    assert_refused(foreign, 404, "App not found")
    assert_alike(foreign, absent)


@CHECKS.of("errors.device_not_found")
async def a_device_that_does_not_exist(stage: Stage) -> None:
    for caller in (stage.caller("user"), stage.caller("service")):
        for device_id in (stage.nobodys_id, "no-id"):
            answer = await caller.delete(f"/push/devices/{device_id}")
            assert_refused(answer, 404, "Device not found")


@CHECKS.of("errors.device_not_found.alike")
async def another_apps_device_is_as_absent(stage: Stage) -> None:
    foreign_id = await stage.device(app_id=stage.other_app_id)

    for caller in (traced(stage.caller("user")), traced(stage.caller("service"))):
        devices = (foreign_id, stage.nobodys_id)
        foreign, absent = [await caller.delete(f"/push/devices/{one}") for one in devices]
        assert_refused(foreign, 404, "Device not found")
        assert_alike(foreign, absent)
    other = await stage.config(stage.other_app_id)
    assert other["device_count"] == 1


@CHECKS.of_each({f"errors.quota.{send}": (send, 1 if send == "send" else 3) for send in SENDS})
async def the_quota_is_kept(stage: Stage, send: str, count: int) -> None:
    request = sending(send, await stage.users(count))
    service = stage.caller("service")
    await stage.configure(daily_quota=count)

    assert len(made_by(await request.by(service))) == count
    for too_few in range(count):
        await stage.configure(daily_quota=count + too_few)
        refused = await request.by(service)
        assert_refused(refused, 429, "Daily quota exceeded", remaining=too_few)
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert await stage.used_today() == count
