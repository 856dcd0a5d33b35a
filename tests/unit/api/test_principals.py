"""Claims become callers, and callers' rights follow from them."""

from typing import Any

import pytest

from api.auth.principals import Admin, Service, User, parse_id, principal_of
from api.settings import ServiceMapping
from tests.unit.api.doubles import APP, OTHER_APP, USER, service_claims, trust, user_claims


def admin(**changes: Any) -> Admin:
    caller = principal_of(user_claims(**changes), trust())
    assert isinstance(caller, Admin)
    return caller


def test_a_service_is_its_app_with_exact_scopes() -> None:
    caller = principal_of(service_claims(scope="push:send  push:enroll"), trust())
    assert caller == Service(
        app_id=APP, scopes=frozenset(["push:send", "push:enroll"]), tenants=frozenset("*")
    )


def test_a_service_token_needs_no_scope() -> None:
    caller = principal_of(service_claims(scope=None) | {"scope": ""}, trust())
    assert isinstance(caller, Service)
    assert caller.scopes == frozenset()


def test_a_service_is_told_by_the_issuers_own_claim() -> None:
    mapped = trust(service=ServiceMapping(claim="gty", value="client_credentials"))
    claims = service_claims(gty="client_credentials")
    assert isinstance(principal_of(claims, mapped), Service)
    assert principal_of(service_claims(), mapped) is None


def test_a_user_may_have_several_apps() -> None:
    caller = principal_of(user_claims(aud=["x", str(APP), str(OTHER_APP)]), trust())
    assert isinstance(caller, User)
    assert caller.app_ids == (APP, OTHER_APP)
    assert caller.user_id == USER


def test_a_user_is_no_admin() -> None:
    caller = principal_of(user_claims(roles=["user", "developer"]), trust())
    assert type(caller) is User


@pytest.mark.parametrize(
    ("claims", "app_id", "tenant_id", "expected"),
    [
        ({"roles": ["admin"]}, APP, None, True),
        ({"roles": ["admin"]}, APP, "t1", True),
        ({"roles": ["admin"]}, OTHER_APP, None, False),
        ({"roles": ["tenant_admin"], "tenant_id": "t1"}, OTHER_APP, "t1", True),
        ({"roles": ["tenant_admin"], "tenant_id": "t1"}, APP, "t2", False),
        ({"roles": ["tenant_admin"], "tenant_id": "t1"}, APP, None, False),
        ({"roles": ["tenant_admin"]}, APP, None, False),
        ({"roles": ["user", "tenant_admin"], "tenant_id": "t1"}, APP, "t2", False),
        ({"roles": ["platform_admin"]}, OTHER_APP, "t9", True),
        ({"roles": ["platform_admin"]}, OTHER_APP, None, True),
    ],
)
def test_an_admin_administers(
    claims: dict[str, Any], app_id: Any, tenant_id: str | None, expected: bool
) -> None:
    assert admin(**claims).administers(app_id, tenant_id) is expected


def test_an_app_admin_manages_nothing() -> None:
    assert not admin(roles=["admin"]).manages(None)


def test_a_tenants_issuer_gives_no_rights_over_other_tenants_apps() -> None:
    bounded = trust(tenants=("t1",), max_role="tenant_admin")
    claims = user_claims(roles=["admin", "tenant_admin"], tenant_id="t1")
    caller = principal_of(claims, bounded)
    assert isinstance(caller, Admin)
    assert caller.administers(OTHER_APP, "t1")
    assert not caller.administers(APP, "t2")
    assert not caller.administers(APP, None)


@pytest.mark.parametrize("tenant_id", [5, "", ["t1"]])
def test_an_odd_tenant_is_refused(tenant_id: object) -> None:
    claims = user_claims(roles=["tenant_admin"]) | {"tenant_id": tenant_id}
    assert principal_of(claims, trust()) is None


@pytest.mark.parametrize("text", ["", "x", f"{{{APP}}}", f"urn:uuid:{APP}", f"{APP}\n", None, 5])
def test_parse_id_refuses(text: object) -> None:
    assert parse_id(text) is None


@pytest.mark.parametrize("text", [str(APP), APP.hex, str(APP).upper()])
def test_parse_id_reads(text: str) -> None:
    assert parse_id(text) == APP
