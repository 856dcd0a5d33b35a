"""Routes of devices."""

from typing import Annotated, Any

from litestar import Request, Router, delete, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, QueryParameter

from api.auth.guards import Gate
from api.auth.principals import Admin, Principal, User, parse_id
from api.errors import invalid
from api.routes.paths import IdPath
from api.schemas.base import Ok
from api.schemas.devices import DevicesAnswer, RegisterBody, RegisteredAnswer
from api.services.devices import DeviceService
from shared.domain.apps import App
from shared.domain.devices import Platform, Provider
from shared.storage.devices import DeviceFilter

PAGE_MAX = 1_000
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_MAX)]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before")]
UserFilter = Annotated[str | None, QueryParameter(schema_extra={"format": "uuid"})]
PlatformFilter = Annotated[Platform | None, QueryParameter()]
ProviderFilter = Annotated[Provider | None, QueryParameter()]
ActiveFilter = Annotated[bool, QueryParameter()]


def device_routes(devices: DeviceService, gate: Gate) -> Router:
    @post("/register", guards=[gate.user], status_code=201)
    async def register_device(
        request: Request[User, None, State], data: JSONBody[RegisterBody]
    ) -> RegisteredAnswer:
        """Register a device, or note that it was seen again."""
        return RegisteredAnswer(await devices.register(request.user, data.app_id, data.wish()))

    @get("/{app_id:str}", guards=[gate.administrator])
    async def list_devices(  # noqa: PLR0917 each is a query parameter
        request: Request[Admin, App, State],
        app_id: IdPath,  # noqa: ARG001
        limit: Limit = 100,
        cursor: Cursor = None,
        user_id: UserFilter = None,
        platform: PlatformFilter = None,
        provider: ProviderFilter = None,
        active: ActiveFilter = True,
    ) -> DevicesAnswer:
        """The app's devices, oldest first."""
        user = _id_or_none(user_id, "#/user_id")
        which = DeviceFilter(user_id=user, platform=platform, provider=provider, active=active)
        after = _id_or_none(cursor, "#/cursor")
        page = await devices.page(request.auth.app_id, which, limit=limit, after=after)
        return DevicesAnswer.of(page)

    @delete("/{device_id:str}", guards=[gate.device_owner], status_code=200)
    async def unregister_device(request: Request[Principal, None, State], device_id: IdPath) -> Ok:
        """Unregister one's own device, or as a service one of the app's."""
        await devices.unregister(request.user, parse_id(device_id))
        return Ok()

    handlers: list[Any] = [register_device, list_devices, unregister_device]
    return Router("/push/devices", route_handlers=handlers, tags=["devices"])


def _id_or_none(text: str | None, pointer: str) -> Any:
    parsed = parse_id(text)
    if text is not None and parsed is None:
        raise invalid(pointer, "Expected `uuid`")
    return parsed
