"""An app's webhook as its admins see it: what came of calls, and a call to try it."""

from collections.abc import Callable
from uuid import UUID

import msgspec

from api.errors import NoWebhookError
from api.services.receipts_limit import take_one
from shared.clock import Clock
from shared.domain.apps import App
from shared.outbound.addresses import AddressPolicy
from shared.outbound.interface import HttpClient
from shared.outbound.webhooks import WebhookRequest, call_webhook, new_webhook_id
from shared.storage.apps import AppRepository
from shared.storage.limits import LimitRepository
from shared.storage.receipt_attempts import (
    ReceiptAttempt,
    ReceiptAttemptRepository,
    answer_text,
)

TESTS_MAX = 10


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a test event; `problem` is None when the endpoint took it."""

    webhook_id: str
    status: int | None
    problem: str | None
    took_ms: int
    answer: str


class WebhookService:
    """Makes its transport on first use: most API processes never need it."""

    def __init__(
        self,
        apps: AppRepository,
        attempts: ReceiptAttemptRepository,
        limits: LimitRepository,
        *,
        create: Callable[[], HttpClient],
        addresses: AddressPolicy,
        clock: Clock,
    ) -> None:
        self._apps, self._attempts, self._limits = apps, attempts, limits
        self._create, self._addresses, self._clock = create, addresses, clock
        self._transport: HttpClient | None = None

    async def attempts(self, app_id: UUID, *, limit: int) -> list[ReceiptAttempt]:
        """The last attempts, newest first."""
        return await self._attempts.newest(app_id, limit=limit)

    async def test(self, app_id: UUID) -> Tested:
        """Post one signed event of type `push.test` to the present webhook.

        Raises:
            NoWebhookError: the app has no webhook, or no secret because it was never enabled.
            TooManyCallsError: more than ten tests of the app in a minute.
        """
        app = await self._apps.get(app_id)
        if app is None or app.webhook_url is None or not app.webhook_secrets:
            raise NoWebhookError
        await take_one(self._limits, f"webhook:{app_id}", most=TESTS_MAX)
        request = self._event(app, app.webhook_url)
        answer = await call_webhook(self._opened(), self._addresses, request, self._clock())
        return Tested(
            webhook_id=request.webhook_id,
            status=answer.status,
            problem=answer.problem,
            took_ms=answer.took_ms,
            answer=answer_text(answer.body),
        )

    async def aclose(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()

    def _event(self, app: App, url: str) -> WebhookRequest:
        now = self._clock()
        event = {"type": "push.test", "timestamp": now, "data": {"app_id": app.app_id}}
        return WebhookRequest(
            url=url,
            webhook_id=new_webhook_id(now),
            body=msgspec.json.encode(event),
            secrets=app.webhook_secrets,
        )

    def _opened(self) -> HttpClient:
        if self._transport is None:
            self._transport = self._create()
        return self._transport
