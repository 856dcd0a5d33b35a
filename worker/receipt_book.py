"""Recording receipts: numbered, in calls whose bodies are fixed, with a bell rung to post them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from shared.clock import Clock
from shared.domain.apps import App
from shared.domain.receipts import RECEIPTS_PER_CALL_MAX, Receipt
from shared.queue import topology
from shared.queue.messages import HookMessage, encode
from shared.queue.publisher import Publication
from shared.storage.receipts import ReceiptRepository
from worker.coalescing import Coalescer
from worker.patience import stored
from worker.postponing import Postponer


class Told(msgspec.Struct, frozen=True):
    """A receipt, and whether its app had a webhook to post to when it was told."""

    receipt: Receipt
    is_to_be_posted: bool


class ReceiptBook:
    """Gathers receipts per app, so that a busy one gets few calls with many."""

    def __init__(self, receipts: ReceiptRepository, postponer: Postponer, clock: Clock) -> None:
        self._receipts, self._postponer, self._clock = receipts, postponer, clock
        self._gathering: Coalescer[UUID, Told] = Coalescer(self._write, full=RECEIPTS_PER_CALL_MAX)

    async def tell(self, app: App, receipts: Sequence[Receipt]) -> None:
        """Return once the receipts that the app wants are recorded, each of them once."""
        is_to_be_posted = app.posting_url is not None
        wanted = [Told(receipt, is_to_be_posted) for receipt in receipts if is_wanted(app, receipt)]
        if wanted:
            await self._gathering.submit(app.app_id, wanted)

    async def _write(self, app_id: UUID, told: Sequence[Told]) -> None:
        is_to_be_posted = told[-1].is_to_be_posted  # as it was last heard
        receipts = list({one.receipt.id: one.receipt for one in told}.values())
        bells: list[Publication] = []
        for start in range(0, len(receipts), RECEIPTS_PER_CALL_MAX):
            page = receipts[start : start + RECEIPTS_PER_CALL_MAX]
            bells += await self._write_call(app_id, page, is_to_be_posted=is_to_be_posted)
        await self._postponer.send(bells[:1])  # one bell: whoever hears it posts all that is due

    async def _write_call(
        self, app_id: UUID, receipts: Sequence[Receipt], *, is_to_be_posted: bool
    ) -> list[Publication]:
        calls = await stored(
            lambda: self._receipts.append(
                app_id, receipts, self._body, to_be_posted=is_to_be_posted
            )
        )
        return [bell(call.app_id, call.first_seq) for call in calls]

    def _body(self, app_id: UUID, receipts: Sequence[Receipt]) -> bytes:
        return build_body(app_id, receipts, self._clock())


def is_wanted(app: App, receipt: Receipt) -> bool:
    """Whether the app asked for receipts of this kind."""
    if app.receipts == "failures":
        return receipt.state != "sent"
    return app.receipts == "all"


def build_body(app_id: UUID, receipts: Sequence[Receipt], now: datetime) -> bytes:
    """The body of a call (CONTRACT §5); the same bytes are posted at each attempt."""
    data = {"app_id": app_id, "receipts": list(receipts)}
    return msgspec.json.encode({"type": "push.receipts", "timestamp": now, "data": data})


def bell(app_id: UUID, first_seq: int = 0, attempt: int = 1) -> Publication:
    """What has the calls of an app posted that are due; the numbers are for those who debug."""
    message = HookMessage(app_id=app_id, first_seq=first_seq, attempt=attempt)
    return Publication(
        exchange=topology.HOOK_WORK, routing_key=topology.HOOK_KEY, body=encode(message)
    )
