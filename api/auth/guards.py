"""Who may enter a route: Litestar guards that run before a body is read (CONTRACT §1).

Each leaves the caller in `request.user` and, where the route is about one app, that app in
`request.auth`. The order is 401, 403, 404; a malformed id counts as absent.
"""

from typing import Self
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler

from api.auth.principals import ALL_TENANTS, Admin, Principal, Service, User, parse_id, reaches
from api.auth.tokens import TokenVerifier
from api.directory import AppDirectory
from api.errors import (
    AppNotFoundError,
    InsufficientPermissionsError,
    InvalidTokenError,
    MissingScopeError,
    PushNotEnabledError,
)
from shared.domain.apps import App

PUSH_SEND = "push:send"
PUSH_ENROLL = "push:enroll"
Connection = ASGIConnection[BaseRouteHandler, Principal, App | None, State]


class Gate:
    """The guards of all routes."""

    def __init__(self, verifier: TokenVerifier, directory: AppDirectory) -> None:
        self._verifier = verifier
        self._directory = directory

    def __deepcopy__(self, _: object) -> Self:
        """Litestar copies routers deeply, with their guards; there is only one gate."""
        return self

    async def sender(self, connection: Connection, _: BaseRouteHandler) -> None:
        """A service token with push:send, of an app that exists and has push enabled."""
        service = with_scope(await self.caller(connection), PUSH_SEND)
        app = await self._own_app(service)
        if not app.enabled:
            raise PushNotEnabledError
        connection.scope["auth"] = app

    async def user(self, connection: Connection, _: BaseRouteHandler) -> None:
        """A user token; whether the app takes part is decided with the body."""
        if not isinstance(await self.caller(connection), User):
            raise InsufficientPermissionsError

    async def device_owner(self, connection: Connection, _: BaseRouteHandler) -> None:
        """A user token, or a service token with push:send."""
        caller = await self.caller(connection)
        if isinstance(caller, Service):
            with_scope(caller, PUSH_SEND)

    async def reader(self, connection: Connection, _: BaseRouteHandler) -> None:
        """An admin token, or a service token with push:send."""
        caller = await self.caller(connection)
        if isinstance(caller, Service):
            with_scope(caller, PUSH_SEND)
        elif not isinstance(caller, Admin):
            raise InsufficientPermissionsError

    async def lister(self, connection: Connection, _: BaseRouteHandler) -> None:
        """A service token with push:send, or an admin of the app in the query or in the token."""
        caller = await self._verified(connection)
        asked = connection.query_params.get("app_id")
        if not isinstance(caller, Service):
            app_id = parse_id(asked) if asked is not None else _only_app(caller)
            connection.scope["auth"] = await self._administered(connection, app_id)
            return
        service = with_scope(await self.caller(connection), PUSH_SEND)
        if asked is not None and parse_id(asked) != service.app_id:
            raise InsufficientPermissionsError
        connection.scope["auth"] = await self._own_app(service)

    async def overseer(self, connection: Connection, _: BaseRouteHandler) -> None:
        """An admin of the app in the query or in the token, or without one a platform admin."""
        caller = await self._admin(connection)
        asked = connection.query_params.get("app_id")
        if asked is None and caller.is_platform_admin:
            connection.scope["auth"] = None
            return
        app_id = parse_id(asked) if asked is not None else _only_app(caller)
        app = await self._directory.look_up(app_id) if app_id else None
        connection.scope["auth"] = administered(caller, app)

    async def admin(self, connection: Connection, _: BaseRouteHandler) -> None:
        """An admin token; what they administer is decided with the object."""
        await self._admin(connection)

    async def administrator(self, connection: Connection, _: BaseRouteHandler) -> None:
        """An admin of the app in the path."""
        connection.scope["auth"] = await self._administered(connection, _path_app(connection))

    async def enroller(self, connection: Connection, _: BaseRouteHandler) -> None:
        """An admin of the app in the path, or its service token with push:enroll."""
        if not isinstance(await self._verified(connection), Service):
            connection.scope["auth"] = await self._administered(connection, _path_app(connection))
            return
        service = with_scope(await self.caller(connection), PUSH_ENROLL)
        if service.app_id != _path_app(connection):
            raise InsufficientPermissionsError
        connection.scope["auth"] = await self._own_app(service)

    async def founder(self, connection: Connection, _: BaseRouteHandler) -> None:
        """A platform admin, or a tenant admin whose tenant has the app or for whom it is new."""
        caller = await self._admin(connection)
        app_id = _path_app(connection)
        app = await self._directory.look_up(app_id) if app_id else None
        if not caller.manages(app.tenant_id if app else caller.own_tenant):
            raise InsufficientPermissionsError
        if app_id is None:  # nothing can be founded there
            administered(caller, None)
        connection.scope["auth"] = app

    async def _admin(self, connection: Connection) -> Admin:
        """An admin; a tenant admin's token may name an app that does not exist yet."""
        caller = await self._verified(connection)
        if isinstance(caller, Admin) and caller.own_tenant is not None:
            return caller
        caller = await self.caller(connection)
        if not isinstance(caller, Admin):
            raise InsufficientPermissionsError
        return caller

    async def caller(self, connection: Connection) -> Principal:
        """The verified caller, whose apps its issuer may speak for."""
        caller = await self._verified(connection)
        if not await self._is_within_reach(caller):
            raise InvalidTokenError
        return caller

    async def _verified(self, connection: Connection) -> Principal:
        token = _bearer(connection.headers.getall("authorization", []))
        caller = await self._verifier.verify(token) if token else None
        if caller is None:
            raise InvalidTokenError
        connection.scope["user"] = caller
        return caller

    async def _is_within_reach(self, caller: Principal) -> bool:
        """A tenant's own issuer cannot speak for another tenant's app, nor learn that it exists."""
        if ALL_TENANTS in caller.tenants:
            return True
        apps = [await self._directory.find(app_id) for app_id in caller.app_ids]
        return all(app is not None and reaches(caller.tenants, app.tenant_id) for app in apps)

    async def _own_app(self, service: Service) -> App:
        app = await self._directory.find(service.app_id)
        if app is None:
            raise AppNotFoundError
        return app

    async def _administered(self, connection: Connection, app_id: UUID | None) -> App:
        caller = await self._admin(connection)
        app = await self._directory.look_up(app_id) if app_id else None
        return administered(caller, app)


def administered(admin: Admin, app: App | None) -> App:
    """The app, if it is the admin's to administer; only a platform admin learns of its absence."""
    if app is not None and admin.administers(app.app_id, app.tenant_id):
        return app
    if app is None and admin.is_platform_admin:
        raise AppNotFoundError
    raise InsufficientPermissionsError


def with_scope(caller: Principal, scope: str) -> Service:
    if not isinstance(caller, Service) or scope not in caller.scopes:
        raise MissingScopeError
    return caller


def _only_app(user: User) -> UUID | None:
    return user.app_ids[0] if len(user.app_ids) == 1 else None


def _path_app(connection: Connection) -> UUID | None:
    return parse_id(connection.path_params.get("app_id"))


def _bearer(headers: list[str]) -> str | None:
    if len(headers) != 1:
        return None
    scheme, _, token = headers[0].partition(" ")
    return token if scheme.lower() == "bearer" else None
