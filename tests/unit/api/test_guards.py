"""Who may enter which kind of route, with the exact refusals, before any body is read."""

from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar, Router, get, post

from api.app import assemble
from api.auth.guards import Gate
from api.auth.tokens import Issuer
from api.routes.paths import IdPath
from tests.unit.api.doubles import (
    ABSENT_APP,
    APP,
    OTHER_APP,
    an_app,
    asymmetric,
    bearer,
    client_of,
    gate,
    service_claims,
    trust,
    user_claims,
)

SCOPE = (403, "Missing required scope")
RIGHTS = (403, "Insufficient permissions")
ABSENT = (404, "App not found")
DISABLED = (403, "Push not enabled")
OK = (200, None)
APPS = (an_app(tenant_id="t1"), an_app(OTHER_APP, tenant_id="t2", enabled=False))

SENDER = service_claims()
ENROLLER = service_claims(scope="push:enroll")
SCOPELESS = service_claims(scope="push:sending push")
USER_TOKEN = user_claims()
SCOPED_USER = user_claims(scope="push:send push:enroll")
APP_ADMIN = user_claims(roles=["user", "admin"])
TENANT_ADMIN = user_claims(roles=["tenant_admin"], tenant_id="t1", aud=str(ABSENT_APP))
PLATFORM = user_claims(roles=["platform_admin"])


def routes(subject: Gate) -> Router:
    """One route per guard; those about an app have it in the path."""

    @post("/send", guards=[subject.sender], status_code=200)
    async def send() -> None: ...

    @post("/user", guards=[subject.user], status_code=200)
    async def user() -> None: ...

    @post("/device", guards=[subject.device_owner], status_code=200)
    async def device() -> None: ...

    @post("/read", guards=[subject.reader], status_code=200)
    async def read() -> None: ...

    @get("/admin/{app_id:str}", guards=[subject.administrator])
    async def admin(app_id: IdPath) -> None: ...

    @get("/enroll/{app_id:str}", guards=[subject.enroller])
    async def enroll(app_id: IdPath) -> None: ...

    @get("/found/{app_id:str}", guards=[subject.founder])
    async def found(app_id: IdPath) -> None: ...

    @get("/oversee/all", guards=[subject.overseer])
    async def oversee() -> None: ...

    @get("/object/x", guards=[subject.admin])
    async def look() -> None: ...

    handlers: list[Any] = [send, user, device, read, admin, enroll, found, oversee, look]
    return Router("/", route_handlers=handlers)


BOUNDED = [Issuer(trust(tenants=("t1",), max_role="tenant_admin"), asymmetric())]
APPLICATION = assemble([routes(gate(*APPS))])
BOUNDED_APPLICATION = assemble([routes(gate(*APPS, issuers=BOUNDED))])


async def visit(
    path: str, headers: Any, application: Litestar = APPLICATION
) -> tuple[int, str | None]:
    method = "GET" if path.count("/") > 1 else "POST"
    async with client_of(application) as http:
        answer = await http.request(method, path, headers=headers)
    return answer.status_code, None if answer.is_success else answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "claims", "expected"),
    [
        ("/send", SENDER, OK),
        ("/send", ENROLLER, SCOPE),
        ("/send", SCOPELESS, SCOPE),
        ("/send", USER_TOKEN, SCOPE),
        ("/send", SCOPED_USER, SCOPE),
        ("/send", PLATFORM, SCOPE),
        ("/send", service_claims(sub=str(ABSENT_APP)), ABSENT),
        ("/send", service_claims(sub=str(OTHER_APP)), DISABLED),
        ("/user", USER_TOKEN, OK),
        ("/user", PLATFORM, OK),
        ("/user", SENDER, RIGHTS),
        ("/device", USER_TOKEN, OK),
        ("/device", SENDER, OK),
        ("/device", SCOPELESS, SCOPE),
        ("/read", SENDER, OK),
        ("/read", SCOPELESS, SCOPE),
        ("/read", APP_ADMIN, OK),
        ("/read", USER_TOKEN, RIGHTS),
        (f"/admin/{APP}", APP_ADMIN, OK),
        (f"/admin/{APP}", TENANT_ADMIN, OK),
        (f"/admin/{APP}", PLATFORM, OK),
        (f"/admin/{APP}", USER_TOKEN, RIGHTS),
        (f"/admin/{APP}", SENDER, RIGHTS),
        (f"/admin/{OTHER_APP}", APP_ADMIN, RIGHTS),
        (f"/admin/{OTHER_APP}", TENANT_ADMIN, RIGHTS),
        (f"/admin/{ABSENT_APP}", APP_ADMIN, RIGHTS),
        (f"/admin/{ABSENT_APP}", TENANT_ADMIN, RIGHTS),
        (f"/admin/{ABSENT_APP}", PLATFORM, ABSENT),
        ("/admin/x", APP_ADMIN, RIGHTS),
        ("/admin/x", PLATFORM, ABSENT),
        (f"/admin/{ABSENT_APP}", user_claims(roles=["admin"], aud=str(ABSENT_APP)), RIGHTS),
        (f"/enroll/{APP}", ENROLLER, OK),
        (f"/enroll/{APP}", APP_ADMIN, OK),
        (f"/enroll/{APP}", SENDER, SCOPE),
        (f"/enroll/{APP}", USER_TOKEN, RIGHTS),
        (f"/enroll/{OTHER_APP}", ENROLLER, RIGHTS),
        (f"/enroll/{ABSENT_APP}", ENROLLER, RIGHTS),
        ("/enroll/x", ENROLLER, RIGHTS),
        (f"/found/{APP}", PLATFORM, OK),
        (f"/found/{ABSENT_APP}", PLATFORM, OK),
        ("/found/x", PLATFORM, ABSENT),
        (f"/found/{APP}", TENANT_ADMIN, OK),
        (f"/found/{ABSENT_APP}", TENANT_ADMIN, OK),
        ("/found/x", TENANT_ADMIN, RIGHTS),
        (f"/found/{OTHER_APP}", TENANT_ADMIN, RIGHTS),
        (f"/found/{APP}", APP_ADMIN, RIGHTS),
        (f"/found/{ABSENT_APP}", APP_ADMIN, RIGHTS),
        (f"/found/{APP}", USER_TOKEN, RIGHTS),
        (f"/found/{APP}", SENDER, RIGHTS),
        ("/oversee/all", PLATFORM, OK),
        ("/oversee/all", APP_ADMIN, OK),
        ("/oversee/all", TENANT_ADMIN, RIGHTS),
        ("/oversee/all", USER_TOKEN, RIGHTS),
        ("/oversee/all", SENDER, RIGHTS),
        (f"/oversee/all?app_id={APP}", PLATFORM, OK),
        (f"/oversee/all?app_id={APP}", TENANT_ADMIN, OK),
        (f"/oversee/all?app_id={OTHER_APP}", APP_ADMIN, RIGHTS),
        (f"/oversee/all?app_id={OTHER_APP}", TENANT_ADMIN, RIGHTS),
        (f"/oversee/all?app_id={ABSENT_APP}", PLATFORM, ABSENT),
        ("/oversee/all?app_id=", PLATFORM, ABSENT),
        ("/oversee/all?app_id=x", APP_ADMIN, RIGHTS),
        ("/object/x", PLATFORM, OK),
        ("/object/x", APP_ADMIN, OK),
        ("/object/x", TENANT_ADMIN, OK),
        ("/object/x", USER_TOKEN, RIGHTS),
        ("/object/x", SENDER, RIGHTS),
    ],
)
async def test_guard_lets_in(
    path: str, claims: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    assert await visit(path, bearer(claims)) == expected


ALL_PATHS = [
    "/send",
    "/user",
    "/device",
    "/read",
    f"/admin/{APP}",
    f"/enroll/{APP}",
    f"/found/{APP}",
    "/admin/x",
    "/oversee/all",
    "/object/x",
]
GOOD = bearer(SENDER)["Authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize("path", ALL_PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer x")],
        [("authorization", f"Basic {GOOD}")],
        [("authorization", GOOD)],
        [("authorization", f"Bearer  {GOOD}")],
        [("authorization", f"Bearer {GOOD}"), ("authorization", f"Bearer {GOOD}")],
    ],
)
async def test_guard_refuses_without_a_token(path: str, headers: Any) -> None:
    method = "GET" if path.count("/") > 1 else "POST"
    async with client_of(APPLICATION) as http:
        answer = await http.request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid token")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_guard_takes_the_scheme_in_any_case() -> None:
    assert await visit("/send", {"Authorization": f"bearer {GOOD}"}) == OK


@pytest.mark.parametrize("app_id", [OTHER_APP, ABSENT_APP])
@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("/send", service_claims()),
        ("/device", service_claims()),
        ("/user", user_claims()),
        ("/user", user_claims(roles=["tenant_admin"], tenant_id="t1")),
        (f"/admin/{OTHER_APP}", user_claims(roles=["admin"])),
    ],
)
async def test_guard_refuses_what_an_issuer_may_not_speak_for(
    app_id: UUID, path: str, claims: dict[str, Any]
) -> None:
    named = "sub" if "token_type" in claims else "aud"
    found = await visit(path, bearer(claims | {named: str(app_id)}), BOUNDED_APPLICATION)
    assert found == (401, "Invalid token")


@pytest.mark.parametrize(
    ("path", "claims", "expected"),
    [
        ("/send", SENDER, OK),
        ("/user", USER_TOKEN, OK),
        (f"/admin/{APP}", APP_ADMIN, OK),
        (f"/admin/{APP}", TENANT_ADMIN, OK),
        (f"/found/{ABSENT_APP}", TENANT_ADMIN, OK),
        (f"/admin/{OTHER_APP}", TENANT_ADMIN, RIGHTS),
        (f"/admin/{APP}", PLATFORM, (401, "Invalid token")),
    ],
)
async def test_guard_with_a_tenants_own_issuer(
    path: str, claims: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    assert await visit(path, bearer(claims), BOUNDED_APPLICATION) == expected
