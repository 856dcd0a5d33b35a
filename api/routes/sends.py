"""Routes that accept notifications, and the one that tells what became of them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.params import JSONBody

from api.auth.guards import Gate
from api.auth.principals import Admin, Service, parse_id
from api.errors import FieldError, UserNotEnrolledError
from api.routes.paths import IdPath
from api.schemas.notifications import NotificationAnswer
from api.schemas.sends import BatchBody, BulkBody, SendBody, SentAnswer, SentManyAnswer
from api.services.accept import Acceptor, NotEnrolled
from api.services.notifications import NotificationService
from shared import ids
from shared.domain.apps import App
from shared.storage.sends import Send

SEND_BYTES_MAX = 262_144  # what the seed allows is 50 KB with every character escaped
BATCH_BYTES_MAX = 41_943_040
SendRequest = Request[Service, App, State]


def send_routes(acceptor: Acceptor, notifications: NotificationService, gate: Gate) -> Router:
    @post("/send", guards=[gate.sender], status_code=200, request_max_body_size=SEND_BYTES_MAX)
    async def send(request: SendRequest, data: JSONBody[SendBody]) -> SentAnswer:
        """Send to all devices of one user."""
        accepted = await acceptor.accept(request.auth, data.request())
        made = _recorded(accepted, [("#/user_id", data.user_id)])
        return SentAnswer(ids.notification_id(made.send_id, 0))

    @post("/send/bulk", guards=[gate.sender], status_code=200, request_max_body_size=SEND_BYTES_MAX)
    async def send_bulk(request: SendRequest, data: JSONBody[BulkBody]) -> SentManyAnswer:
        """Send the same to up to 500 users; a user named twice gets it once."""
        accepted = await acceptor.accept(request.auth, data.request())
        entries = [(f"#/user_ids/{i}", user_id) for i, user_id in enumerate(data.user_ids)]
        made = _recorded(accepted, entries)
        index = {recipient.user_id: i for i, recipient in enumerate(made.recipients)}
        return SentManyAnswer(
            [ids.notification_id(made.send_id, index[user_id]) for user_id in data.user_ids]
        )

    @post(
        "/send/batch", guards=[gate.sender], status_code=200, request_max_body_size=BATCH_BYTES_MAX
    )
    async def send_batch(request: SendRequest, data: JSONBody[BatchBody]) -> SentManyAnswer:
        """Send up to 500 different notifications."""
        accepted = await acceptor.accept(request.auth, data.request())
        rows = enumerate(data.notifications)
        made = _recorded(accepted, [(f"#/notifications/{i}/user_id", n.user_id) for i, n in rows])
        count = len(made.recipients)
        return SentManyAnswer([ids.notification_id(made.send_id, i) for i in range(count)])

    @get("/notifications/{notification_id:str}", guards=[gate.reader])
    async def get_notification(
        request: Request[Service | Admin, None, State], notification_id: IdPath
    ) -> NotificationAnswer:
        """What became of a notification on each device."""
        report = await notifications.report(request.user, parse_id(notification_id))
        return NotificationAnswer.of(report)

    handlers: list[Any] = [send, send_bulk, send_batch, get_notification]
    return Router("/push", route_handlers=handlers, tags=["notifications"])


def _recorded(accepted: Send | NotEnrolled, entries: Iterable[tuple[str, UUID]]) -> Send:
    """The send, or an error that names the entries whose users are not enrolled."""
    if isinstance(accepted, Send):
        return accepted
    text = "user is not enrolled in this app"
    raise UserNotEnrolledError(
        FieldError(pointer, text) for pointer, user in entries if user in accepted.user_ids
    )
