"""One attempt at a webhook call, and what is noted of it."""

import random
from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from shared.clock import Clock
from shared.domain.apps import App, WebhookFault
from shared.domain.receipts import ReceiptCall
from shared.logs import get_logger
from shared.outbound.addresses import AddressPolicy
from shared.outbound.interface import HttpClient
from shared.outbound.webhooks import WebhookAnswer, WebhookRequest, call_webhook
from shared.storage.mongo import StorageUnavailable
from shared.storage.receipt_attempts import ReceiptAttempt, ReceiptAttemptRepository, answer_text
from shared.storage.receipt_calls import ReceiptCallRepository
from shared.storage.webhooks import WebhookRepository
from worker.endpoints import Endpoint
from worker.patience import stored
from worker.postponing import Postponer
from worker.receipt_answers import Failed, Gone, Taken, Verdict, judge, wait_behind
from worker.receipt_book import bell

DISABLED_AFTER = timedelta(days=5)  # of nothing but failures

log = get_logger(__name__)


class PostingRecords(msgspec.Struct, frozen=True, kw_only=True):
    """The collections that posting writes to."""

    calls: ReceiptCallRepository
    attempts: ReceiptAttemptRepository
    webhooks: WebhookRepository


class ReceiptPoster:
    """Works on one claimed call at a time; any number of them may run at once."""

    def __init__(
        self,
        records: PostingRecords,
        *,
        transport: HttpClient,
        addresses: AddressPolicy,
        postponer: Postponer,
        clock: Clock,
    ) -> None:
        self._records, self._postponer, self._clock = records, postponer, clock
        self._transport, self._addresses = transport, addresses

    async def post(self, app: App, url: str, call: ReceiptCall, endpoint: Endpoint) -> bool:
        """Make the call; when this returns, what follows from the answer is safe.

        Returns:
            Whether it was taken; if not, the app's document may say something new.
        """
        began_at = self._clock()
        request = WebhookRequest(
            url=url, webhook_id=call.webhook_id, body=call.body, secrets=app.webhook_secrets
        )
        answer = await call_webhook(self._transport, self._addresses, request, began_at)
        verdict = judge(answer, self._clock())
        was_shut = await self._tell_endpoint(app, endpoint, verdict, answer, began_at)
        await self._settle(app, call, verdict)
        if was_shut:
            await stored(lambda: self._records.calls.hasten(app.app_id, self._clock()))
        await self._write_log(call, answer, began_at)
        return isinstance(verdict, Taken)

    async def _tell_endpoint(
        self,
        app: App,
        endpoint: Endpoint,
        verdict: Verdict,
        answer: WebhookAnswer,
        began_at: datetime,
    ) -> bool:
        """Whether the call found an endpoint working that had been shut."""
        now = self._clock()
        match verdict:
            case Taken():
                return endpoint.taken(answer.took_ms / 1_000)
            case Gone():
                pass
            case Failed(is_busy=True):
                until = endpoint.pause(now, verdict.retry_after, began_at=began_at)
                if until is not None:
                    await stored(lambda: self._records.webhooks.pause(app, until))
            case Failed():
                endpoint.failed(now, began_at=began_at)
            case _:
                assert_never(verdict)
        return False

    async def _settle(self, app: App, call: ReceiptCall, verdict: Verdict) -> None:
        calls = self._records.calls
        match verdict:
            case Taken():
                await stored(lambda: calls.note(call, state="received", next_attempt_at=None))
                if app.webhook_failing_since is not None:
                    await stored(lambda: self._records.webhooks.worked(app))
            case Gone():
                await self._gone(app, call)
            case Failed():
                await self._again(call, verdict)
                await self._count_failure(app)
            case _:
                assert_never(verdict)

    async def _again(self, call: ReceiptCall, failed: Failed) -> None:
        """Only who noted the failure sees to it that somebody looks when it is time."""
        attempt = call.attempts + 1
        wait = wait_behind(attempt, failed, random.random)
        if wait is None:
            await stored(
                lambda: self._records.calls.note(call, state="abandoned", next_attempt_at=None)
            )
            return
        due_at = self._clock() + timedelta(seconds=wait)
        noted = await stored(
            lambda: self._records.calls.note(call, state="pending", next_attempt_at=due_at)
        )
        if noted:
            again = bell(call.app_id, call.first_seq, attempt + 1)
            await self._postponer.postpone_hook(again, wait)

    async def _count_failure(self, app: App) -> None:
        now = self._clock()
        if app.webhook_failing_since is None:
            await stored(lambda: self._records.webhooks.failed(app, now))
        elif now - app.webhook_failing_since >= DISABLED_AFTER:
            await self._disable(app, "failing")

    async def _gone(self, app: App, call: ReceiptCall) -> None:
        """What was said of a webhook that was changed meanwhile is not said of the new one."""
        calls, now = self._records.calls, self._clock()
        if await self._disable(app, "gone"):
            await stored(lambda: calls.note(call, state="unposted", next_attempt_at=None))
        else:
            await stored(lambda: calls.note(call, state="pending", next_attempt_at=now))

    async def _disable(self, app: App, reason: WebhookFault) -> bool:
        now = self._clock()
        disabled = await stored(lambda: self._records.webhooks.disable(app, now, reason))
        if disabled:
            log.error(
                "webhook.disabled",
                app_id=app.app_id,
                reason=reason,
                failing_since=app.webhook_failing_since,
            )
        return disabled

    async def _write_log(self, call: ReceiptCall, answer: WebhookAnswer, at: datetime) -> None:
        """For people: nobody waits for it when the database is away."""
        log.info(
            "receipts.posted",
            app_id=call.app_id,
            first_seq=call.first_seq,
            count=call.count,
            attempt=call.attempts + 1,
            problem=answer.problem,
        )
        row = ReceiptAttempt(
            app_id=call.app_id,
            webhook_id=call.webhook_id,
            first_seq=call.first_seq,
            attempt=call.attempts + 1,
            at=at,
            status=answer.status,
            problem=answer.problem,
            took_ms=answer.took_ms,
            answer=answer_text(answer.body),
        )
        try:
            await self._records.attempts.note(row)
        except StorageUnavailable as error:
            log.debug("receipts.attempt_not_noted", app_id=call.app_id, error=str(error))
