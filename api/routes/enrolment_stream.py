"""Enrolment as a stream: the answer is written while the request's body is still being read."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from litestar import Request, Response
from litestar.datastructures import State
from litestar.response.base import ASGIResponse
from litestar.types import BeforeRequestHookHandler, Receive, Scope, Send

from api.auth.principals import Principal
from api.bodies.bounds import UNBOUNDED
from api.bodies.requests import refuse_unclear_parameters
from api.errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    NeitherJsonNorLinesError,
    UnsupportedEncodingError,
)
from api.schemas.enrolment_lines import LINES_SHOWN_MAX, NDJSON, entries_of, line_of
from api.services.enrolments import EnrolmentService, Event, Progress, Stopped
from shared.domain.apps import App
from shared.logs import get_logger

STREAM_BYTES_MAX = 1_073_741_824
SILENCE_SECONDS = 60.0  # between two pieces of the body; the whole may take its time
EnrolRequest = Request[Principal, App, State]
_log = get_logger("api.enrolments")


class CallerGone(Exception):
    """The caller has hung up."""


def stream_lines(enrolments: EnrolmentService) -> BeforeRequestHookHandler:
    """A hook that serves NDJSON itself and leaves JSON to the route's handler."""

    async def serve(request: EnrolRequest) -> Response[None] | None:
        refuse_unclear_parameters(request)  # this hook stands in for the application's
        content_type, options = request.content_type
        if content_type.lower() == "application/json":
            return None
        if content_type.lower() != NDJSON or options.get("charset", "utf-8").lower() != "utf-8":
            raise NeitherJsonNorLinesError
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedEncodingError
        entries = entries_of(_pieces(request))
        events = enrolments.enroll_stream(request.auth.app_id, entries, shown_max=LINES_SHOWN_MAX)
        return Streamed(events)

    return serve


async def _pieces(request: EnrolRequest) -> AsyncGenerator[bytes]:
    """The body as it arrives: one piece in memory at a time, none before it is asked for."""
    receive: Receive = cast("dict[str, Any]", request.scope).get(UNBOUNDED, request.receive)
    if (request.content_length or 0) > STREAM_BYTES_MAX:
        raise BodyTooLargeError
    seen, has_more = 0, True
    while has_more:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = cast("dict[str, Any]", await receive())
        except TimeoutError:
            raise BodyTimeoutError from None
        if message["type"] == "http.disconnect":
            raise CallerGone
        piece: bytes = message["body"]
        seen += len(piece)
        if seen > STREAM_BYTES_MAX:
            raise BodyTooLargeError
        yield piece
        has_more = message.get("more_body", False)


class Streamed(Response[None]):
    """The events of an enrolment as lines."""

    def __init__(self, events: AsyncGenerator[Event]) -> None:
        super().__init__(None)
        self._events = events

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return _Answer(self._events)


class _Answer(ASGIResponse):
    """Begins with the first event, so that what fails before it is an ordinary error."""

    _should_set_content_length = False

    def __init__(self, events: AsyncGenerator[Event]) -> None:
        super().__init__(media_type=NDJSON, status_code=200)
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive  # the events read the body
        async with aclosing(self._events) as events:
            try:
                await self._tell(events, send)
            except CallerGone:
                _log.info("enrolment.abandoned")

    async def _tell(self, events: AsyncGenerator[Event], send: Send) -> None:
        first = await anext(events)
        if isinstance(first, Stopped):
            raise first.error
        await self.start_response(send)
        writer = _Writer(send)
        try:
            writer.write(first)
            async for event in events:
                writer.write(event)
            await writer.finish()
        finally:
            writer.cancel()


class _Writer:
    """Never makes the reading wait for a caller that reads no answer before its body is sent.

    It would wait for ever, and so would the caller. Progress is left out while an earlier line has
    not been taken; the other lines are few and are held.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[bytes] = []
        self._sending: asyncio.Task[None] | None = None

    def write(self, event: Event) -> None:
        is_busy = self._sending is not None and not self._sending.done()
        if is_busy and isinstance(event, Progress):
            return
        self._held.append(line_of(event))
        if not is_busy:
            self._sending = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        while self._held:
            lines, self._held = b"".join(self._held), []
            await self._send({"type": "http.response.body", "body": lines, "more_body": True})

    async def finish(self) -> None:
        """Wait until all is sent, and end the answer."""
        if self._sending is not None:
            await self._sending
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def cancel(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
