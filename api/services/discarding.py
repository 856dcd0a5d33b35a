"""Discarding dead letters: they are dealt with, and nobody is shown them any more."""

from uuid import UUID

import msgspec

from api.auth.principals import Admin
from api.directory import AppDirectory
from api.errors import DeadLetterNotFoundError
from api.services.dead_letters import is_theirs
from shared.clock import Clock
from shared.logs import get_logger
from shared.storage.dead_letters import Closing, DeadLetterFilter, DeadLetterRepository

DISCARDED_MAX = 10_000
_AT_ONCE = 1_000
_log = get_logger("api.dead_letters")


class Discarded(msgspec.Struct, frozen=True, kw_only=True):
    """How many were discarded, or would be; `has_more` of those that were chosen are left."""

    discarded: int
    has_more: bool


class Discarder:
    """What admins discard is in the log, with who did it."""

    def __init__(
        self, letters: DeadLetterRepository, directory: AppDirectory, clock: Clock
    ) -> None:
        self._letters, self._directory = letters, directory
        self._clock = clock

    async def discard(self, admin: Admin, chosen: DeadLetterFilter, *, dry_run: bool) -> Discarded:
        """Discard the newest 10,000 of those that were chosen, or only count them.

        The choice keeps to what the admin may see.

        Raises:
            StorageUnavailable: some may have been discarded; the same again goes on with the rest.
        """
        closing = self._closing(admin)
        done = await discard_newest(self._letters, chosen, closing, dry_run=dry_run)
        if done.discarded and not dry_run:
            _note(done.discarded, chosen.app_id, closing)
        return done

    async def discard_one(self, admin: Admin, dead_letter_id: UUID | None) -> None:
        """Discard a dead letter of an app that the admin administers, unless that was done before.

        Raises:
            DeadLetterNotFoundError: absent, or not theirs.
        """
        get = self._letters.get
        letter = await get(dead_letter_id, also_closed=True) if dead_letter_id else None
        if letter is None or not await is_theirs(admin, letter, self._directory):
            raise DeadLetterNotFoundError
        closing = self._closing(admin)
        if await self._letters.close([letter.dead_letter_id], closing):
            _note(1, letter.app_id, closing)

    def _closing(self, admin: Admin) -> Closing:
        return Closing(self._clock(), "discarded", str(admin.user_id))


async def discard_newest(
    letters: DeadLetterRepository, chosen: DeadLetterFilter, closing: Closing, *, dry_run: bool
) -> Discarded:
    """Discard the newest 10,000 of those that were chosen, or only count them.

    Repeating it, or doing it twice at the same time, counts nothing twice.
    """
    found = await letters.newest(chosen, limit=DISCARDED_MAX + 1)
    taken = found[:DISCARDED_MAX]
    has_more = len(found) > len(taken)
    if dry_run:
        return Discarded(discarded=len(taken), has_more=has_more)
    closed = 0
    for start in range(0, len(taken), _AT_ONCE):
        closed += await letters.close(taken[start : start + _AT_ONCE], closing)
    return Discarded(discarded=closed, has_more=has_more)


def _note(count: int, app_id: UUID | None, closing: Closing) -> None:
    _log.info("dead_letters.discarded", count=count, app_id=app_id, by=closing.closed_by)
