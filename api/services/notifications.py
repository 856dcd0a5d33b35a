"""What became of a notification: read, its data fetched, called off."""

from uuid import UUID

from api.auth.principals import Admin, Service, User
from api.directory import AppDirectory
from api.errors import NotificationNotFoundError
from api.services.reports import NotificationReport, indexes_of, reported
from shared import ids
from shared.clock import Clock
from shared.domain.notifications import NotificationStatus
from shared.domain.sends import Outline
from shared.storage.chunks import ChunkRepository
from shared.storage.sends import SendRepository

UNDECIDED: tuple[NotificationStatus, ...] = ("scheduled", "pending")


class NotificationService:
    """What is not the caller's is as if it did not exist."""

    def __init__(
        self,
        sends: SendRepository,
        chunks: ChunkRepository,
        directory: AppDirectory,
        clock: Clock,
    ) -> None:
        self._sends = sends
        self._chunks = chunks
        self._directory = directory
        self._clock = clock

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
        outline, index = await self._find(caller, notification_id)
        return await self._report(outline, index)

    async def data(self, user: User, notification_id: UUID | None) -> str | None:
        """The JSON text of the `data` of one of the user's own notifications.

        Raises:
            NotificationNotFoundError: absent, or not theirs.
        """
        if notification_id is not None and _is_notification(notification_id):
            send_id, index = ids.send_id_of(notification_id), ids.index_of(notification_id)
            for app_id in user.app_ids:
                send = await self._sends.get(app_id, send_id)
                if send is not None and _is_users(send, index, user.user_id):
                    return send.notification(index).content.data
        raise NotificationNotFoundError

    async def cancel(
        self, caller: Service | Admin, notification_id: UUID | None
    ) -> NotificationReport:
        """Call off what was not handed to a provider; what became of the notification.

        What a worker has in its hands goes on, and what waits for a retry does not. Calling off
        what is over changes nothing.

        Raises:
            NotificationNotFoundError: absent, or not theirs.
        """
        outline, index = await self._find(caller, notification_id)
        before = await self._report(outline, index)
        if before.status not in UNDECIDED:
            return before
        marked = await self._sends.cancel(outline.app_id, outline.send_id, index, self._clock())
        if marked is None:
            raise NotificationNotFoundError
        chunks = await self._chunks.of_notification(outline.app_id, outline.send_id, index)
        for chunk in chunks:
            waiting = [i for i in indexes_of(chunk, index) if chunk.is_waiting(i)]
            await self._chunks.cancel(chunk, waiting, self._clock())
        return await self._report(marked, index)

    async def _find(
        self, caller: Service | Admin, notification_id: UUID | None
    ) -> tuple[Outline, int]:
        if notification_id is not None and _is_notification(notification_id):
            send_id, index = ids.send_id_of(notification_id), ids.index_of(notification_id)
            app_id = await self._app_of(caller, send_id)
            outline = await self._sends.outline(app_id, send_id) if app_id else None
            if outline is not None and index < len(outline.recipients):
                return outline, index
        raise NotificationNotFoundError

    async def _app_of(self, caller: Service | Admin, send_id: UUID) -> UUID | None:
        """The app in which the caller may look for a send."""
        if isinstance(caller, Service):
            return caller.app_id
        app_id = await self._sends.app_of(send_id)
        app = await self._directory.find(app_id) if app_id else None
        return app.app_id if app and caller.administers(app.app_id, app.tenant_id) else None

    async def _report(self, outline: Outline, index: int) -> NotificationReport:
        chunks = await self._chunks.of_notification(outline.app_id, outline.send_id, index)
        return reported(outline, index, chunks)


def _is_notification(part: UUID) -> bool:
    return part == ids.notification_id(ids.send_id_of(part), ids.index_of(part))


def _is_users(outline: Outline, index: int, user_id: UUID) -> bool:
    return index < len(outline.recipients) and outline.recipients[index].user_id == user_id
