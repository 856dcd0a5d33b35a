"""Lanes: the calls of one app that are due, posted as fast as its endpoint takes them.

A bell says only that an app has something to post: what that is stands in the record. So a bell
that is lost, or rung twice, or rung while an endpoint is shut, costs nothing and changes nothing.
"""

import asyncio
import random
from datetime import datetime, timedelta
from uuid import UUID

from shared.clock import Clock
from shared.domain.apps import App
from shared.domain.receipts import ReceiptCall
from shared.logs import get_logger
from shared.storage.apps import AppRepository
from shared.storage.receipt_calls import ReceiptCallRepository
from worker.endpoints import Endpoint
from worker.patience import stored
from worker.receipt_poster import ReceiptPoster

CALLS_IN_FLIGHT_MAX = 400  # of all apps, each of which has its own few
CLAIM_SECONDS = 30.0  # twice what a call may take
_FRESH = timedelta(seconds=1)  # how old an app's configuration may be
_SLACK = timedelta(seconds=1)  # a bell for a retry may be ahead of our clock

log = get_logger(__name__)


class _Lane:
    def __init__(self, app_id: UUID) -> None:
        self.app_id = app_id
        self.endpoint = Endpoint(random.random)
        self.is_rung = False
        self.is_feeding = False
        self.timer: asyncio.TimerHandle | None = None
        self.app: App | None = None
        self.url: str | None = None
        self.read_at: datetime | None = None


class ReceiptLanes:
    """One lane for each app that has something to post, or whose endpoint is not well."""

    def __init__(
        self,
        calls: ReceiptCallRepository,
        apps: AppRepository,
        poster: ReceiptPoster,
        clock: Clock,
    ) -> None:
        self._calls, self._apps, self._poster, self._clock = calls, apps, poster, clock
        self._lanes: dict[UUID, _Lane] = {}
        self._gate = asyncio.Semaphore(CALLS_IN_FLIGHT_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def ring(self, app_id: UUID) -> None:
        """Have what is due of an app posted, now or once its endpoint may be called."""
        lane = self._lanes.get(app_id)
        if lane is None:
            lane = self._lanes[app_id] = _Lane(app_id)
        lane.is_rung = True
        if not lane.is_feeding and not self._closing:
            lane.is_feeding = True
            self._keep(asyncio.create_task(self._feed(lane)))

    async def aclose(self, timeout_seconds: float) -> None:
        """Begin nothing more; what is in flight has so long to come to its end."""
        self._closing = True
        for lane in self._lanes.values():
            if lane.timer is not None:
                lane.timer.cancel()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=timeout_seconds)
            for task in late:  # their calls are claimed for a while, then others post them
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _feed(self, lane: _Lane) -> None:
        """Begin calls until the endpoint is busy or shut, or nothing is due."""
        try:
            while lane.is_rung and not self._closing:
                lane.is_rung = False
                await self._app_of(lane)
                while lane.endpoint.may_begin(self._clock()) and await self._begin_when_free(lane):
                    pass
        except Exception:  # the sweeper rings again
            log.exception("receipts.lane_failed", app_id=lane.app_id)
        finally:
            lane.is_feeding = False
            self._rest(lane)

    async def _begin_when_free(self, lane: _Lane) -> bool:
        """The slot comes first: what is claimed goes out at once, by what is known then."""
        await self._gate.acquire()
        has_begun = False
        try:
            has_begun = lane.endpoint.may_begin(self._clock()) and await self._begin(lane)
        finally:
            if not has_begun:
                self._gate.release()
        return has_begun

    async def _begin(self, lane: _Lane) -> bool:
        """Claim the next call and have it made; False when there is none to make now."""
        app = await self._app_of(lane)
        url = None if app is None else app.posting_url
        if app is None or url is None:
            await self._shelve(lane)
            return False
        now = self._clock()
        if app.webhook_paused_until is not None and app.webhook_paused_until > now:
            lane.endpoint.pause_until(now, app.webhook_paused_until)  # another process was told
            return False
        call = await stored(lambda: self._claim(lane.app_id, now))
        if call is None or self._closing:
            return False
        lane.endpoint.begin()
        self._keep(asyncio.create_task(self._post(lane, lane.endpoint, app, url, call)))
        return True

    async def _claim(self, app_id: UUID, now: datetime) -> ReceiptCall | None:
        until = now + timedelta(seconds=CLAIM_SECONDS)
        return await self._calls.claim(app_id, due_by=now + _SLACK, until=until)

    async def _post(
        self, lane: _Lane, endpoint: Endpoint, app: App, url: str, call: ReceiptCall
    ) -> None:
        try:
            if not await self._poster.post(app, url, call, endpoint):
                lane.read_at = None
        except Exception:  # its claim runs out, and somebody tries again
            log.exception("receipts.failed", app_id=lane.app_id, first_seq=call.first_seq)
        finally:
            endpoint.end()
            self._gate.release()
            if not self._closing:
                self.ring(lane.app_id)

    async def _app_of(self, lane: _Lane) -> App | None:
        now = self._clock()
        if lane.read_at is None or now - lane.read_at >= _FRESH:
            lane.app = await stored(lambda: self._apps.get(lane.app_id))
            lane.read_at = now
            url = None if lane.app is None else lane.app.posting_url
            if url != lane.url:  # what is known is known of another address
                lane.url, lane.endpoint = url, Endpoint(random.random)
        return lane.app

    async def _shelve(self, lane: _Lane) -> None:
        """Nowhere to post to: unless that has just changed, what is pending waits no more."""
        lane.read_at = None
        asked_at = self._clock()
        app = await self._app_of(lane)
        if app is None or app.posting_url is None:
            await stored(lambda: self._calls.shelve(lane.app_id, recorded_before=asked_at))

    def _rest(self, lane: _Lane) -> None:
        """Wake up when the endpoint may be called again; forget a lane of which nothing is left."""
        shut_until = lane.endpoint.shut_until
        wait = 0.0 if shut_until is None else (shut_until - self._clock()).total_seconds()
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        if wait > 0 and not self._closing:
            lane.timer = asyncio.get_running_loop().call_later(wait, self.ring, lane.app_id)
        elif lane.endpoint.is_as_new and not lane.is_rung:
            self._lanes.pop(lane.app_id, None)
