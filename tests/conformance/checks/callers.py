"""Who may call what: every kind of token at every route."""

from tests.conformance.answers import assert_alike, assert_refused
from tests.conformance.checks.registry import Checks
from tests.conformance.requests import made_by, request_of, sending
from tests.conformance.stage import Stage, traced
from tests.conformance.statements.callers import (
    ADMINS,
    FOREIGN_ADMINS,
    SERVICES,
    USERS,
    Kind,
)
from tests.conformance.statements.errors import ABOUT_AN_APP, CONFIG
from tests.conformance.statements.sends import SENDS
from tests.front_door import Caller

CHECKS = Checks()
FORBIDDEN = (403, "Insufficient permissions")
NO_SCOPE = (403, "Missing required scope")


@CHECKS.of("intro.sends")
async def each_send_is_for_services_with_the_scope(stage: Stage) -> None:
    for send in SENDS:
        request = request_of(send, stage)
        assert made_by(await request.by(stage.caller("service")))
        for other in (*USERS, *ADMINS):
            assert_refused(await request.by(stage.caller(other)), *NO_SCOPE)
        assert_refused(await request.by(stage.caller("service_without_scope")), *NO_SCOPE)


@CHECKS.of("intro.sends.grant")
async def a_granted_token_opens_each_send(stage: Stage) -> None:
    rotated = await stage.admin.post(f"/push/apps/{stage.app_id}/secret")
    client = (str(stage.app_id), rotated.json()["client_secret"])
    form = {"grant_type": "client_credentials", "scope": "push:send"}

    granted = await stage.api.http.post("/auth/token", data=form, auth=client)

    assert (granted.status_code, granted.json()["scope"]) == (200, "push:send")
    caller = Caller(stage.api.http, granted.json()["access_token"])
    for send in SENDS:
        assert made_by(await sending(send, [stage.user_id]).by(caller))


@CHECKS.of("intro.registration")
async def a_device_is_the_tokens_users(stage: Stage) -> None:
    device_id = await stage.device()

    (row,) = (await stage.devices())["devices"]
    assert (row["device_id"], row["user_id"]) == (device_id, str(stage.user_id))


@CHECKS.of("intro.config")
async def configuration_is_for_admins(stage: Stage) -> None:
    for route in CONFIG:
        request = request_of(route, stage)
        for kind in ADMINS:
            assert (await request.by(stage.caller(kind))).status_code == 200
        for other in (*USERS, *SERVICES):
            assert_refused(await request.by(stage.caller(other)), *FORBIDDEN)


@CHECKS.of_each({f"{r}.auth.{kind}": (r, kind) for r in ABOUT_AN_APP for kind in ADMINS})
async def an_admin_of_the_app_may(stage: Stage, route: str, kind: Kind) -> None:
    answer = await request_of(route, stage).by(stage.caller(kind))

    assert answer.status_code == 200, answer.text


@CHECKS.of_each({f"{r}.auth.{kind}": (r, kind) for r in ABOUT_AN_APP for kind in FOREIGN_ADMINS})
async def another_admin_learns_nothing(stage: Stage, route: str, kind: Kind) -> None:
    caller = traced(stage.caller(kind))

    foreign = await request_of(route, stage).by(caller)
    absent = await request_of(route, stage, app_id=stage.nobodys_id).by(caller)

    assert_refused(foreign, *FORBIDDEN)
    assert_alike(foreign, absent)


@CHECKS.of_each({f"{send}.auth.service": (send,) for send in SENDS})
async def a_service_sends(stage: Stage, send: str) -> None:
    assert made_by(await request_of(send, stage).by(stage.caller("service")))


@CHECKS.of_each({f"{send}.auth.user": (send, USERS) for send in SENDS})
@CHECKS.of_each({f"{send}.auth.admin": (send, ADMINS) for send in SENDS})
async def who_is_no_service_does_not_send(stage: Stage, send: str, kinds: tuple[Kind, ...]) -> None:
    for kind in kinds:
        assert_refused(await request_of(send, stage).by(stage.caller(kind)), *NO_SCOPE)
    assert await stage.used_today() == 0


@CHECKS.of("register.auth.user")
async def a_user_registers(stage: Stage) -> None:
    assert (await request_of("register", stage).by(stage.caller("user"))).status_code == 201


@CHECKS.of("register.auth.admin")
async def an_admin_registers_an_own_device(stage: Stage) -> None:
    admin = stage.api.user(stage.app_id, stage.user_id, roles=["admin"])

    answer = await request_of("register", stage).by(admin)

    assert answer.status_code == 201
    (row,) = (await stage.devices())["devices"]
    assert row["user_id"] == str(stage.user_id)


@CHECKS.of("register.auth.service")
async def a_service_does_not_register(stage: Stage) -> None:
    for kind in SERVICES:
        assert_refused(await request_of("register", stage).by(stage.caller(kind)), *FORBIDDEN)
    assert (await stage.devices())["total"] == 0


@CHECKS.of_each(
    {
        "unregister.auth.user": ("user",),
        "unregister.auth.service": ("service",),
    }
)
async def owner_and_app_unregister(stage: Stage, kind: Kind) -> None:
    device_id = await stage.device()

    answer = await stage.caller(kind).delete(f"/push/devices/{device_id}")

    assert answer.status_code == 200, answer.text
    assert (await stage.devices())["total"] == 0


@CHECKS.of_each(
    {
        "unregister.auth.foreign_user": (("foreign_user", "app_admin"),),
        "unregister.auth.foreign_service": (("foreign_service",),),
    }
)
async def nobody_else_unregisters(stage: Stage, kinds: tuple[Kind, ...]) -> None:
    device_id = await stage.device()

    for kind in kinds:
        caller = traced(stage.caller(kind))
        foreign = await caller.delete(f"/push/devices/{device_id}")
        absent = await caller.delete(f"/push/devices/{stage.nobodys_id}")
        assert_refused(foreign, 404, "Device not found")
        assert_alike(foreign, absent)
    assert (await stage.devices())["total"] == 1
