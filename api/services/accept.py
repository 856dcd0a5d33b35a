"""Accepting a send: look up, charge, record, publish. What was answered 200 is on record."""

import asyncio
import math
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from api.directory import AppDirectory
from api.errors import AppNotFoundError, QuotaExceededError, UnavailableError
from api.services.outbox import Outbox
from api.services.planning import Request, at_once, build, unschedulable
from shared.clock import Clock
from shared.domain.apps import App
from shared.domain.deliveries import Chunk
from shared.domain.sends import Send
from shared.logs import get_logger
from shared.queue.messages import Pointer
from shared.queue.pointers import Routed, publications
from shared.queue.publisher import Publisher
from shared.storage.devices import DeviceRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.mongo import StorageUnavailable
from shared.storage.quotas import Charge, QuotaRepository
from shared.storage.sends import SendRepository

DAY_SECONDS = 86_400
_log = get_logger("api.accept")


class Allowance(msgspec.Struct, frozen=True):
    """What is left of an app's daily quota, and when all of it is there again."""

    quota: int
    remaining: int
    resets_in_seconds: int


class Accepted(msgspec.Struct, frozen=True):
    """On record: notification i of the send is the request's recipient i.

    `allowance` is None for an app without quota, and when nothing was charged now.
    """

    send_id: UUID
    allowance: Allowance | None = None
    is_replayed: bool = False


class NotEnrolled(msgspec.Struct, frozen=True):
    """Nothing was accepted: these users are not enrolled in the app."""

    user_ids: set[UUID]


class NotSchedulable(msgspec.Struct, frozen=True):
    """Nothing was accepted: these contents name a time that is past or too far ahead."""

    contents: set[int]


Refusal = NotEnrolled | NotSchedulable


class Acceptor:
    """All or nothing: one user who is not enrolled, or one unit too many, fails the request."""

    def __init__(
        self,
        *,
        enrolments: EnrolmentRepository,
        devices: DeviceRepository,
        quotas: QuotaRepository,
        sends: SendRepository,
        outbox: Outbox,
        publisher: Publisher,
        directory: AppDirectory,
        clock: Clock,
    ) -> None:
        self._enrolments = enrolments
        self._devices = devices
        self._quotas = quotas
        self._sends = sends
        self._outbox = outbox
        self._publisher = publisher
        self._directory = directory
        self._clock = clock

    async def accept(
        self, app: App, request: Request, *, claim: UUID | None = None
    ) -> Accepted | Refusal:
        """Record a request and publish it.

        Args:
            app: the calling app.
            request: what to send.
            claim: at most one request is recorded under the same claim.

        Raises:
            QuotaExceededError: more than what is left of today's quota.
            UnavailableError: the outbox is full.
            StorageUnavailable: it may or may not have been recorded.
        """
        now = self._clock()
        request = at_once(request, now)
        if misplaced := unschedulable(request, now):
            return NotSchedulable(misplaced)
        users = request.user_ids()
        enrolled, devices, is_full = await asyncio.gather(
            self._enrolments.enrolled(app.app_id, users),
            self._devices.active_of_users(app.app_id, users),
            self._outbox.is_full(),
        )
        if enrolled != users:
            return NotEnrolled(users - enrolled)
        if is_full:
            raise UnavailableError(wait_seconds=30)
        send, chunks = build(app.app_id, request, devices, now)
        day, allowance = await self._charge(app, len(request.recipients))
        recorded = await self._record(send, chunks, day, claim)
        if recorded != send.send_id:
            return Accepted(recorded, is_replayed=True)
        await self._publish(send, chunks)
        return Accepted(send.send_id, allowance)

    async def _charge(self, app: App, units: int) -> tuple[datetime, Allowance | None]:
        """The UTC day that was charged, and what is left of it."""
        charge = await self._quotas.charge(app.app_id, units, app.daily_quota)
        if not charge.accepted:  # a quota that was raised a moment ago counts
            fresh = await self._directory.look_up(app.app_id)
            if fresh is None:
                raise AppNotFoundError
            app = fresh
            charge = await self._quotas.charge(app.app_id, units, app.daily_quota)
        allowance = self._allowance(app, charge)
        if charge.accepted:
            return charge.day, allowance
        raise QuotaExceededError(
            most=app.daily_quota or 0,
            window_seconds=DAY_SECONDS,
            wait_seconds=allowance.resets_in_seconds if allowance else 1,
            remaining=charge.remaining or 0,
            members={"remaining": charge.remaining or 0},
        )

    def _allowance(self, app: App, charge: Charge) -> Allowance | None:
        if app.daily_quota is None or charge.remaining is None:
            return None
        left = charge.day + timedelta(seconds=DAY_SECONDS) - self._clock()
        resets_in_seconds = max(math.ceil(left.total_seconds()), 1)
        return Allowance(app.daily_quota, charge.remaining, resets_in_seconds)

    async def _record(
        self, send: Send, chunks: list[Chunk], day: datetime, claim: UUID | None
    ) -> UUID:
        """The send that is on record now; give the units back when it is certainly not this one."""
        try:
            is_recorded = await self._sends.insert(send, chunks, claim=claim)
        except StorageUnavailable:
            raise
        except Exception:
            await self._quotas.refund(send.app_id, len(send.recipients), day)
            raise
        if is_recorded or claim is None:
            return send.send_id
        await self._quotas.refund(send.app_id, len(send.recipients), day)
        return await self._sends.of_claim(claim) or send.send_id

    async def _publish(self, send: Send, chunks: list[Chunk]) -> None:
        """Whatever fails here is made good by the sweeper: the send is on record."""
        if not chunks:
            return
        routed = [Routed(Pointer(chunk_id=c.chunk_id), c.provider, send.lane) for c in chunks]
        confirmed = await self._publisher.publish_all(publications(routed))
        if not all(confirmed):
            _log.warning("send.unconfirmed", send_id=str(send.send_id), app_id=str(send.app_id))
            return
        try:
            await self._sends.flag_published([send.send_id])
        except StorageUnavailable:
            _log.warning("send.not_flagged", send_id=str(send.send_id), app_id=str(send.app_id))
