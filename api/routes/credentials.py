"""Routes of provider credentials."""

from typing import Any

from litestar import Request, Router, delete, get, put
from litestar.datastructures import State
from litestar.params import JSONBody

from api.auth.guards import Gate
from api.auth.principals import Admin
from api.routes.paths import IdPath
from api.schemas.base import Ok
from api.schemas.credentials import ApnsBody, CredentialAnswer, FcmBody, PushyBody, WebPushBody
from api.services.credentials import CredentialService
from shared.domain.apps import App
from shared.domain.devices import PROVIDERS, Provider

AdminRequest = Request[Admin, App, State]


def credential_routes(credentials: CredentialService, gate: Gate) -> Router:
    @put("/apns", guards=[gate.administrator])
    async def put_apns(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[ApnsBody],
    ) -> CredentialAnswer:
        app_id_ = request.auth.app_id
        return CredentialAnswer.of(await credentials.put(app_id_, "apns", data.credential()))

    @put("/fcm", guards=[gate.administrator])
    async def put_fcm(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[FcmBody],
    ) -> CredentialAnswer:
        app_id_ = request.auth.app_id
        return CredentialAnswer.of(await credentials.put(app_id_, "fcm", data.credential()))

    @put("/webpush", guards=[gate.administrator])
    async def put_webpush(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[WebPushBody],
    ) -> CredentialAnswer:
        """Set the contact; the VAPID key pair is made here once and kept."""
        app_id_ = request.auth.app_id
        return CredentialAnswer.of(await credentials.put_subject(app_id_, data.subject))

    @put("/pushy", guards=[gate.administrator])
    async def put_pushy(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[PushyBody],
    ) -> CredentialAnswer:
        app_id_ = request.auth.app_id
        return CredentialAnswer.of(await credentials.put(app_id_, "pushy", data.credential()))

    handlers: list[Any] = [
        put_apns,
        put_fcm,
        put_webpush,
        put_pushy,
        *(handler for name in PROVIDERS for handler in _stored(credentials, name, gate)),
    ]
    return Router(
        "/push/config/{app_id:str}/providers", route_handlers=handlers, tags=["credentials"]
    )


def _stored(credentials: CredentialService, provider: Provider, gate: Gate) -> list[Any]:
    """Reading and deleting are the same for every provider."""

    @get(f"/{provider}", guards=[gate.administrator], operation_id=f"get_{provider}")
    async def get_credential(request: AdminRequest, app_id: IdPath) -> CredentialAnswer:  # noqa: ARG001
        """What may be shown of the stored credential."""
        return CredentialAnswer.of(await credentials.summary(request.auth.app_id, provider))

    @delete(
        f"/{provider}",
        guards=[gate.administrator],
        status_code=200,
        operation_id=f"delete_{provider}",
    )
    async def delete_credential(request: AdminRequest, app_id: IdPath) -> Ok:  # noqa: ARG001
        await credentials.delete(request.auth.app_id, provider)
        return Ok()

    return [get_credential, delete_credential]
