"""Who may enter the Pushy API's routes, and for which app (CONTRACT §1, §6)."""

from typing import Self

from litestar.handlers import BaseRouteHandler

from api.auth.guards import PUSH_SEND, Connection, Gate, administered, with_scope
from api.auth.principals import Admin, Principal, Service, User, parse_id
from api.directory import AppDirectory
from api.errors import (
    AppNotFoundError,
    InsufficientPermissionsError,
    PushNotEnabledError,
    invalid,
)
from shared.domain.apps import App

APP_HEADER = "X-App-Id"


class MobileGate:
    """The app is the token's; where a token names several, the header X-App-Id picks one."""

    def __init__(self, gate: Gate, directory: AppDirectory) -> None:
        self._gate = gate
        self._directory = directory

    def __deepcopy__(self, _: object) -> Self:
        """Litestar copies routers deeply, with their guards; there is only one gate."""
        return self

    async def user(self, connection: Connection, _: BaseRouteHandler) -> None:
        """A user token of an app that has push enabled."""
        caller = await self._gate.caller(connection)
        if not isinstance(caller, User):
            raise InsufficientPermissionsError
        connection.scope["auth"] = await self._app(connection, caller)

    async def user_or_service(self, connection: Connection, _: BaseRouteHandler) -> None:
        """A user token, or a service token with push:send, of an app that has push enabled."""
        caller = await self._gate.caller(connection)
        if isinstance(caller, Service):
            with_scope(caller, PUSH_SEND)
        connection.scope["auth"] = await self._app(connection, caller)

    async def operator(self, connection: Connection, _: BaseRouteHandler) -> None:
        """An admin of the app, or its service token with push:send."""
        caller = await self._gate.caller(connection)
        if isinstance(caller, Service):
            with_scope(caller, PUSH_SEND)
        elif not isinstance(caller, Admin):
            raise InsufficientPermissionsError
        app = await self._app(connection, caller)
        if isinstance(caller, Admin):
            administered(caller, app)
        connection.scope["auth"] = app

    async def _app(self, connection: Connection, caller: Principal) -> App:
        app_ids = caller.app_ids
        asked = connection.headers.getall(APP_HEADER, [])
        if len(asked) > 1:
            raise invalid(f"#/{APP_HEADER}", "given more than once")
        if asked:
            app_ids = tuple(app_id for app_id in app_ids if app_id == parse_id(asked[0]))
        elif len(app_ids) > 1:
            raise invalid(f"#/{APP_HEADER}", "required: the token names several apps")
        app = await self._directory.find(app_ids[0]) if app_ids else None
        if app is None:
            raise AppNotFoundError
        if not app.enabled:
            raise PushNotEnabledError
        return app
