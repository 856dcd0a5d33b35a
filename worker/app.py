"""Wiring of a worker process; nothing else wires."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from shared.clock import Clock, utc_now
from shared.crypto.keyring import Keyring
from shared.domain.devices import PROVIDERS
from shared.domain.notifications import Lane
from shared.outbound.addresses import AddressPolicy
from shared.outbound.transport import Transport
from shared.outbound.webhooks import CONNECT_SECONDS, TIMEOUT_SECONDS
from shared.providers.pushy_api import PushyApi
from shared.providers.registry import (
    Adapters,
    create_adapters,
    create_pushy_api,
    provider_settings,
)
from shared.queue import topology
from shared.queue.publisher import Publisher
from shared.storage.keys import KeyRepository
from shared.storage.mongo import connect
from worker.consumer import Consumer, Subscription
from worker.credential_notes import CredentialNotes
from worker.deactivations import Deactivations
from worker.delivery import Spine, Tools
from worker.firing import Firings
from worker.flow import Slots
from worker.handlers import DeadHandler, PushHandler, hook_handler
from worker.holding import Holding
from worker.leasing import Leases
from worker.lifecycle import Worker
from worker.loading import Loader
from worker.patience import stored
from worker.postponing import Postponer
from worker.presence import PresenceSweep
from worker.progress import ProgressWriter
from worker.receipt_book import ReceiptBook
from worker.receipt_lanes import CALLS_IN_FLIGHT_MAX, ReceiptLanes
from worker.receipt_poster import PostingRecords, ReceiptPoster
from worker.records import Repositories, open_repositories
from worker.refusals import Refusals
from worker.retry import RetryPolicy
from worker.scheduler import Records, Scheduler
from worker.settings import WorkerSettings
from worker.settlement import Settlement
from worker.token_safety import TokenSafety

HOOK_PREFETCH = 100
DEAD_PREFETCH = 50
LAST_WRITES_SECONDS = 5.0
LO_PREFETCH = 3  # one message may hold 50 chunks of 100 deliveries


@asynccontextmanager
async def create_worker(settings: WorkerSettings, clock: Clock = utc_now) -> AsyncIterator[Worker]:
    """A worker with its connections, which are closed again behind it."""
    worker_id = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    adapters = create_adapters(provider_settings(settings), clock)
    pushy = create_pushy_api(provider_settings(settings))
    hooks_transport = create_hooks_transport(settings)
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
        notes = CredentialNotes(records.credentials, records.due, clock)
        holding = Holding(records.holds, clock)
        spine = create_spine(
            settings,
            records,
            adapters=adapters,
            leases=leases,
            postponer=postponer,
            notes=notes,
            holding=holding,
            clock=clock,
        )
        lanes = create_lanes(settings, records, hooks_transport, postponer, clock)
        scheduler = create_scheduler(settings, records, publisher, clock, worker_id)
        draining = asyncio.Event()
        subscriptions = [
            *_deliver(settings, spine, draining),
            *_hooks(settings, lanes),
            *_dead(settings, spine, records, postponer, clock),
        ]
        background = [leases.keep_renewing, notes.keep_writing, holding.keep_telling]
        if "scheduler" in settings.worker_roles:
            firings = create_firings(records, publisher, clock)
            presence = create_presence(settings, records, pushy, clock)
            deactivations = create_deactivations(records, postponer, clock, worker_id)
            background += [scheduler.run, firings.run, presence.run, deactivations.run]
        try:
            yield Worker(settings, create_consumer(settings, subscriptions, draining), background)
        finally:
            await lanes.aclose(TIMEOUT_SECONDS)
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
    holding: Holding,
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
            devices=records.devices,
            safety=TokenSafety(records.devices, records.credentials, holding, clock),
            progress=ProgressWriter(records.chunks),
            settlement=Settlement(records.chunks, records.dead_letters, receipts, postponer, clock),
            notes=notes,
            refusals=Refusals(
                clock,
                fresh_seconds=settings.worker_park_seconds,
                probe_seconds=2 * settings.provider_timeout_seconds,
            ),
            clock=clock,
        )
    )


def create_hooks_transport(settings: WorkerSettings) -> Transport:
    """One endpoint's connections are bounded by its calls: many apps may share a host."""
    return Transport(
        ca_file=settings.ca_file,
        allow_http=settings.is_local,
        connect_timeout=CONNECT_SECONDS,
        max_connections=CALLS_IN_FLIGHT_MAX,
        max_connections_per_host=CALLS_IN_FLIGHT_MAX,
    )


def create_lanes(
    settings: WorkerSettings,
    records: Repositories,
    transport: Transport,
    postponer: Postponer,
    clock: Clock,
) -> ReceiptLanes:
    poster = ReceiptPoster(
        PostingRecords(
            calls=records.receipt_calls,
            attempts=records.receipt_attempts,
            webhooks=records.webhooks,
        ),
        transport=transport,
        addresses=AddressPolicy(allow_loopback=settings.is_local),
        postponer=postponer,
        clock=clock,
    )
    return ReceiptLanes(records.receipt_calls, records.apps, poster, clock)


def create_deactivations(
    records: Repositories, postponer: Postponer, clock: Clock, worker_id: str
) -> Deactivations:
    return Deactivations(
        records.leases,
        records.deactivations,
        records.apps,
        ReceiptBook(records.receipts, postponer, clock),
        worker_id=worker_id,
    )


def create_scheduler(
    settings: WorkerSettings,
    records: Repositories,
    publisher: Publisher,
    clock: Clock,
    worker_id: str,
) -> Scheduler:
    looked_at = Records(
        credentials=records.credentials,
        deletions=records.deletions,
        leases=records.leases,
        due=records.due,
        sends=records.sends,
        chunks=records.chunks,
        receipt_calls=records.receipt_calls,
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


def _hooks(settings: WorkerSettings, lanes: ReceiptLanes) -> list[Subscription]:
    if "hooks" not in settings.worker_roles:
        return []
    return [Subscription(topology.HOOK_QUEUE, HOOK_PREFETCH, hook_handler(lanes))]


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
