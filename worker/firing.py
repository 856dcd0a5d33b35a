"""Scheduled sends: when their time comes their devices are looked up and their deliveries begin.

Every worker with the scheduler's role takes part: what a firing consists of is fixed on the send
first (shared/storage/firings.py), so two of them do it once, and whoever finds one half done goes
on with it.
"""

import asyncio
import random

from shared.clock import Clock
from shared.domain.sends import Send
from shared.logs import get_logger
from shared.queue.messages import Pointer
from shared.queue.pointers import Routed, publications
from shared.queue.publisher import Publisher
from shared.storage.devices import DeviceRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.firings import Firing, FiringRepository
from shared.storage.mongo import StorageUnavailable
from shared.storage.sends import SendRepository

TICK_SECONDS = 0.5
AT_ONCE = 16
_PAGE = 200

log = get_logger(__name__)


class Firings:
    """A loop that fires what is due."""

    def __init__(
        self,
        firings: FiringRepository,
        sends: SendRepository,
        devices: DeviceRepository,
        enrolments: EnrolmentRepository,
        *,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        self._firings, self._sends = firings, sends
        self._devices, self._enrolments = devices, enrolments
        self._publisher, self._clock = publisher, clock

    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self.tick()
            except StorageUnavailable as error:  # due it stays
                log.warning("firings.waiting", error=str(error))
            except Exception:  # one bad send must not keep all others from firing
                log.exception("firings.failed")

    async def tick(self) -> None:
        """Fire all that is due now; what cannot be is left for the next tick."""
        due = await self._firings.due(self._clock(), limit=_PAGE)
        random.shuffle(due)  # so that several workers begin at different ends
        for start in range(0, len(due), AT_ONCE):
            sends = (await self._sends.of_ids(due[start : start + AT_ONCE])).values()
            fired = await asyncio.gather(*map(self._fire, sends), return_exceptions=True)
            for failure in fired:
                if isinstance(failure, BaseException):
                    log.warning("send.not_fired", error=type(failure).__name__)

    async def _fire(self, send: Send) -> None:
        now = self._clock()
        indexes = send.firing_at(now)
        users = {send.recipients[index].user_id for index in indexes}
        enrolled, devices = await asyncio.gather(
            self._enrolments.enrolled(send.app_id, users),
            self._devices.active_of_users(send.app_id, users),
        )
        meant = [device for device in devices if device.user_id in enrolled]
        planned = Firing(now, tuple(send.expand(indexes, meant)))
        firing = await self._firings.begin(send, planned)
        if firing is None:
            return
        chunks = send.chunks(firing.expansions)
        if not await self._firings.finish(send, chunks, firing.now):
            return
        log.info("send.fired", send_id=send.send_id, app_id=send.app_id, chunks=len(chunks))
        routed = [Routed(Pointer(chunk_id=c.chunk_id), c.provider, c.lane) for c in chunks]
        confirmed = await self._publisher.publish_all(publications(routed))
        if chunks and send.published and all(confirmed):  # else earlier chunks wait for the sweeper
            await self._sends.flag_published([send.send_id])
