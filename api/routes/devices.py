"""Routes of devices."""

from typing import Annotated, Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, QueryParameter

from api.auth.guards import Gate
from api.auth.principals import Admin, Principal, User, parse_id
from api.errors import TooManyRegistrationsError, ratelimit_fields
from api.routes.paths import Cursor, IdPath, Limit, UserFilter, id_or_none
from api.schemas.base import Ok
from api.schemas.devices import DevicesAnswer, RegisterBody, RegisteredAnswer
from api.services.devices import DeviceService, Registered
from shared.domain.apps import App
from shared.domain.devices import Platform, Provider
from shared.storage.devices import DeviceFilter
from shared.storage.limits import REGISTRATION_WINDOW, REGISTRATIONS_MAX

PlatformFilter = Annotated[Platform | None, QueryParameter(description="on this platform only")]
ProviderFilter = Annotated[Provider | None, QueryParameter(description="of this provider only")]
ActiveFilter = Annotated[
    bool, QueryParameter(description="false: those that get no pushes any more")
]


def device_routes(devices: DeviceService, gate: Gate) -> Router:
    @post("/register", guards=[gate.user], status_code=201)
    async def register_device(
        request: Request[User, None, State], data: JSONBody[RegisterBody]
    ) -> Response[RegisteredAnswer]:
        """Register a device (10 in any hour), or note that it was seen again (free).

        `RateLimit` says how many are left (`r`) and in how many seconds one comes back (`t`).
        """
        done = await devices.register(request.user, data.app_id, data.wish())
        return Response(RegisteredAnswer(done.device_id), headers=_limit_fields(done))

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
        user = id_or_none(user_id, "#/user_id")
        which = DeviceFilter(user_id=user, platform=platform, provider=provider, active=active)
        after = id_or_none(cursor, "#/cursor")
        page = await devices.page(request.auth.app_id, which, limit=limit, after=after)
        return DevicesAnswer.of(page)

    @delete("/{device_id:str}", guards=[gate.device_owner], status_code=200)
    async def unregister_device(request: Request[Principal, None, State], device_id: IdPath) -> Ok:
        """Unregister one's own device, or as a service one of the app's."""
        await devices.unregister(request.user, parse_id(device_id))
        return Ok()

    handlers: list[Any] = [register_device, list_devices, unregister_device]
    return Router("/push/devices", route_handlers=handlers, tags=["devices"])


def _limit_fields(done: Registered) -> dict[str, str]:
    return ratelimit_fields(
        TooManyRegistrationsError.policy,
        most=REGISTRATIONS_MAX,
        window_seconds=int(REGISTRATION_WINDOW.total_seconds()),
        remaining=done.remaining,
        resets_in_seconds=done.frees_in_seconds,
    )
