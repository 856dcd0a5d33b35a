"""Routes of provider credentials."""

from typing import Any

from litestar import Request, Router, delete, get, post, put
from litestar.datastructures import State
from litestar.params import JSONBody

from api.auth.guards import Gate
from api.auth.principals import Admin
from api.routes.paths import IdPath
from api.schemas.base import Ok
from api.schemas.credentials import (
    ApnsBody,
    CredentialAnswer,
    FcmBody,
    PushyBody,
    VerifyAnswer,
    WebPushBody,
)
from api.services.credentials import CredentialService
from api.services.verification import CredentialVerifier
from shared.domain.apps import App
from shared.domain.devices import PROVIDERS, Provider

AdminRequest = Request[Admin, App, State]


def credential_routes(
    credentials: CredentialService, verifier: CredentialVerifier, gate: Gate
) -> Router:
    @put("/apns", guards=[gate.administrator], summary="Set APNs credential")
    async def put_apns(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[ApnsBody],
    ) -> CredentialAnswer:
        """Store a signing key or a push certificate in place of what was there.

        In use within 5 seconds.
        """
        app_id_ = request.auth.app_id
        return CredentialAnswer.of(await credentials.put(app_id_, "apns", data.credential()))

    @put("/fcm", guards=[gate.administrator], summary="Set FCM credential")
    async def put_fcm(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[FcmBody],
    ) -> CredentialAnswer:
        """Store a service account in place of what was there; in use within 5 seconds."""
        app_id_ = request.auth.app_id
        return CredentialAnswer.of(await credentials.put(app_id_, "fcm", data.credential()))

    @put("/webpush", guards=[gate.administrator], summary="Set Web Push contact")
    async def put_webpush(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[WebPushBody],
    ) -> CredentialAnswer:
        """Set the contact; the VAPID key pair is made here once and kept."""
        app_id_ = request.auth.app_id
        return CredentialAnswer.of(await credentials.put_subject(app_id_, data.subject))

    @put("/pushy", guards=[gate.administrator], summary="Set Pushy credential")
    async def put_pushy(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[PushyBody],
    ) -> CredentialAnswer:
        """Store a secret API key in place of what was there; in use within 5 seconds."""
        app_id_ = request.auth.app_id
        return CredentialAnswer.of(await credentials.put(app_id_, "pushy", data.credential()))

    handlers: list[Any] = [
        put_apns,
        put_fcm,
        put_webpush,
        put_pushy,
        *(handler for name in PROVIDERS for handler in _stored(credentials, name, gate)),
        *(_verify(verifier, name, gate) for name in PROVIDERS),
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
        """Forget a credential; deliveries wait for another until they expire."""
        await credentials.delete(request.auth.app_id, provider)
        return Ok()

    return [get_credential, delete_credential]


def _verify(verifier: CredentialVerifier, provider: Provider, gate: Gate) -> Any:
    @post(
        f"/{provider}/verify",
        guards=[gate.administrator],
        status_code=200,
        operation_id=f"verify_{provider}",
    )
    async def verify_credential(request: AdminRequest, app_id: IdPath) -> VerifyAnswer:  # noqa: ARG001
        """Ask the provider, by a push that reaches nobody, what it thinks of the credential."""
        verification = await verifier.verify(request.auth.app_id, provider)
        return VerifyAnswer.of(provider, verification)

    return verify_credential
