"""Wire format of the three sends."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from api.data_text import compact_object
from api.schemas.base import Body
from api.services.accept import Request
from shared.domain.notifications import (
    BODY_CHARACTERS_MAX,
    NOTIFICATIONS_PER_BATCH_MAX,
    TITLE_CHARACTERS_MAX,
    TTL_SECONDS_DEFAULT,
    TTL_SECONDS_MAX,
    USERS_PER_BULK_MAX,
    Content,
)
from shared.storage.sends import Recipient

_OBJECT = {"type": "object"}

Data = Annotated[msgspec.Raw, Meta(description="any JSON object", extra_json_schema=_OBJECT)]


class ContentBody(Body, frozen=True, kw_only=True):
    """What every kind of send says. `data`: an object of at most 4,096 bytes as compact UTF-8."""

    title: Annotated[str, Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
    body: Annotated[str, Meta(max_length=BODY_CHARACTERS_MAX)]
    data: Data = msgspec.field(default_factory=msgspec.Raw)
    ttl: Annotated[int, Meta(ge=0, le=TTL_SECONDS_MAX)] = TTL_SECONDS_DEFAULT

    def content(self, pointer: str = "#") -> Content:
        raw = bytes(self.data)
        data = compact_object(raw, f"{pointer}/data") if raw else None
        return Content(title=self.title, body=self.body, data=data, ttl_seconds=self.ttl)


class SendBody(ContentBody, frozen=True, kw_only=True):
    user_id: UUID

    def request(self) -> Request:
        return Request((self.content(),), (Recipient(self.user_id, 0),))


class BulkBody(ContentBody, frozen=True, kw_only=True):
    user_ids: Annotated[list[UUID], Meta(min_length=1, max_length=USERS_PER_BULK_MAX)]

    def request(self) -> Request:
        """One notification for each distinct user, in the order in which they first appear."""
        users = dict.fromkeys(self.user_ids)
        return Request((self.content(),), tuple(Recipient(user_id, 0) for user_id in users))


class BatchBody(Body, frozen=True, kw_only=True):
    notifications: Annotated[
        list[SendBody], Meta(min_length=1, max_length=NOTIFICATIONS_PER_BATCH_MAX)
    ]

    def request(self) -> Request:
        rows = list(enumerate(self.notifications))
        contents = tuple(row.content(f"#/notifications/{i}") for i, row in rows)
        return Request(contents, tuple(Recipient(row.user_id, i) for i, row in rows))


class SentAnswer(msgspec.Struct, frozen=True):
    notification_id: UUID


class SentManyAnswer(msgspec.Struct, frozen=True):
    """One id for each entry of the request, in its order."""

    notification_ids: list[UUID]
