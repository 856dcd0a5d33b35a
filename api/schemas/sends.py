"""Wire format of the three sends."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from api.bodies.data_text import compact_data
from api.errors import invalid
from api.schemas.base import Body, Instant
from api.schemas.options import OptionsBody, Text, Title
from api.services.planning import Request
from shared.domain.notifications import (
    NOTIFICATIONS_PER_BATCH_MAX,
    TTL_SECONDS_DEFAULT,
    TTL_SECONDS_MAX,
    USERS_PER_BULK_MAX,
    Content,
)
from shared.domain.sends import Recipient

_OBJECT = {"type": "object"}

Data = Annotated[
    msgspec.Raw,
    Meta(
        description="any JSON object of at most 4,096 bytes as compact UTF-8, at most 16 deep",
        extra_json_schema=_OBJECT,
    ),
]
SendAt = Annotated[
    Instant,
    Meta(
        description="when to send it, at most 30 days ahead; devices are looked up then",
        extra_json_schema={"examples": ["2026-03-20T07:30:00Z"]},
    ),
]
Ttl = Annotated[
    int,
    Meta(ge=0, le=TTL_SECONDS_MAX, description="seconds; 0 is one attempt now, and no retry"),
]


class ContentBody(OptionsBody, frozen=True, kw_only=True):
    """What every kind of send says."""

    title: Title
    body: Text
    data: Data = msgspec.field(default_factory=msgspec.Raw)
    ttl: Ttl = TTL_SECONDS_DEFAULT
    send_at: SendAt | None = None

    def content(self, pointer: str = "#") -> Content:
        raw = bytes(self.data)
        return Content(
            title=self.title,
            body=self.body,
            data=compact_data(raw, f"{pointer}/data") if raw else None,
            ttl_seconds=self.ttl,
            send_at=_millisecond(self.send_at, f"{pointer}/send_at"),
            options=self.options(pointer),
        )


def _millisecond(instant: datetime | None, pointer: str) -> datetime | None:
    """Cut to what MongoDB stores, in UTC."""
    if instant is None:
        return None
    cut = instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    try:
        return cut.astimezone(UTC)
    except OverflowError:  # before the year 1 or after 9999
        raise invalid(pointer, "Invalid RFC3339 encoded datetime") from None


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
