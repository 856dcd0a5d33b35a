"""Telling apps which of their devices were deactivated, and why: a receipt for each.

One process of all tells; a receipt has the same id whoever tells it, so it is recorded once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from shared import ids
from shared.domain.receipts import DEACTIVATED, Receipt
from shared.logs import get_logger
from shared.storage.apps import AppRepository
from shared.storage.deactivations import Deactivation, DeactivationRepository, Untold
from shared.storage.leases import LeaseRepository
from shared.storage.mongo import StorageUnavailable
from worker.receipt_book import ReceiptBook

LOOK_SECONDS = 1.0
LEAD_SECONDS = 10
_PAGE = 500

log = get_logger(__name__)


class Deactivations:
    """A loop that does nothing unless it leads."""

    def __init__(
        self,
        leases: LeaseRepository,
        deactivations: DeactivationRepository,
        apps: AppRepository,
        receipts: ReceiptBook,
        *,
        worker_id: str,
    ) -> None:
        self._leases, self._deactivations, self._apps = leases, deactivations, apps
        self._receipts = receipts
        self._worker_id = worker_id

    async def run(self) -> None:
        """Tell what there is to tell, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if await self._leases.acquire(
                    "deactivations", self._worker_id, seconds=LEAD_SECONDS
                ):
                    await self.tell()
            except StorageUnavailable as error:  # the notes are still there
                log.warning("deactivations.waiting", error=str(error))
            except Exception:  # one bad row must not end the worker
                log.exception("deactivations.failed")

    async def tell(self) -> None:
        """Record a receipt for every note, page by page."""
        while page := await self._deactivations.untold(limit=_PAGE):
            by_app: dict[UUID, list[Untold]] = defaultdict(list)
            for device in page:
                by_app[device.app_id].append(device)
            await asyncio.gather(*(self._tell_app(*item) for item in by_app.items()))
            if len(page) < _PAGE:
                return

    async def _tell_app(self, app_id: UUID, devices: list[Untold]) -> None:
        app = await self._apps.get(app_id)
        if app is not None:
            await self._receipts.tell(app, [r for device in devices for r in receipts_of(device)])
        await self._deactivations.told(devices)


def receipts_of(device: Untold) -> Sequence[Receipt]:
    """A receipt for each time that the device was deactivated; `seq` is given later."""
    return [_receipt(device, note) for note in device.deactivations]


def _receipt(device: Untold, note: Deactivation) -> Receipt:
    return Receipt(
        id=ids.deactivation_id(device.device_id, note.at),
        seq=0,
        type=DEACTIVATED,
        notification_id=None,
        user_id=note.user_id,
        device_id=device.device_id,
        platform=note.platform,
        provider=note.provider,
        state="deactivated",
        reason=note.reason,
        attempts=0,
        provider_message_id=None,
        occurred_at=note.at,
    )
