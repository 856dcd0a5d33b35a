"""Undoing a wave of deactivations, page by page."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from shared.domain.devices import Provider
from shared.storage.reactivations import Candidate, ReactivationRepository, Verdict

PAGE = 500
USERS_AT_ONCE = 16


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """How far it went: devices that were looked at, and what became of them.

    `over_cap`: the user has 50 active devices. `other_session`: of Pushy a user has one, and it is
    another one now. `changed`: somebody was quicker.
    """

    found: int = 0
    reactivated: int = 0
    over_cap: int = 0
    other_session: int = 0
    changed: int = 0


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be undone: deactivations by answers of one or any provider since an instant."""

    app_id: UUID
    since: datetime
    provider: Provider | None = None


class ReactivationService:
    """What was reactivated is found no more, so this may be stopped and run again."""

    def __init__(self, reactivations: ReactivationRepository) -> None:
        self._reactivations = reactivations

    async def count(self, wave: Wave) -> int:
        return await self._reactivations.count(wave.app_id, wave.since, wave.provider)

    async def undo(self, wave: Wave, *, dry_run: bool) -> AsyncGenerator[Undone]:
        """Undo it, or only look; how far it is after each page, at least once."""
        counts: Counter[Verdict] = Counter()
        after: UUID | None = None
        while page := await self._reactivations.page(
            wave.app_id, wave.since, wave.provider, after=after, limit=PAGE
        ):
            counts += await self._undo_page(wave.app_id, page, dry_run=dry_run)
            after = page[-1].device_id
            yield _undone(counts)
        yield _undone(counts)

    async def _undo_page(
        self, app_id: UUID, page: Iterable[Candidate], *, dry_run: bool
    ) -> Counter[Verdict]:
        by_user: dict[UUID, list[Candidate]] = defaultdict(list)
        for candidate in page:
            by_user[candidate.user_id].append(candidate)
        gate = asyncio.Semaphore(USERS_AT_ONCE)
        act = self._reactivations.examine if dry_run else self._reactivations.reactivate

        async def undo_user(candidates: list[Candidate]) -> list[Verdict]:
            async with gate:  # one device of a user after the other: they share the cap
                return [await act(app_id, candidate) for candidate in candidates]

        verdicts = await asyncio.gather(*map(undo_user, by_user.values()))
        return Counter(verdict for of_user in verdicts for verdict in of_user)


def _undone(counts: Counter[Verdict]) -> Undone:
    return Undone(
        found=counts.total(),
        reactivated=counts["reactivated"],
        over_cap=counts["over_cap"],
        other_session=counts["other_session"],
        changed=counts["changed"],
    )
