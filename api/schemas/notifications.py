"""Wire format of a notification's status."""

from datetime import datetime
from uuid import UUID

import msgspec

from api.services.notifications import NotificationReport
from shared.domain.deliveries import DeliveryRow
from shared.domain.notifications import NotificationStatus


class NotificationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    notification_id: UUID
    user_id: UUID
    status: NotificationStatus
    accepted_at: datetime
    expires_at: datetime
    devices: list[DeliveryRow]

    @classmethod
    def of(cls, report: NotificationReport) -> "NotificationAnswer":
        notification = report.notification
        return cls(
            notification_id=notification.notification_id,
            user_id=notification.user_id,
            status=report.status,
            accepted_at=notification.accepted_at,
            expires_at=notification.expires_at,
            devices=report.devices,
        )
