"""What the routes stand on: collections, services, and the routers made of them."""

from functools import partial

import msgspec
from litestar import Router

from api.auth.guards import Gate
from api.auth.issuer import BuiltInIssuer
from api.auth.mobile import MobileGate
from api.directory import AppDirectory
from api.routes.apps import app_routes, enrolment_routes
from api.routes.config import config_routes
from api.routes.credentials import credential_routes
from api.routes.dead_letters import dead_letter_routes
from api.routes.devices import device_routes
from api.routes.docs import docs_routes
from api.routes.health import health_routes
from api.routes.notifications import notification_routes
from api.routes.pushy import pushy_routes
from api.routes.receipts import receipt_routes, webhook_routes
from api.routes.sends import send_routes
from api.routes.tokens import token_routes
from api.services.accept import Acceptor
from api.services.apps import AppService
from api.services.client_tokens import ClientTokenService
from api.services.config import ConfigService
from api.services.credentials import CredentialService
from api.services.dead_letters import DeadLetterReader
from api.services.devices import DeviceService
from api.services.discarding import Discarder
from api.services.enrolments import EnrolmentService
from api.services.envelopes import EnvelopeKeys
from api.services.health import HealthService
from api.services.listing import NotificationListing
from api.services.notifications import NotificationService
from api.services.outbox import Outbox
from api.services.previewing import Previewer
from api.services.push_tokens import TokenRules
from api.services.pushy_calls import PushyCalls
from api.services.pushy_devices import PushyDeviceService
from api.services.pushy_sends import PushySendService
from api.services.receipts import ReceiptReader
from api.services.receipts_replay import Replayer
from api.services.receipts_webhook import WebhookService
from api.services.sending import Sender
from api.services.verification import CredentialVerifier
from api.settings import ApiSettings
from shared.clock import Clock
from shared.crypto.keyring import Keyring
from shared.outbound.addresses import AddressPolicy
from shared.outbound.transport import Transport
from shared.outbound.webhooks import CONNECT_SECONDS
from shared.providers.registry import create_adapters, create_pushy_api, provider_settings
from shared.queue.publisher import Publisher
from shared.storage.apps import AppRepository
from shared.storage.chunks import ChunkRepository
from shared.storage.credentials import CredentialRepository
from shared.storage.dead_letters import DeadLetterRepository
from shared.storage.deletions import DeletionRepository
from shared.storage.dev_sends import DevSendRepository
from shared.storage.devices import DeviceRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.holds import HoldRepository
from shared.storage.idempotency import IdempotencyRepository
from shared.storage.limits import LimitRepository
from shared.storage.mongo import Database
from shared.storage.quotas import QuotaRepository
from shared.storage.receipt_attempts import ReceiptAttemptRepository
from shared.storage.receipt_feed import ReceiptFeed
from shared.storage.receipt_replays import ReceiptReplayRepository
from shared.storage.sends import SendRepository
from shared.storage.sessions import SessionRepository

TESTS_AT_A_HOST_MAX = 64  # many apps may share one


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """Every collection that the API touches."""

    apps: AppRepository
    chunks: ChunkRepository
    credentials: CredentialRepository
    deletions: DeletionRepository
    dev_sends: DevSendRepository
    devices: DeviceRepository
    enrolments: EnrolmentRepository
    holds: HoldRepository
    idempotency: IdempotencyRepository
    limits: LimitRepository
    quotas: QuotaRepository
    sends: SendRepository
    sessions: SessionRepository


def _open_records(database: Database, keyring: Keyring, clock: Clock) -> Records:
    devices = DeviceRepository(database, keyring, clock)
    return Records(
        apps=AppRepository(database, keyring),
        chunks=ChunkRepository(database),
        credentials=CredentialRepository(database, keyring, clock),
        deletions=DeletionRepository(database),
        dev_sends=DevSendRepository(database, keyring),
        devices=devices,
        enrolments=EnrolmentRepository(database, clock),
        holds=HoldRepository(database),
        idempotency=IdempotencyRepository(database, clock),
        limits=LimitRepository(database, clock),
        quotas=QuotaRepository(database, clock),
        sends=SendRepository(database),
        sessions=SessionRepository(database, devices),
    )


class Parts:
    """What the routes stand on; the services are made with their routes."""

    def __init__(
        self,
        settings: ApiSettings,
        database: Database,
        keyring: Keyring,
        publisher: Publisher,
        *,
        envelopes: EnvelopeKeys,
        clock: Clock,
    ) -> None:
        self._settings, self._keyring, self._clock = settings, keyring, clock
        self._database, self._publisher = database, publisher
        self._envelopes = envelopes
        self._records = records = _open_records(database, keyring, clock)
        self._providers = providers = provider_settings(settings)
        self.directory = AppDirectory(records.apps)
        self.verifier = CredentialVerifier(
            records.credentials, partial(create_adapters, providers, clock), clock
        )
        self.pushy = PushyCalls(records.credentials, partial(create_pushy_api, providers))
        self.webhooks = self._webhooks()

    def routers(self, gate: Gate, builtin: BuiltInIssuer | None) -> list[Router]:
        return [
            *self._app_routers(gate),
            *self._send_routers(gate),
            *self._receipt_routers(gate),
            self._dead_letter_router(gate),
            self._pushy_router(gate),
            *self._token_routers(builtin),
            health_routes(HealthService(self._database, self._publisher, builtin)),
            docs_routes(),
        ]

    def _app_routers(self, gate: Gate) -> list[Router]:
        records, directory, clock = self._records, self.directory, self._clock
        apps = AppService(
            records.apps,
            records.deletions,
            directory=directory,
            keyring=self._keyring,
            clock=clock,
        )
        credentials = CredentialService(
            records.credentials,
            records.apps,
            directory,
            holds=records.holds,
            default_subject=self._settings.api_webpush_subject,
        )
        config = ConfigService(
            apps=records.apps,
            directory=directory,
            credentials=credentials,
            devices=records.devices,
            quotas=records.quotas,
            clock=clock,
            is_local=self._settings.is_local,
        )
        devices = DeviceService(
            records.devices,
            records.enrolments,
            records.limits,
            directory=directory,
            rules=TokenRules(self._settings.webpush_allowed_hosts, self._settings.is_local),
        )
        return [
            app_routes(apps, gate),
            enrolment_routes(EnrolmentService(records.enrolments, records.apps), gate),
            config_routes(config, gate),
            credential_routes(credentials, self.verifier, gate),
            device_routes(devices, gate),
        ]

    def _send_routers(self, gate: Gate) -> list[Router]:
        records, directory, clock = self._records, self.directory, self._clock
        acceptor = Acceptor(
            enrolments=records.enrolments,
            devices=records.devices,
            quotas=records.quotas,
            sends=records.sends,
            outbox=Outbox(records.sends, most=self._settings.api_outbox_max),
            publisher=self._publisher,
            directory=directory,
            clock=clock,
        )
        previewer = Previewer(
            records.devices, records.enrolments, records.credentials, self._providers, clock
        )
        notifications = NotificationService(records.sends, records.chunks, directory, clock)
        listing = NotificationListing(records.sends, records.chunks)
        return [
            send_routes(Sender(acceptor, records.idempotency, records.sends), previewer, gate),
            notification_routes(notifications, listing, gate),
        ]

    def _receipt_routers(self, gate: Gate) -> list[Router]:
        replayer = Replayer(
            ReceiptReplayRepository(self._database),
            self._records.limits,
            self._publisher,
            self._clock,
        )
        reader = ReceiptReader(ReceiptFeed(self._database))
        return [receipt_routes(reader, replayer, gate), webhook_routes(self.webhooks, gate)]

    def _dead_letter_router(self, gate: Gate) -> Router:
        records = self._records
        letters = DeadLetterRepository(self._database)
        reader = DeadLetterReader(letters, records.sends, records.chunks, self.directory)
        discarder = Discarder(letters, self.directory, self._clock)
        return dead_letter_routes(reader, discarder, gate)

    def _webhooks(self) -> WebhookService:
        settings, records = self._settings, self._records
        return WebhookService(
            records.apps,
            ReceiptAttemptRepository(self._database),
            records.limits,
            create=lambda: Transport(
                ca_file=settings.ca_file,
                allow_http=settings.is_local,
                connect_timeout=CONNECT_SECONDS,
                max_connections_per_host=TESTS_AT_A_HOST_MAX,
            ),
            addresses=AddressPolicy(allow_loopback=settings.is_local),
            clock=self._clock,
        )

    def _pushy_router(self, gate: Gate) -> Router:
        records = self._records
        return pushy_routes(
            PushyDeviceService(records.sessions, records.enrolments, self.pushy),
            PushySendService(
                records.sessions, records.dev_sends, records.limits, self.pushy, self._clock
            ),
            self._envelopes,
            MobileGate(gate, self.directory),
        )

    def _token_routers(self, builtin: BuiltInIssuer | None) -> list[Router]:
        if builtin is None:
            return []
        records = self._records
        tokens = ClientTokenService(records.apps, records.limits, builtin, self._keyring)
        return [token_routes(tokens, builtin)]
