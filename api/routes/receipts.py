"""Routes of receipts: pulled, posted again; and of the webhook that they are posted to."""

from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, QueryParameter

from api.auth.guards import Gate
from api.auth.principals import Admin, Service
from api.routes.paths import IdPath, Limit
from api.schemas.receipts import (
    SEQ_MAX,
    AttemptsAnswer,
    ReceiptsAnswer,
    ReplayAnswer,
    ReplayBody,
    WebhookTestAnswer,
)
from api.services.receipts import ReceiptReader
from api.services.receipts_replay import Replayer
from api.services.receipts_webhook import WebhookService
from shared.domain.apps import App

After = Annotated[
    int,
    QueryParameter(ge=0, le=SEQ_MAX, description="receipts with a `seq` above this one"),
]
AppFilter = Annotated[
    str | None,
    QueryParameter(schema_extra={"format": "uuid"}, description="for admins of several apps"),
]
ReaderRequest = Request[Service | Admin, App, State]
AdminRequest = Request[Admin, App, State]


def receipt_routes(reader: ReceiptReader, replayer: Replayer, gate: Gate) -> Router:
    @get("/", guards=[gate.lister])
    async def list_receipts(
        request: ReaderRequest,
        app_id: AppFilter = None,  # noqa: ARG001 the guard has read it
        after: After = 0,
        limit: Limit = 100,
    ) -> ReceiptsAnswer:
        """The app's receipts of the last 7 days in the order of their numbers.

        With or without a webhook: a receiver fills here what it has missed.
        """
        return ReceiptsAnswer.of(await reader.page(request.auth.app_id, after=after, limit=limit))

    @post("/replay", guards=[gate.lister], status_code=200)
    async def replay_receipts(
        request: ReaderRequest,
        data: JSONBody[ReplayBody],
        app_id: AppFilter = None,  # noqa: ARG001 the guard has read it
    ) -> ReplayAnswer:
        """Post receipts again, with the calls that hold them: same receipts, another `webhook-id`.

        What is not kept is passed over. 30 replays a minute.
        """
        return ReplayAnswer.of(await replayer.replay(request.auth, data.selection()))

    handlers: list[Any] = [list_receipts, replay_receipts]
    return Router("/push/receipts", route_handlers=handlers, tags=["receipts"])


def webhook_routes(webhooks: WebhookService, gate: Gate) -> Router:
    @get("/attempts", guards=[gate.administrator])
    async def list_webhook_attempts(
        request: AdminRequest,
        app_id: IdPath,  # noqa: ARG001
        limit: Limit = 100,
    ) -> AttemptsAnswer:
        """What came of the webhook calls of the last 7 days, newest first."""
        return AttemptsAnswer.of(await webhooks.attempts(request.auth.app_id, limit=limit))

    @post("/test", guards=[gate.administrator], status_code=200)
    async def test_webhook(request: AdminRequest, app_id: IdPath) -> WebhookTestAnswer:  # noqa: ARG001
        """Post one signed event of type `push.test`, and tell what came of it. Ten a minute."""
        return WebhookTestAnswer.of(await webhooks.test(request.auth.app_id))

    handlers: list[Any] = [list_webhook_attempts, test_webhook]
    return Router("/push/config/{app_id:str}/webhook", route_handlers=handlers, tags=["receipts"])
