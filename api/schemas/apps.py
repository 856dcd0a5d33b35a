"""Wire format of apps and enrolments."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from api.schemas.base import Body, Instant, TenantId
from api.services.apps import Founding
from shared.domain.apps import App

USERS_PER_ENROLMENT_MAX = 10_000


class AppBody(Body, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    tenant_id: TenantId | msgspec.UnsetType | None = msgspec.UNSET

    def founding(self) -> Founding:
        return Founding(name=self.name, tenant_id=self.tenant_id)


class AppAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`client_secret` is shown once, when the app was created."""

    app_id: UUID
    name: str
    tenant_id: str | None
    enabled: bool
    created_at: Instant
    client_secret: str | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, app: App, client_secret: str | None = None) -> "AppAnswer":
        return cls(
            app_id=app.app_id,
            name=app.name,
            tenant_id=app.tenant_id,
            enabled=app.enabled,
            created_at=app.created_at,
            client_secret=client_secret or msgspec.UNSET,
        )


class SecretAnswer(msgspec.Struct, frozen=True):
    client_id: UUID
    client_secret: str


class EnrolBody(Body, frozen=True, kw_only=True):
    user_ids: Annotated[list[UUID], Meta(min_length=1, max_length=USERS_PER_ENROLMENT_MAX)]


class EnrolAnswer(msgspec.Struct, frozen=True):
    """How many distinct users of the request are enrolled now."""

    enrolled: int


class EnrolmentAnswer(msgspec.Struct, frozen=True):
    user_id: UUID
    enrolled: Literal[True] = True
