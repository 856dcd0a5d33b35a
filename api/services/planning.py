"""What a send will be, before anything is recorded: pure, from request, devices and clock."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared import ids
from shared.domain.deliveries import Chunk
from shared.domain.devices import ActiveDevice
from shared.domain.notifications import AHEAD_MAX, Content
from shared.domain.sends import Recipient, Send, timings_of

SMALL_SEND_MAX = 10  # notifications; larger ones wait in the lane `lo`
SKEW_MAX = timedelta(seconds=60)  # a caller's clock may be behind: a time just past means now


class Request(msgspec.Struct, frozen=True):
    """What to send: contents, and who gets which of them."""

    contents: tuple[Content, ...]
    recipients: tuple[Recipient, ...]

    def user_ids(self) -> set[UUID]:
        return {recipient.user_id for recipient in self.recipients}


def at_once(request: Request, now: datetime) -> Request:
    """The request with times that have just come left out: they mean now."""
    contents = tuple(
        msgspec.structs.replace(content, send_at=None)
        if content.send_at is not None and now - SKEW_MAX <= content.send_at <= now
        else content
        for content in request.contents
    )
    return Request(contents, request.recipients)


def unschedulable(request: Request, now: datetime) -> set[int]:
    """The contents whose time is past, or further ahead than sends are kept for."""
    return {
        index
        for index, content in enumerate(request.contents)
        if content.send_at is not None and not now < content.send_at <= now + AHEAD_MAX
    }


def build(
    app_id: UUID, request: Request, devices: Sequence[ActiveDevice], now: datetime
) -> tuple[Send, list[Chunk]]:
    """The record of a send: chunks of up to 100 deliveries, each of one provider.

    Scheduled notifications get theirs when they fire.
    """
    timings = timings_of(request.contents)
    send = Send(
        send_id=ids.new_send_id(now),
        app_id=app_id,
        created_at=now,
        contents=request.contents,
        timings=timings,
        recipients=request.recipients,
        lane="hi" if len(request.recipients) <= SMALL_SEND_MAX else "lo",
        due_at=min((t.send_at for t in timings if t.send_at is not None), default=None),
    )
    every = range(len(send.recipients))
    expansions = send.expand((i for i in every if not send.is_scheduled(i)), devices)
    chunks = send.chunks(expansions)
    recorded = msgspec.structs.replace(
        send,
        delivery_count=sum(len(chunk.targets) for chunk in chunks),
        chunk_count=len(chunks),
        published=not chunks,
    )
    return recorded, chunks
