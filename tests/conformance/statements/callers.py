"""Statements about callers that several sections make in the same words."""

from collections.abc import Iterator
from typing import Literal

from tests.conformance.seed import Statement

Kind = Literal[
    "service",
    "service_without_scope",
    "foreign_service",
    "user",
    "foreign_user",
    "app_admin",
    "foreign_app_admin",
    "tenant_admin",
    "foreign_tenant_admin",
    "platform_admin",
]
SERVICES: tuple[Kind, ...] = ("service", "service_without_scope", "foreign_service")
USERS: tuple[Kind, ...] = ("user", "foreign_user")
ADMINS: tuple[Kind, ...] = ("app_admin", "tenant_admin", "platform_admin")
FOREIGN_ADMINS: tuple[Kind, ...] = ("foreign_app_admin", "foreign_tenant_admin")


def admins_only(route: str) -> Iterator[Statement]:
    """Users and services are the error table's subject."""
    for kind in ADMINS:
        yield Statement(f"{route}.auth.{kind}", kind.replace("_", " "), "This admin gets 200.")
    for kind in FOREIGN_ADMINS:
        whose = kind.removeprefix("foreign_").removesuffix("_admin")
        yield Statement(
            f"{route}.auth.{kind}",
            "Auth: Admin JWT (app admin, tenant admin, or platform admin)",
            f"The admin of another {whose} gets 403, the same bytes as for an app that is absent.",
        )


def services_only(route: str) -> Iterator[Statement]:
    """No token and no scope are the error table's subject."""
    quote = "Auth: Service JWT with push:send scope"
    yield Statement(f"{route}.auth.service", quote, "A service token with push:send gets 200.")
    yield Statement(f"{route}.auth.user", quote, "A user token gets 403.")
    yield Statement(f"{route}.auth.admin", quote, "So do the tokens of the three kinds of admin.")
