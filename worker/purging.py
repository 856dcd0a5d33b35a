"""Purging: what deleted apps have left goes page by page, so that due work need not wait long."""

from datetime import timedelta

from shared.clock import Clock
from shared.logs import get_logger
from shared.storage.deletions import Deletion, DeletionRepository

# Requests that began before the deletion may still write: apps are cached for two seconds, and a
# few operations of storage follow, each of which may take some.
SETTLED_AFTER = timedelta(seconds=15)
TIME_PER_TICK = timedelta(seconds=1)
APPS_AT_ONCE = 10
ROWS_PER_PAGE = 1_000

log = get_logger(__name__)


class Purger:
    """Keeps nothing in mind: whoever goes on after a crash looks for the rows that are left."""

    def __init__(self, deletions: DeletionRepository, clock: Clock) -> None:
        self._deletions, self._clock = deletions, clock

    async def purge(self) -> None:
        """Delete some pages of the oldest deletions, and finish those of which nothing is left."""
        pending = await self._deletions.pending(limit=APPS_AT_ONCE)
        for deletion in pending:
            await self._purge(deletion, TIME_PER_TICK / len(pending))

    async def _purge(self, deletion: Deletion, time: timedelta) -> None:
        until, count, deleted = self._clock() + time, 0, 1
        while deleted and (not count or self._clock() < until):
            deleted = await self._deletions.purge(deletion.app_id, limit=ROWS_PER_PAGE)
            count += deleted
        if count:
            log.info("app.rows_purged", app_id=deletion.app_id, count=count)
        elif self._clock() >= deletion.deleted_at + SETTLED_AFTER:
            await self._finish(deletion)

    async def _finish(self, deletion: Deletion) -> None:
        if await self._deletions.finish(deletion):
            log.info("app.purged", app_id=deletion.app_id)
