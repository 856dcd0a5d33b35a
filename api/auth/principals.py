"""Who is calling: a Service, a User or an Admin, made from verified claims (CONTRACT §1)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from api.settings import Role, TrustedIssuer

_RANKS: dict[str, int] = {
    "user": 0,
    "developer": 1,  # may push to any token through the Pushy API
    "admin": 2,
    "tenant_admin": 3,
    "platform_admin": 4,
}
_ADMIN_ROLES = frozenset({"admin", "tenant_admin", "platform_admin"})
ALL_TENANTS = "*"


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """An app's own backend. `tenants` are those that its issuer may speak for."""

    app_id: UUID
    scopes: frozenset[str]
    tenants: frozenset[str]

    @property
    def app_ids(self) -> tuple[UUID, ...]:
        return (self.app_id,)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person who uses one or more apps."""

    user_id: UUID
    app_ids: tuple[UUID, ...]
    roles: frozenset[str]
    tenants: frozenset[str]


class Admin(User, frozen=True, kw_only=True):
    """A user whose roles give admin rights somewhere."""

    tenant_id: str | None

    @property
    def is_platform_admin(self) -> bool:
        return "platform_admin" in self.roles

    @property
    def own_tenant(self) -> str | None:
        """The tenant that this admin administers."""
        return self.tenant_id if "tenant_admin" in self.roles else None

    def administers(self, app_id: UUID, tenant_id: str | None) -> bool:
        """Whether an existing app of that tenant is theirs to administer."""
        is_app_admin = "admin" in self.roles and app_id in self.app_ids
        return self.manages(tenant_id) or (is_app_admin and reaches(self.tenants, tenant_id))

    def manages(self, tenant_id: str | None) -> bool:
        """Whether apps of that tenant are theirs to create and name."""
        is_own = tenant_id is not None and tenant_id == self.own_tenant
        return self.is_platform_admin or is_own


Principal = Service | User


def reaches(tenants: frozenset[str], tenant_id: str | None) -> bool:
    """Whether an issuer trusted with these tenants may speak for an app of that one."""
    return ALL_TENANTS in tenants or tenant_id in tenants


def principal_of(claims: Mapping[str, Any], issuer: TrustedIssuer) -> Principal | None:
    """The caller that these claims name, or None when they name none or exceed the issuer."""
    subject = parse_id(claims.get("sub"))
    if subject is None:
        return None
    if issuer.audience is not None and issuer.audience not in _audiences(claims):
        return None
    if claims.get(issuer.service.claim) == issuer.service.value:
        return _service(subject, claims, issuer)
    return _user(subject, claims, issuer)


def _service(app_id: UUID, claims: Mapping[str, Any], issuer: TrustedIssuer) -> Service | None:
    scope = claims.get(issuer.scope_claim, "")
    if not isinstance(scope, str):
        return None
    return Service(
        app_id=app_id, scopes=frozenset(scope.split(" ")) - {""}, tenants=frozenset(issuer.tenants)
    )


def _user(user_id: UUID, claims: Mapping[str, Any], issuer: TrustedIssuer) -> User | None:
    roles = _roles(claims.get(issuer.roles_claim), issuer.max_role)
    app_ids = [app_id for app_id in map(parse_id, _audiences(claims)) if app_id is not None]
    if roles is None or not app_ids:
        return None
    tenants = frozenset(issuer.tenants)
    user = User(user_id=user_id, app_ids=tuple(app_ids), roles=roles, tenants=tenants)
    return user if roles.isdisjoint(_ADMIN_ROLES) else _admin(user, claims, issuer)


def _admin(user: User, claims: Mapping[str, Any], issuer: TrustedIssuer) -> Admin | None:
    tenant_id = claims.get(issuer.tenant_claim)
    if tenant_id is not None and (not isinstance(tenant_id, str) or not tenant_id):
        return None
    admin = Admin(**msgspec.structs.asdict(user), tenant_id=tenant_id)
    if ALL_TENANTS in user.tenants:
        return admin
    within = admin.own_tenant is None or admin.own_tenant in user.tenants
    return admin if within and not admin.is_platform_admin else None


def _roles(value: Any, max_role: Role) -> frozenset[str] | None:
    """The roles, if they are texts, at least one of them known and none beyond the bound."""
    if not isinstance(value, list) or not all(isinstance(role, str) for role in value):
        return None
    ranks = [_RANKS[role] for role in value if role in _RANKS]
    return frozenset(value) if ranks and max(ranks) <= _RANKS[max_role] else None


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [audience]


def parse_id(value: object) -> UUID | None:
    """A UUID from its usual text form, or None."""
    try:
        return msgspec.convert(value, UUID) if isinstance(value, str) else None
    except msgspec.ValidationError:
        return None
