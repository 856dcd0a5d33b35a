"""Routes that accept notifications."""

from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import UUID

from litestar import Request, Response, Router, post
from litestar.datastructures import State
from litestar.params import JSONBody

from api.auth.guards import Gate
from api.auth.principals import Service
from api.errors import (
    FieldError,
    FieldsError,
    QuotaExceededError,
    UserNotEnrolledError,
    ValidationFailedError,
    ratelimit_fields,
)
from api.idempotency_key import idempotency_key
from api.schemas.previews import PreviewAnswer
from api.schemas.sends import BatchBody, BulkBody, SendBody, SentAnswer, SentManyAnswer
from api.services.accept import (
    DAY_SECONDS,
    Accepted,
    NotEnrolled,
    NotSchedulable,
    Refusal,
)
from api.services.previewing import Previewer
from api.services.sending import Sender
from shared import ids
from shared.domain.apps import App

SEND_BYTES_MAX = 524_288  # every optional field at its largest, each character escaped
BATCH_BYTES_MAX = 41_943_040
SendRequest = Request[Service, App, State]
Answer = TypeVar("Answer", SentAnswer, SentManyAnswer)


def send_routes(sender: Sender, previewer: Previewer, gate: Gate) -> Router:
    @post("/", guards=[gate.sender], status_code=200, request_max_body_size=SEND_BYTES_MAX)
    async def send(request: SendRequest, data: JSONBody[SendBody]) -> Response[SentAnswer]:
        """Send to all devices of one user."""
        key = idempotency_key(request, await request.body())
        outcome = await sender.send(request.auth, data.request(), key)
        accepted = _recorded(outcome, [data.user_id], "#/user_id", "#/send_at")
        return _answer(SentAnswer(ids.notification_id(accepted.send_id, 0)), accepted)

    @post("/bulk", guards=[gate.sender], status_code=200, request_max_body_size=SEND_BYTES_MAX)
    async def send_bulk(request: SendRequest, data: JSONBody[BulkBody]) -> Response[SentManyAnswer]:
        """Send the same to up to 500 users; a user named twice gets it once."""
        key = idempotency_key(request, await request.body())
        outcome = await sender.send(request.auth, data.request(), key)
        accepted = _recorded(outcome, data.user_ids, "#/user_ids/{}", "#/send_at")
        index = {user_id: i for i, user_id in enumerate(dict.fromkeys(data.user_ids))}
        return _many(accepted, [index[user_id] for user_id in data.user_ids])

    @post("/batch", guards=[gate.sender], status_code=200, request_max_body_size=BATCH_BYTES_MAX)
    async def send_batch(
        request: SendRequest, data: JSONBody[BatchBody]
    ) -> Response[SentManyAnswer]:
        """Send up to 500 different notifications."""
        key = idempotency_key(request, await request.body())
        outcome = await sender.send(request.auth, data.request(), key)
        users = [row.user_id for row in data.notifications]
        each = "#/notifications/{}"
        accepted = _recorded(outcome, users, f"{each}/user_id", f"{each}/send_at")
        return _many(accepted, range(len(users)))

    @post("/preview", guards=[gate.sender], status_code=200, request_max_body_size=SEND_BYTES_MAX)
    async def preview_send(request: SendRequest, data: JSONBody[SendBody]) -> PreviewAnswer:
        """What a send would be for each device of the user; nothing is sent, nothing charged."""
        outcome = await previewer.preview(request.auth, data.request())
        if isinstance(outcome, list):
            return PreviewAnswer.of(data.user_id, outcome)
        raise _refused(outcome, [data.user_id], "#/user_id", "#/send_at")

    handlers: list[Any] = [send, send_bulk, send_batch, preview_send]
    return Router("/push/send", route_handlers=handlers, tags=["sends"])


def _recorded(
    outcome: Accepted | Refusal, users: Iterable[UUID], user_pointer: str, time_pointer: str
) -> Accepted:
    if isinstance(outcome, Accepted):
        return outcome
    raise _refused(outcome, users, user_pointer, time_pointer)


def _refused(
    refusal: Refusal, users: Iterable[UUID], user_pointer: str, time_pointer: str
) -> FieldsError:
    """An error that names the entries for which nothing was accepted."""
    match refusal:
        case NotEnrolled(strangers):
            return UserNotEnrolledError(
                FieldError(user_pointer.format(i), "user is not enrolled in this app")
                for i, user_id in enumerate(users)
                if user_id in strangers
            )
        case NotSchedulable(contents):
            return ValidationFailedError(
                FieldError(time_pointer.format(i), "must lie within the next 30 days")
                for i in sorted(contents)
            )


def _many(accepted: Accepted, indexes: Iterable[int]) -> Response[SentManyAnswer]:
    made = [ids.notification_id(accepted.send_id, index) for index in indexes]
    return _answer(SentManyAnswer(made), accepted)


def _answer(body: Answer, accepted: Accepted) -> Response[Answer]:
    headers = {"Idempotent-Replayed": "true"} if accepted.is_replayed else {}
    left = accepted.allowance
    if left is not None:
        headers |= ratelimit_fields(
            QuotaExceededError.policy,
            most=left.quota,
            window_seconds=DAY_SECONDS,
            remaining=left.remaining,
            resets_in_seconds=left.resets_in_seconds,
        )
    return Response(body, status_code=200, headers=headers)
