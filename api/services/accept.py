"""Accepting a send: look up, charge, record, publish. What was answered 200 is on record."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from api.directory import AppDirectory
from api.errors import AppNotFoundError, QuotaExceededError, UnavailableError
from shared import ids
from shared.clock import Clock
from shared.domain.apps import App
from shared.domain.deliveries import DELIVERIES_PER_CHUNK_MAX, Chunk, Target
from shared.domain.devices import Provider
from shared.domain.notifications import Content, Lane
from shared.logs import get_logger
from shared.queue.messages import Pointer
from shared.queue.pointers import Routed, publications
from shared.queue.publisher import Publisher
from shared.storage.devices import ActiveDevice, DeviceRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.mongo import StorageUnavailable
from shared.storage.quotas import Charge, QuotaRepository
from shared.storage.sends import Recipient, Send, SendRepository

SMALL_SEND_MAX = 10  # notifications; larger ones wait in the lane `lo`
DAY_SECONDS = 86_400
_COUNTED_FOR_SECONDS = 1.0
_log = get_logger("api.accept")


class Request(msgspec.Struct, frozen=True):
    """What to send: contents, and who gets which of them."""

    contents: tuple[Content, ...]
    recipients: tuple[Recipient, ...]

    @property
    def lane(self) -> Lane:
        return "hi" if len(self.recipients) <= SMALL_SEND_MAX else "lo"

    def user_ids(self) -> set[UUID]:
        return {recipient.user_id for recipient in self.recipients}


class NotEnrolled(msgspec.Struct, frozen=True):
    """Nothing was accepted: these users are not enrolled in the app."""

    user_ids: set[UUID]


class Outbox:
    """How much is recorded and not yet confirmed by the queue; counted at most once a second."""

    def __init__(self, sends: SendRepository, *, most: int) -> None:
        self._sends = sends
        self._most = most
        self._count = 0
        self._counted_until = 0.0

    async def is_full(self) -> bool:
        if time.monotonic() >= self._counted_until:
            self._counted_until = time.monotonic() + _COUNTED_FOR_SECONDS
            self._count = await self._sends.count_unpublished()
        return self._count >= self._most


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

    async def accept(self, app: App, request: Request) -> Send | NotEnrolled:
        """The recorded send; notification i of it is the request's recipient i.

        Raises:
            QuotaExceededError: more than what is left of today's quota.
            UnavailableError: the outbox is full.
            StorageUnavailable: it may or may not have been recorded.
        """
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
        send, chunks = build(app.app_id, request, devices, self._clock)
        charge = await self._charge(app, len(request.recipients))
        await self._record(send, chunks, charge)
        await self._publish(send, chunks)
        return send

    async def _charge(self, app: App, units: int) -> Charge:
        charge = await self._quotas.charge(app.app_id, units, app.daily_quota)
        if not charge.accepted:  # a quota that was raised a moment ago counts
            fresh = await self._directory.look_up(app.app_id)
            if fresh is None:
                raise AppNotFoundError
            app = fresh
            charge = await self._quotas.charge(app.app_id, units, app.daily_quota)
        if charge.accepted:
            return charge
        remaining = charge.remaining or 0
        resets = charge.day + timedelta(seconds=DAY_SECONDS) - self._clock()
        raise QuotaExceededError(
            most=app.daily_quota or 0,
            window_seconds=DAY_SECONDS,
            wait_seconds=max(int(resets.total_seconds()) + 1, 1),
            remaining=remaining,
            members={"remaining": remaining},
        )

    async def _record(self, send: Send, chunks: list[Chunk], charge: Charge) -> None:
        """Give the units back only when it is certain that nothing was recorded."""
        try:
            await self._sends.insert(send, chunks)
        except StorageUnavailable:
            raise
        except Exception:
            await self._quotas.refund(send.app_id, len(send.recipients), charge.day)
            raise

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


def build(
    app_id: UUID, request: Request, devices: Sequence[ActiveDevice], clock: Clock
) -> tuple[Send, list[Chunk]]:
    """The record of a send: chunks of up to 100 deliveries, each of one provider."""
    now = clock()
    send_id = ids.new_send_id(now)
    targets = _targets(request, devices)
    groups = [
        (provider, group[start : start + DELIVERIES_PER_CHUNK_MAX])
        for provider, group in targets.items()
        for start in range(0, len(group), DELIVERIES_PER_CHUNK_MAX)
    ]
    send = Send(
        send_id=send_id,
        app_id=app_id,
        created_at=now,
        contents=request.contents,
        recipients=request.recipients,
        lane=request.lane,
        delivery_count=sum(len(group) for _, group in groups),
        published=not groups,
    )
    chunks = [
        Chunk(
            chunk_id=ids.chunk_id(send_id, index),
            app_id=app_id,
            send_id=send_id,
            provider=provider,
            lane=send.lane,
            targets=tuple(group),
            expires_at=max(send.notification(t.notification).expires_at for t in group),
        )
        for index, (provider, group) in enumerate(groups)
    ]
    return send, chunks


def _targets(request: Request, devices: Sequence[ActiveDevice]) -> dict[Provider, list[Target]]:
    by_user: dict[UUID, list[ActiveDevice]] = defaultdict(list)
    for device in devices:
        by_user[device.user_id].append(device)
    targets: dict[Provider, list[Target]] = defaultdict(list)
    for index, recipient in enumerate(request.recipients):
        for device in by_user[recipient.user_id]:
            targets[device.provider].append(Target(index, device.device_id))
    return targets
