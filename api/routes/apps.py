"""Routes of apps and enrolments."""

from typing import Any

from litestar import Request, Response, Router, delete, get, post, put
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from api.auth.guards import Gate
from api.auth.principals import Admin, parse_id
from api.errors import AppNotFoundError, invalid
from api.routes.enrolment_stream import EnrolRequest, stream_lines
from api.routes.paths import IdPath
from api.schemas.apps import (
    AppAnswer,
    AppBody,
    EnrolAnswer,
    EnrolBody,
    EnrolmentAnswer,
    SecretAnswer,
)
from api.schemas.base import Ok
from api.services.apps import AppService
from api.services.enrolments import EnrolmentService
from shared.domain.apps import App

ENROLMENT_BYTES_MAX = 1_048_576  # 10,000 ids are about 400 KB
AdminRequest = Request[Admin, App, State]
FounderRequest = Request[Admin, App | None, State]


def app_routes(apps: AppService, gate: Gate) -> Router:
    @put(
        "/",
        guards=[gate.founder],
        summary="Create or rename app",
        responses={201: ResponseSpec(AppAnswer, description="created", generate_examples=False)},
    )
    async def put_app(
        request: FounderRequest, app_id: IdPath, data: JSONBody[AppBody]
    ) -> Response[AppAnswer]:
        """Create an app (201, with its client secret) or rename it (200)."""
        parsed = parse_id(app_id)
        if parsed is None:
            raise AppNotFoundError
        app, secret = await apps.found(request.user, parsed, request.auth, data.founding())
        return Response(AppAnswer.of(app, secret), status_code=201 if secret else 200)

    @get("/", guards=[gate.administrator])
    async def get_app(request: AdminRequest, app_id: IdPath) -> AppAnswer:  # noqa: ARG001
        """What an app is called, whose it is, and whether push is enabled."""
        return AppAnswer.of(request.auth)

    @post("/secret", guards=[gate.administrator], status_code=200, summary="Rotate client secret")
    async def rotate_secret(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
    ) -> SecretAnswer:
        """A new client secret; the old one stops working at once."""
        app_id_ = request.auth.app_id
        return SecretAnswer(app_id_, await apps.rotate_secret(request.user, app_id_))

    @delete("/", guards=[gate.founder], status_code=200)
    async def delete_app(request: FounderRequest, app_id: IdPath) -> Ok:  # noqa: ARG001
        """Delete an app, at once for all callers; its id is free when its rows are gone, too."""
        await apps.delete(request.user, request.auth)
        return Ok()

    handlers: list[Any] = [put_app, get_app, delete_app, rotate_secret]
    return Router("/push/apps/{app_id:str}", route_handlers=handlers, tags=["apps"])


def enrolment_routes(enrolments: EnrolmentService, gate: Gate) -> Router:
    @post(
        "/",
        guards=[gate.enroller],
        status_code=200,
        request_max_body_size=ENROLMENT_BYTES_MAX,
        before_request=stream_lines(enrolments),
        summary="Enrol users",
    )
    async def enroll_users(
        request: EnrolRequest,
        app_id: IdPath,  # noqa: ARG001
        data: JSONBody[EnrolBody],
    ) -> EnrolAnswer:
        """Enrol up to 10,000 users, or any number as a stream of lines (`application/x-ndjson`).

        A line is `{"user_id": "…"}` or a JSON string, up to 1,024 bytes; blank lines are skipped.
        The answer to a stream is lines, too, written while it is read: how far it is after each
        1,000 lines, what is wrong with a line (the first 100 of those), and last `"done": true`.
        With `"done": false` the stream ended early; send the rest again from behind that `line`.
        """
        return EnrolAnswer(await enrolments.enroll(request.auth.app_id, data.user_ids))

    @put("/{user_id:str}", guards=[gate.enroller], status_code=200, summary="Enrol user")
    async def enroll_user(
        request: EnrolRequest,
        app_id: IdPath,  # noqa: ARG001
        user_id: IdPath,
    ) -> EnrolmentAnswer:
        """Enrol a user; enrolling twice is the same as once."""
        parsed = parse_id(user_id)
        if parsed is None:
            raise invalid("#/user_id", "Expected `uuid`")
        await enrolments.enroll(request.auth.app_id, [parsed])
        return EnrolmentAnswer(parsed)

    @get("/{user_id:str}", guards=[gate.enroller])
    async def get_enrolment(
        request: EnrolRequest,
        app_id: IdPath,  # noqa: ARG001
        user_id: IdPath,
    ) -> EnrolmentAnswer:
        """Whether a user is enrolled: 200, or 404."""
        return EnrolmentAnswer(await enrolments.check(request.auth.app_id, parse_id(user_id)))

    @delete("/{user_id:str}", guards=[gate.enroller], status_code=200)
    async def withdraw_user(
        request: EnrolRequest,
        app_id: IdPath,  # noqa: ARG001
        user_id: IdPath,
    ) -> Ok:
        """End a user's enrolment: nothing more can be sent to them."""
        await enrolments.withdraw(request.auth.app_id, parse_id(user_id))
        return Ok()

    handlers: list[Any] = [enroll_users, enroll_user, get_enrolment, withdraw_user]
    return Router("/push/apps/{app_id:str}/users", route_handlers=handlers, tags=["apps"])
