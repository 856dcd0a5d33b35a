"""Receipts: recorded with their numbers as deliveries settle, then posted, signed, to the app."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from standardwebhooks import Webhook

from shared.clock import Clock
from shared.domain.apps import App
from shared.domain.receipts import RECEIPTS_PER_CALL_MAX, Receipt, ReceiptCall
from shared.logs import get_logger
from shared.outbound.addresses import AddressPolicy
from shared.outbound.interface import HttpClient, TransportError
from shared.queue import topology
from shared.queue.messages import HookMessage, encode
from shared.queue.publisher import Publication
from shared.storage.apps import AppRepository
from shared.storage.receipts import ReceiptRepository
from worker.patience import stored
from worker.postponing import Postponer

# Seconds before each further attempt (Standard Webhooks' example schedule, shortened at its end).
WAITS_SECONDS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0)
TIMEOUT_SECONDS = 15.0
CALLS_PER_APP_MAX = 5
BUSY_WAIT_SECONDS = 1.0
ANSWER_BYTES_MAX = 16_384
_OK = range(200, 300)

log = get_logger(__name__)


class ReceiptBook:
    """Records receipts and has each call posted."""

    def __init__(self, receipts: ReceiptRepository, postponer: Postponer, clock: Clock) -> None:
        self._receipts, self._postponer, self._clock = receipts, postponer, clock

    async def tell(self, app: App, receipts: Sequence[Receipt]) -> None:
        """Record the receipts that the app wants and that are not recorded yet."""
        wanted = [receipt for receipt in receipts if is_wanted(app, receipt)]
        for start in range(0, len(wanted), RECEIPTS_PER_CALL_MAX):
            await self._record(app, wanted[start : start + RECEIPTS_PER_CALL_MAX])

    async def _record(self, app: App, receipts: Sequence[Receipt]) -> None:
        to_be_posted = app.webhook_url is not None
        calls = await stored(
            lambda: self._receipts.append(
                app.app_id, receipts, self._body, to_be_posted=to_be_posted
            )
        )
        await self._postponer.send([hook_publication(call, attempt=1) for call in calls])

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


def hook_publication(call: ReceiptCall, *, attempt: int) -> Publication:
    message = HookMessage(app_id=call.app_id, first_seq=call.first_seq, attempt=attempt)
    return Publication(
        exchange=topology.HOOK_WORK, routing_key=topology.HOOK_KEY, body=encode(message)
    )


def sign(app: App, call: ReceiptCall, now: datetime) -> dict[str, str]:
    """Standard Webhooks headers: one signature per secret that is still valid, newest first."""
    secrets = [s.secret for s in app.webhook_secrets if s.expires_at is None or s.expires_at > now]
    body = call.body.decode()
    signatures = [Webhook(secret).sign(call.webhook_id, now, body) for secret in secrets]
    return {
        "webhook-id": call.webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
        "content-type": "application/json",
    }


class ReceiptPoster:
    """Makes one attempt at a call and notes what follows."""

    def __init__(
        self,
        receipts: ReceiptRepository,
        apps: AppRepository,
        *,
        transport: HttpClient,
        addresses: AddressPolicy,
        postponer: Postponer,
        clock: Clock,
    ) -> None:
        self._receipts, self._apps, self._postponer = receipts, apps, postponer
        self._transport, self._addresses, self._clock = transport, addresses, clock
        self._busy: Counter[UUID] = Counter()  # calls in flight per app

    async def post(self, message: HookMessage) -> None:
        """Attempt a call unless somebody did already; when this returns the next step is safe."""
        call = await stored(lambda: self._receipts.get(message.app_id, message.first_seq))
        if call is None or call.state != "pending" or call.attempts >= message.attempt:
            return
        app = await stored(lambda: self._apps.get(message.app_id))
        if app is None or app.webhook_url is None:
            await stored(lambda: self._receipts.note(call, state="abandoned", next_attempt_at=None))
            return
        if self._busy[app.app_id] >= CALLS_PER_APP_MAX:  # a slow endpoint delays only its own
            later = hook_publication(call, attempt=message.attempt)
            await self._postponer.postpone_hook(later, BUSY_WAIT_SECONDS)
            return
        self._busy[app.app_id] += 1
        try:
            problem = await self._attempt(app, app.webhook_url, call)
        finally:
            self._busy[app.app_id] -= 1
        await self._settle(call, message.attempt, problem)

    async def _attempt(self, app: App, url: str, call: ReceiptCall) -> str | None:
        """None when the endpoint took the call, else why not."""
        try:
            response = await self._transport.request(
                "POST",
                url,
                sign(app, call, self._clock()),
                call.body,
                timeout=TIMEOUT_SECONDS,
                max_response_bytes=ANSWER_BYTES_MAX,
                allow_address=self._addresses.is_public,
            )
        except TransportError as error:
            return type(error).__name__
        return None if response.status in _OK else f"status {response.status}"

    async def _settle(self, call: ReceiptCall, attempt: int, problem: str | None) -> None:
        log.info(
            "receipts.posted",
            app_id=call.app_id,
            first_seq=call.first_seq,
            count=call.count,
            attempt=attempt,
            problem=problem,
        )
        if problem is None:
            await stored(lambda: self._receipts.note(call, state="received", next_attempt_at=None))
        elif attempt > len(WAITS_SECONDS):
            await stored(lambda: self._receipts.note(call, state="abandoned", next_attempt_at=None))
        else:
            await self._again(call, attempt)

    async def _again(self, call: ReceiptCall, attempt: int) -> None:
        """Only the copy of the message that noted the failure goes on."""
        wait = WAITS_SECONDS[attempt - 1]
        due_at = self._clock() + timedelta(seconds=wait)
        noted = await stored(
            lambda: self._receipts.note(call, state="pending", next_attempt_at=due_at)
        )
        if noted:
            await self._postponer.postpone_hook(hook_publication(call, attempt=attempt + 1), wait)
