"""Scheduled sends: when their time comes their devices are looked up and their deliveries begin.

Every worker with the scheduler's role takes part: what a firing consists of is fixed on the send
first (shared/storage/firings.py), so two of them do it once, and whoever finds one half done goes
on with it.
"""

import asyncio
import random
from datetime import datetime, timedelta
from uuid import UUID

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
PUT_OFF_FOR = timedelta(seconds=30)
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
        self._put_off: dict[UUID, datetime] = {}

    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self.tick()
            except StorageUnavailable as error:  # due it stays
                log.warning("firings.waiting", error=str(error))
            except Exception:  # whatever it is, it must not end the worker
                log.exception("firings.failed")

    async def tick(self) -> None:
        """Fire all that is due now; what cannot be is left alone for a while."""
        now = self._clock()
        self._put_off = {send_id: at for send_id, at in self._put_off.items() if at > now}
        due = await self._firings.due(now, without=self._put_off, limit=_PAGE)
        random.shuffle(due)  # so that several workers begin at different ends
        for start in range(0, len(due), AT_ONCE):
            await asyncio.gather(*map(self._fire_alone, due[start : start + AT_ONCE]))

    async def _fire_alone(self, send_id: UUID) -> None:
        """One send that cannot be read or fired keeps no other from firing."""
        try:
            send = (await self._sends.of_ids([send_id])).get(send_id)
            if send is None:  # its contents are gone: it is being deleted
                self._put_off[send_id] = self._clock() + PUT_OFF_FOR
            else:
                await self._fire(send)
        except StorageUnavailable:
            raise
        except Exception:  # its neighbours are fine
            log.exception("send.not_fired", send_id=send_id)
            self._put_off[send_id] = self._clock() + PUT_OFF_FOR

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
