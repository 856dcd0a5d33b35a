"""Asking whether devices may be deactivated, for many at once, and telling when they may not."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from shared.batcher import Batcher
from shared.clock import Clock
from shared.domain.devices import Device
from shared.domain.holds import RESULTS_COUNT_FOR, Results, Standing
from shared.logs import get_logger
from shared.storage.holds import HoldRepository, Judged, Lane
from shared.storage.mongo import StorageUnavailable
from worker.patience import stored

TELL_SECONDS = 5.0

log = get_logger(__name__)


class Question(msgspec.Struct, frozen=True):
    """May this device, which a push with that credential found dead, be deactivated?"""

    lane: Lane
    fingerprint: str
    device_id: UUID
    counted: int  # pushes that were taken before it was asked


class Count(msgspec.Struct):
    """Pushes of a lane that its provider took with one credential, the last of them at `at`."""

    fingerprint: str
    at: datetime
    counted: int = 0
    told: int = 0

    def tell(self, counted_before: int = 0) -> Results:
        """What is untold yet, apart from it what came before any dead token was found."""
        untold = self.counted - self.told
        before = min(max(counted_before - self.told, 0), untold)
        self.told = self.counted
        return Results(
            fingerprint=self.fingerprint,
            taken=untold - before,
            taken_before=before,
            taken_at=self.at,
        )


class Holding:
    """Successes are counted here and told now and then; what would deactivate is asked at once."""

    def __init__(self, holds: HoldRepository, clock: Clock) -> None:
        self._holds, self._clock = holds, clock
        self._taken: dict[Lane, Count] = {}
        self._untold: set[Lane] = set()
        self._alarmed: dict[Lane, datetime] = {}
        self._asking: Batcher[Question, bool] = Batcher(self._ask)

    def taken(self, device: Device, fingerprint: str) -> None:
        """Count a push that the provider took."""
        lane = (device.app_id, device.provider)
        count = self._taken.get(lane)
        if count is None or count.fingerprint != fingerprint:
            count = self._taken[lane] = Count(fingerprint, self._clock())
        count.counted += 1
        count.at = self._clock()
        self._untold.add(lane)

    async def may_deactivate(self, device: Device, fingerprint: str) -> bool:
        """Count an answer that would deactivate the device; whether it may."""
        lane = (device.app_id, device.provider)
        count = self._taken.get(lane)
        counted = 0 if count is None else count.counted
        return await self._asking.submit(Question(lane, fingerprint, device.device_id, counted))

    async def keep_telling(self) -> None:
        """Tell of successes until cancelled, so that a hold ends when it has no reason."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            try:
                await self.tell()
            except StorageUnavailable as error:  # told the next time
                log.debug("holds.not_told", error=str(error))

    async def tell(self) -> None:
        """Tell of successes where somebody found dead tokens; elsewhere nobody needs them."""
        untold, self._untold = self._untold, set()
        for lane in await self._holds.known(untold):
            count = self._taken.get(lane)
            if count is not None and count.told < count.counted:
                self._note(lane, await self._holds.judge(lane, count.tell(), self._clock()))
        now = self._clock()
        self._taken = {
            lane: count
            for lane, count in self._taken.items()
            if now - count.at <= RESULTS_COUNT_FOR
        }

    async def _ask(self, questions: Sequence[Question]) -> Sequence[bool]:
        groups: dict[tuple[Lane, str], list[Question]] = defaultdict(list)
        for question in questions:
            groups[question.lane, question.fingerprint].append(question)
        answers = {key: await self._judge(*key, asked) for key, asked in groups.items()}
        return [q.device_id in answers[q.lane, q.fingerprint] for q in questions]

    async def _judge(self, lane: Lane, fingerprint: str, asked: list[Question]) -> frozenset[UUID]:
        count = self._taken.get(lane)
        if count is not None and count.fingerprint == fingerprint:
            results = count.tell(min(question.counted for question in asked))
        else:
            results = Results(fingerprint=fingerprint)
        dead = [question.device_id for question in asked]
        results = msgspec.structs.replace(results, dead=dead)
        judged = await stored(lambda: self._holds.judge(lane, results, self._clock()))
        self._note(lane, judged)
        return judged.judgement.may_be_deactivated

    def _note(self, lane: Lane, judged: Judged) -> None:
        """Raise the alarm, in each process once per hold; say it when a hold has ended."""
        before, after = judged.before, judged.judgement.standing
        if after.held_since is None:
            self._alarmed.pop(lane, None)
            if before.is_held:
                log.info("devices.deactivation_resumed", app_id=lane[0], provider=lane[1])
        elif self._alarmed.get(lane) != after.held_since:
            self._alarmed[lane] = after.held_since
            log.error("devices.deactivation_held", **_figures(lane, after))


def _figures(lane: Lane, standing: Standing) -> dict[str, object]:
    reason = standing.reason
    return {
        "app_id": lane[0],
        "provider": lane[1],
        "share": round(reason.share, 3),
        "devices": reason.dead,
        "results": reason.dead + reason.taken,
        "held_since": standing.held_since,
    }
