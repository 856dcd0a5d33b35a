"""Wiring of a worker process; nothing else wires."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import msgspec

from shared.clock import Clock, utc_now
from shared.crypto.keyring import Keyring
from shared.domain.devices import PROVIDERS
from shared.domain.notifications import Lane
from shared.outbound.addresses import AddressPolicy
from shared.outbound.transport import Transport
from shared.providers.pushy_api import PushyApi
from shared.providers.registry import (
    Adapters,
    create_adapters,
    create_pushy_api,
    provider_settings,
)
from shared.queue import topology
from shared.queue.publisher import Publisher
from shared.storage.apps import AppRepository
from shared.storage.chunks import ChunkRepository
from shared.storage.credentials import CredentialRepository
from shared.storage.dead_letters import DeadLetterRepository
from shared.storage.deletions import DeletionRepository
from shared.storage.devices import DeviceRepository
from shared.storage.due import DueRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.firings import FiringRepository
from shared.storage.keys import KeyRepository
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import Database, connect
from shared.storage.receipts import ReceiptRepository
from shared.storage.sends import SendRepository
from shared.storage.sessions import SessionRepository
from worker.consumer import Consumer, Subscription
from worker.credential_notes import CredentialNotes
from worker.delivery import Spine, Tools
from worker.firing import Firings
from worker.flow import Slots
from worker.handlers import DeadHandler, PushHandler, hook_handler
from worker.leasing import Leases
from worker.lifecycle import Worker
from worker.loading import Loader
from worker.patience import stored
from worker.postponing import Postponer
from worker.presence import PresenceSweep
from worker.progress import ProgressWriter
from worker.receipts import ReceiptBook, ReceiptPoster
from worker.retry import RetryPolicy
from worker.scheduler import Records, Scheduler
from worker.settings import WorkerSettings
from worker.settlement import Settlement
from worker.token_safety import TokenSafety

HOOK_PREFETCH = 100
DEAD_PREFETCH = 50
LAST_WRITES_SECONDS = 5.0
LO_PREFETCH = 3  # one message may hold 50 chunks of 100 deliveries


class Repositories(msgspec.Struct, frozen=True, kw_only=True):
    """Every collection that a worker touches."""

    apps: AppRepository
    chunks: ChunkRepository
    credentials: CredentialRepository
    dead_letters: DeadLetterRepository
    deletions: DeletionRepository
    devices: DeviceRepository
    due: DueRepository
    enrolments: EnrolmentRepository
    firings: FiringRepository
    leases: LeaseRepository
    receipts: ReceiptRepository
    sends: SendRepository
    sessions: SessionRepository


def open_repositories(database: Database, keyring: Keyring, clock: Clock) -> Repositories:
    devices = DeviceRepository(database, keyring, clock)
    return Repositories(
        apps=AppRepository(database, keyring),
        chunks=ChunkRepository(database),
        credentials=CredentialRepository(database, keyring, clock),
        dead_letters=DeadLetterRepository(database),
        deletions=DeletionRepository(database),
        devices=devices,
        due=DueRepository(database, clock),
        enrolments=EnrolmentRepository(database, clock),
        firings=FiringRepository(database),
        leases=LeaseRepository(database),
        receipts=ReceiptRepository(database, clock),
        sends=SendRepository(database),
        sessions=SessionRepository(database, devices),
    )


@asynccontextmanager
async def create_worker(settings: WorkerSettings, clock: Clock = utc_now) -> AsyncIterator[Worker]:
    """A worker with its connections, which are closed again behind it."""
    worker_id = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    adapters = create_adapters(provider_settings(settings), clock)
    pushy = create_pushy_api(provider_settings(settings))
    hooks_transport = Transport(ca_file=settings.ca_file, allow_http=settings.is_local)
    publisher = Publisher(settings.amqp_url, name="fanfare worker, publisher")
    async with connect(settings) as database:
        keyring = Keyring.from_settings(settings)
        await stored(KeyRepository(database, keyring, clock).check_ring)
        records = open_repositories(database, keyring, clock)
        postponer = Postponer(
            publisher,
            records.due,
            clock,
            retry_levels=settings.retry_levels_seconds,
            hook_levels=settings.hook_levels_seconds,
        )
        leases = Leases(records.chunks, worker_id)
        notes = CredentialNotes(records.credentials, clock)
        spine = create_spine(
            settings,
            records,
            adapters=adapters,
            leases=leases,
            postponer=postponer,
            notes=notes,
            clock=clock,
        )
        poster = ReceiptPoster(
            records.receipts,
            records.apps,
            transport=hooks_transport,
            addresses=AddressPolicy(allow_loopback=settings.is_local),
            postponer=postponer,
            clock=clock,
        )
        scheduler = create_scheduler(settings, records, publisher, clock, worker_id)
        draining = asyncio.Event()
        subscriptions = [
            *_deliver(settings, spine, draining),
            *_hooks(settings, poster),
            *_dead(settings, spine, records, postponer, clock),
        ]
        background = [leases.keep_renewing, notes.keep_writing]
        if "scheduler" in settings.worker_roles:
            firings = create_firings(records, publisher, clock)
            presence = create_presence(settings, records, pushy, clock)
            background += [scheduler.run, firings.run, presence.run]
        try:
            yield Worker(settings, create_consumer(settings, subscriptions, draining), background)
        finally:
            await spine.aclose(LAST_WRITES_SECONDS)
            await scheduler.aclose()
            await publisher.aclose()
            await hooks_transport.aclose()
            await pushy.aclose()
            await adapters.aclose()


def create_consumer(
    settings: WorkerSettings, subscriptions: list[Subscription], draining: asyncio.Event
) -> Consumer:
    wanted = topology.topology(settings.retry_levels_seconds, settings.hook_levels_seconds)
    return Consumer(settings.amqp_url, wanted, subscriptions, draining=draining)


def create_spine(
    settings: WorkerSettings,
    records: Repositories,
    *,
    adapters: Adapters,
    leases: Leases,
    postponer: Postponer,
    notes: CredentialNotes,
    clock: Clock,
) -> Spine:
    receipts = ReceiptBook(records.receipts, postponer, clock)
    return Spine(
        Tools(
            leases=leases,
            loader=Loader(records.sends, records.devices, records.apps, records.credentials, clock),
            adapters=adapters,
            slots={p: Slots(settings.worker_concurrency) for p in PROVIDERS},
            policy=RetryPolicy(
                settings.retry_levels_seconds, park_seconds=settings.worker_park_seconds
            ),
            safety=TokenSafety(records.devices, clock),
            progress=ProgressWriter(records.chunks),
            settlement=Settlement(records.chunks, records.dead_letters, receipts, postponer, clock),
            notes=notes,
            clock=clock,
        )
    )


def create_scheduler(
    settings: WorkerSettings,
    records: Repositories,
    publisher: Publisher,
    clock: Clock,
    worker_id: str,
) -> Scheduler:
    looked_at = Records(
        deletions=records.deletions,
        leases=records.leases,
        due=records.due,
        sends=records.sends,
        chunks=records.chunks,
        receipts=records.receipts,
    )
    return Scheduler(
        looked_at,
        publisher,
        clock,
        worker_id=worker_id,
        sweep_after_seconds=settings.worker_sweep_after_seconds,
    )


def create_firings(records: Repositories, publisher: Publisher, clock: Clock) -> Firings:
    return Firings(
        records.firings,
        records.sends,
        records.devices,
        records.enrolments,
        publisher=publisher,
        clock=clock,
    )


def create_presence(
    settings: WorkerSettings, records: Repositories, pushy: PushyApi, clock: Clock
) -> PresenceSweep:
    return PresenceSweep(
        records.leases,
        records.credentials,
        records.sessions,
        pushy=pushy,
        clock=clock,
        every_seconds=settings.worker_presence_seconds,
    )


def _deliver(settings: WorkerSettings, spine: Spine, draining: asyncio.Event) -> list[Subscription]:
    if "deliver" not in settings.worker_roles:
        return []
    prefetch: dict[Lane, int] = {
        "hi": settings.worker_prefetch,
        "lo": min(LO_PREFETCH, settings.worker_prefetch),
    }
    lanes = [
        Subscription(
            topology.work_queue(provider, lane),
            prefetch[lane],
            PushHandler(spine, draining, lane).handle,
        )
        for provider in settings.worker_providers
        for lane in topology.LANES
    ]
    suspects = PushHandler(spine, draining, "lo").handle
    return [*lanes, Subscription(topology.SUSPECT_QUEUE, 1, suspects)]


def _hooks(settings: WorkerSettings, poster: ReceiptPoster) -> list[Subscription]:
    if "hooks" not in settings.worker_roles:
        return []
    return [Subscription(topology.HOOK_QUEUE, HOOK_PREFETCH, hook_handler(poster))]


def _dead(
    settings: WorkerSettings,
    spine: Spine,
    records: Repositories,
    postponer: Postponer,
    clock: Clock,
) -> list[Subscription]:
    if "scheduler" not in settings.worker_roles:
        return []
    handler = DeadHandler(spine, records.dead_letters, postponer, clock)
    return [Subscription(topology.DEAD_QUEUE, DEAD_PREFETCH, handler.handle)]
