"""What became of a notification: its status and every device's delivery."""

from collections.abc import Iterator
from uuid import UUID

import msgspec

from api.auth.principals import Admin, Service
from api.directory import AppDirectory
from api.errors import NotificationNotFoundError
from shared import ids
from shared.domain.deliveries import Chunk, DeliveryRow, Progress, status_of
from shared.domain.notifications import Notification, NotificationStatus
from shared.storage.chunks import ChunkRepository
from shared.storage.sends import Send, SendRepository


class NotificationReport(msgspec.Struct, frozen=True):
    """A notification as it stands now."""

    notification: Notification
    status: NotificationStatus
    devices: list[DeliveryRow]


class NotificationService:
    """Reads only; what is not the caller's is as if it did not exist."""

    def __init__(
        self, sends: SendRepository, chunks: ChunkRepository, directory: AppDirectory
    ) -> None:
        self._sends = sends
        self._chunks = chunks
        self._directory = directory

    async def report(
        self, caller: Service | Admin, notification_id: UUID | None
    ) -> NotificationReport:
        """The status of a notification of the caller's app, or of one that the admin administers.

        Args:
            caller: an app or an admin.
            notification_id: None when what was asked for cannot be an id.

        Raises:
            NotificationNotFoundError: absent, or not theirs.
        """
        if notification_id is not None and _is_notification(notification_id):
            send = await self._find(caller, ids.send_id_of(notification_id))
            if send is not None:
                return await self._report(send, ids.index_of(notification_id))
        raise NotificationNotFoundError

    async def _find(self, caller: Service | Admin, send_id: UUID) -> Send | None:
        if isinstance(caller, Service):
            return await self._sends.get(caller.app_id, send_id)
        send = (await self._sends.of_ids([send_id])).get(send_id)
        app = await self._directory.find(send.app_id) if send else None
        return send if app and caller.administers(app.app_id, app.tenant_id) else None

    async def _report(self, send: Send, index: int) -> NotificationReport:
        if index >= len(send.recipients):
            raise NotificationNotFoundError
        chunks = await self._chunks.of_notification(send.app_id, send.send_id, index)
        rows = [row for chunk in chunks for row in _rows(chunk, index)]
        status = status_of([row.state for row in rows])
        return NotificationReport(send.notification(index), status, rows)


def _is_notification(part: UUID) -> bool:
    return part == ids.notification_id(ids.send_id_of(part), ids.index_of(part))


def _rows(chunk: Chunk, notification: int) -> Iterator[DeliveryRow]:
    for index, target in enumerate(chunk.targets):
        if target.notification == notification:
            yield _row(chunk, target.device_id, chunk.progress.get(index))


def _row(chunk: Chunk, device_id: UUID, progress: Progress | None) -> DeliveryRow:
    return DeliveryRow(
        device_id=device_id,
        provider=chunk.provider,
        state=progress.state if progress else "accepted",
        reason=progress.reason if progress else None,
        attempts=progress.attempts if progress else 0,
        provider_message_id=progress.provider_message_id if progress else None,
        next_attempt_at=progress.next_attempt_at if progress else None,
    )
