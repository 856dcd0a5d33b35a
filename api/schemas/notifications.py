"""Wire format of notifications: their status, pages of them, their data."""

from typing import Any
from uuid import UUID

import msgspec

from api.schemas.base import Instant, NextCursor
from api.services.listing import NotificationPage
from api.services.reports import NotificationReport
from shared import ids
from shared.domain.deliveries import DeliveryRow
from shared.domain.notifications import NotificationStatus


class NotificationRow(msgspec.Struct, frozen=True, kw_only=True):
    """`send_at` is null for what was sent at once."""

    notification_id: UUID
    user_id: UUID
    status: NotificationStatus
    accepted_at: Instant
    send_at: Instant | None
    expires_at: Instant

    @classmethod
    def of(cls, report: NotificationReport) -> "NotificationRow":
        return cls(**_row(report))


class NotificationAnswer(NotificationRow, frozen=True, kw_only=True):
    """With what became of it on each device; `cut` names what a device did not get whole."""

    devices: list[DeliveryRow]

    @classmethod
    def of(cls, report: NotificationReport) -> "NotificationAnswer":
        return cls(**_row(report), devices=report.devices)


class NotificationsAnswer(msgspec.Struct, frozen=True):
    """Newest first; `next_cursor` is there when there may be more."""

    notifications: list[NotificationRow]
    next_cursor: NextCursor | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, page: NotificationPage) -> "NotificationsAnswer":
        after = page.next_after
        rows = [NotificationRow.of(report) for report in page.reports]
        return cls(rows, msgspec.UNSET if after is None else after.hex)


class DataAnswer(msgspec.Struct, frozen=True):
    """The `data` as it was sent; null when there was none."""

    data: msgspec.Raw

    @classmethod
    def of(cls, text: str | None) -> "DataAnswer":
        return cls(msgspec.Raw((text or "null").encode()))


def _row(report: NotificationReport) -> dict[str, Any]:
    outline, index = report.outline, report.index
    recipient = outline.recipients[index]
    return {
        "notification_id": ids.notification_id(outline.send_id, index),
        "user_id": recipient.user_id,
        "status": report.status,
        "accepted_at": outline.created_at,
        "send_at": outline.timings[recipient.content].send_at,
        "expires_at": outline.expires_at(index),
    }
