"""Dead letters as operators see them: page by page, or one with what is known of its delivery."""

from uuid import UUID

import msgspec

from api.auth.principals import Admin
from api.directory import AppDirectory
from api.errors import DeadLetterNotFoundError
from api.services.reports import NotificationReport, reported
from shared import ids
from shared.domain.deliveries import DeliveryRow
from shared.storage.chunks import ChunkRepository
from shared.storage.dead_letters import DeadLetter, DeadLetterFilter, DeadLetterRepository
from shared.storage.sends import SendRepository


class DeadLetterPage(msgspec.Struct, frozen=True):
    """Some dead letters, newest first; `next_after` is where the next page begins."""

    letters: list[DeadLetter]
    next_after: UUID | None


class DeadLetterReport(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter with its notification and delivery, while these are kept."""

    letter: DeadLetter
    notification: NotificationReport | None
    delivery: DeliveryRow | None


class DeadLetterReader:
    """Shows what was not dealt with yet."""

    def __init__(
        self,
        letters: DeadLetterRepository,
        sends: SendRepository,
        chunks: ChunkRepository,
        directory: AppDirectory,
    ) -> None:
        self._letters = letters
        self._sends, self._chunks = sends, chunks
        self._directory = directory

    async def page(
        self, chosen: DeadLetterFilter, *, after: UUID | None, limit: int
    ) -> DeadLetterPage:
        """Up to `limit` of those that were chosen, behind `after`."""
        found = await self._letters.page(chosen, after=after, limit=limit + 1)
        letters = found[:limit]
        return DeadLetterPage(letters, letters[-1].dead_letter_id if len(found) > limit else None)

    async def report(self, admin: Admin, dead_letter_id: UUID | None) -> DeadLetterReport:
        """One dead letter of an app that the admin administers.

        Args:
            admin: who asks.
            dead_letter_id: None when what was asked for cannot be an id.

        Raises:
            DeadLetterNotFoundError: absent, dealt with, or not theirs.
        """
        letter = await self._letters.get(dead_letter_id) if dead_letter_id else None
        if letter is None or not await is_theirs(admin, letter, self._directory):
            raise DeadLetterNotFoundError
        return await self.reported(letter)

    async def reported(self, letter: DeadLetter) -> DeadLetterReport:
        """What is known of a dead letter's delivery."""
        notification = await self._notification(letter)
        rows = [] if notification is None else notification.devices
        delivery = next((row for row in rows if row.device_id == letter.device_id), None)
        return DeadLetterReport(letter=letter, notification=notification, delivery=delivery)

    async def _notification(self, letter: DeadLetter) -> NotificationReport | None:
        if letter.app_id is None or letter.notification_id is None:
            return None
        send_id = ids.send_id_of(letter.notification_id)
        index = ids.index_of(letter.notification_id)
        outline = await self._sends.outline(letter.app_id, send_id)
        if outline is None or index >= len(outline.recipients):
            return None
        chunks = await self._chunks.of_notification(letter.app_id, send_id, index)
        return reported(outline, index, chunks)


async def is_theirs(admin: Admin, letter: DeadLetter, directory: AppDirectory) -> bool:
    """Whether a dead letter is the admin's; those of no known app are for platform admins only."""
    if admin.is_platform_admin:
        return True
    app = await directory.find(letter.app_id) if letter.app_id else None
    return app is not None and admin.administers(app.app_id, app.tenant_id)
