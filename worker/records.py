"""Every collection that a worker touches, in one value."""

import msgspec

from shared.clock import Clock
from shared.crypto.keyring import Keyring
from shared.storage.apps import AppRepository
from shared.storage.chunks import ChunkRepository
from shared.storage.credentials import CredentialRepository
from shared.storage.deactivations import DeactivationRepository
from shared.storage.dead_letters import DeadLetterRepository
from shared.storage.deletions import DeletionRepository
from shared.storage.devices import DeviceRepository
from shared.storage.due import DueRepository
from shared.storage.enrolments import EnrolmentRepository
from shared.storage.firings import FiringRepository
from shared.storage.holds import HoldRepository
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import Database
from shared.storage.receipt_attempts import ReceiptAttemptRepository
from shared.storage.receipt_calls import ReceiptCallRepository
from shared.storage.receipts import ReceiptRepository
from shared.storage.sends import SendRepository
from shared.storage.sessions import SessionRepository
from shared.storage.webhooks import WebhookRepository


class Repositories(msgspec.Struct, frozen=True, kw_only=True):
    """Every collection that a worker touches."""

    apps: AppRepository
    chunks: ChunkRepository
    credentials: CredentialRepository
    deactivations: DeactivationRepository
    dead_letters: DeadLetterRepository
    deletions: DeletionRepository
    devices: DeviceRepository
    due: DueRepository
    enrolments: EnrolmentRepository
    firings: FiringRepository
    holds: HoldRepository
    leases: LeaseRepository
    receipt_attempts: ReceiptAttemptRepository
    receipt_calls: ReceiptCallRepository
    receipts: ReceiptRepository
    sends: SendRepository
    sessions: SessionRepository
    webhooks: WebhookRepository


def open_repositories(database: Database, keyring: Keyring, clock: Clock) -> Repositories:
    devices = DeviceRepository(database, keyring, clock)
    return Repositories(
        apps=AppRepository(database, keyring),
        chunks=ChunkRepository(database),
        credentials=CredentialRepository(database, keyring, clock),
        deactivations=DeactivationRepository(database),
        dead_letters=DeadLetterRepository(database),
        deletions=DeletionRepository(database),
        devices=devices,
        due=DueRepository(database, clock),
        enrolments=EnrolmentRepository(database, clock),
        firings=FiringRepository(database),
        holds=HoldRepository(database),
        leases=LeaseRepository(database),
        receipt_attempts=ReceiptAttemptRepository(database),
        receipt_calls=ReceiptCallRepository(database),
        receipts=ReceiptRepository(database, clock),
        sends=SendRepository(database),
        sessions=SessionRepository(database, devices),
        webhooks=WebhookRepository(database),
    )
