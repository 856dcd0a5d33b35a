"""Routes of an app's push configuration."""

from typing import Any

from litestar import Request, Router, get, patch
from litestar.datastructures import State
from litestar.params import JSONBody

from api.auth.guards import Gate
from api.auth.principals import Admin
from api.routes.paths import IdPath
from api.schemas.config import ConfigAnswer, ConfigBody
from api.services.config import ConfigService
from shared.domain.apps import App

AdminRequest = Request[Admin, App, State]


def config_routes(config: ConfigService, gate: Gate) -> Router:
    @patch("/", guards=[gate.administrator])
    async def change_config(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[ConfigBody],
    ) -> ConfigAnswer:
        """Change what is given. The first enable makes the webhook secret and the VAPID keys."""
        return ConfigAnswer.of(await config.change(request.auth, data.change()))

    @get("/", guards=[gate.administrator])
    async def get_config(request: AdminRequest, app_id: IdPath) -> ConfigAnswer:  # noqa: ARG001
        """The configuration, the active devices and today's notifications (UTC)."""
        return ConfigAnswer.of(request.auth, await config.usage(request.auth.app_id))

    handlers: list[Any] = [change_config, get_config]
    return Router("/push/config/{app_id:str}", route_handlers=handlers, tags=["config"])
