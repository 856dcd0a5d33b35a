"""Notifications page by page, newest first: stable while new ones come in."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from uuid import UUID

import msgspec

from api.services.reports import NotificationReport, reported
from shared import ids
from shared.domain.deliveries import Chunk
from shared.domain.notifications import NotificationStatus
from shared.domain.sends import Outline
from shared.storage.chunks import ChunkRepository, Span
from shared.storage.sends import SendRepository

_SCANNED_MAX = 2_000  # notifications that one page looks at, however few of them match
_SENDS_FIRST, _SENDS_MAX = 10, 160  # read at once: a send may be one notification or 500
_RUN_MIN = 100  # notifications whose deliveries are read at once
Place = tuple[Outline, int]


class NotificationPage(msgspec.Struct, frozen=True):
    """Some notifications, newest first; `next_after` is where the next page begins."""

    reports: list[NotificationReport]
    next_after: UUID | None


class NotificationListing:
    """Reads sends in the order of their ids, which is that of their acceptance."""

    def __init__(self, sends: SendRepository, chunks: ChunkRepository) -> None:
        self._sends = sends
        self._chunks = chunks

    async def page(
        self,
        app_id: UUID,
        *,
        user_id: UUID | None,
        status: NotificationStatus | None,
        after: UUID | None,
        limit: int,
    ) -> NotificationPage:
        """Up to `limit` of an app's notifications behind `after`, newest first.

        A status is worked out, not stored: of a rare one a page may hold fewer than `limit`, even
        none, and still name a next page.
        """
        found: list[NotificationReport] = []
        scanned, last = 0, after
        run = max(limit + 1, _RUN_MIN)  # one more tells whether there is a next page
        async with aclosing(self._behind(app_id, user_id, after, run)) as reports:
            async for report in reports:
                if len(found) == limit or scanned == _SCANNED_MAX:
                    return NotificationPage(found, last)
                scanned, last = scanned + 1, _id_of(report.outline, report.index)
                if status in (None, report.status):
                    found.append(report)
        return NotificationPage(found, None)

    async def _behind(
        self, app_id: UUID, user_id: UUID | None, after: UUID | None, run: int
    ) -> AsyncGenerator[NotificationReport, None]:
        """Notifications in order, whatever their status; the deliveries of `run` at a time."""
        async with aclosing(self._groups(app_id, user_id, after)) as groups:
            async for group in groups:
                for start in range(0, len(group), run):
                    for report in await self._reports(app_id, group[start : start + run]):
                        yield report

    async def _groups(
        self, app_id: UUID, user_id: UUID | None, after: UUID | None
    ) -> AsyncGenerator[list[Place], None]:
        up_to = None if after is None else ids.send_id_of(after)
        size = _SENDS_FIRST
        while outlines := await self._sends.page(app_id, user_id=user_id, up_to=up_to, limit=size):
            yield [
                (outline, index)
                for outline in outlines
                for index in reversed(range(len(outline.recipients)))
                if user_id in (None, outline.recipients[index].user_id)
                and (after is None or outline.send_id != up_to or _id_of(outline, index) < after)
            ]
            if len(outlines) < size:
                return
            up_to, after = UUID(int=outlines[-1].send_id.int - 1), None
            size = min(4 * size, _SENDS_MAX)

    async def _reports(self, app_id: UUID, places: Sequence[Place]) -> list[NotificationReport]:
        indexes: dict[UUID, list[int]] = defaultdict(list)
        for outline, index in places:
            indexes[outline.send_id].append(index)
        spans = [Span(send_id, min(those), max(those)) for send_id, those in indexes.items()]
        holding: dict[UUID, list[Chunk]] = defaultdict(list)
        for chunk in await self._chunks.of_spans(app_id, spans):
            for index in {target.notification for target in chunk.targets}:
                holding[ids.notification_id(chunk.send_id, index)].append(chunk)
        return [reported(o, i, holding.get(_id_of(o, i), [])) for o, i in places]


def _id_of(outline: Outline, index: int) -> UUID:
    return ids.notification_id(outline.send_id, index)
