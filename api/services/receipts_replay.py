"""Replaying receipts: the calls that hold them are posted again, as new calls."""

from collections.abc import Sequence

import msgspec

from api.errors import NoWebhookError, invalid
from api.services.receipts_limit import take_one
from shared.clock import Clock
from shared.domain.apps import App
from shared.outbound.webhooks import new_webhook_id
from shared.queue import topology
from shared.queue.messages import HookMessage, encode
from shared.queue.publisher import Publication, Publisher
from shared.storage.limits import LimitRepository
from shared.storage.receipt_replays import CallHead, ReceiptReplayRepository, Selection

RECEIPTS_MAX = 10_000
REPLAYS_MAX = 30
_AT_ONCE = 1_000  # calls that are renewed together
_TOO_MANY = f"more than {RECEIPTS_MAX:,} receipts in the calls that hold these"


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """`calls` with `receipts` are posted again; `calls_queued_before` were about to be anyway."""

    calls: int
    receipts: int
    calls_queued_before: int


class Replayer:
    """A call that waits for its first attempt is left alone, so replays do not pile up.

    One that waits for a later attempt is brought forward.
    """

    def __init__(
        self,
        replays: ReceiptReplayRepository,
        limits: LimitRepository,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        self._replays, self._limits = replays, limits
        self._publisher, self._clock = publisher, clock

    async def replay(self, app: App, chosen: Selection) -> Replayed:
        """Post the calls that hold these receipts again; what is not kept is passed over.

        Raises:
            NoWebhookError: there is none, or it is disabled.
            TooManyCallsError: more than 30 replays in a minute.
            ValidationFailedError: more than 10,000 receipts.
        """
        if app.posting_url is None:
            raise NoWebhookError
        await take_one(self._limits, f"replay:{app.app_id}", most=REPLAYS_MAX)
        calls = await self._replays.holding(app.app_id, chosen, limit=RECEIPTS_MAX + 1)
        if sum(call.count for call in calls) > RECEIPTS_MAX:
            raise invalid("#", _TOO_MANY)
        going = [call for call in calls if not call.is_queued]
        for start in range(0, len(going), _AT_ONCE):
            await self._renew(app, going[start : start + _AT_ONCE])
        if calls:
            await self._publisher.publish(_bell(app))  # unconfirmed: the sweeper finds the calls
        return Replayed(
            calls=len(going),
            receipts=sum(call.count for call in going),
            calls_queued_before=len(calls) - len(going),
        )

    async def _renew(self, app: App, calls: Sequence[CallHead]) -> None:
        now = self._clock()
        await self._replays.renew(app.app_id, {new_webhook_id(now): call for call in calls}, now)


def _bell(app: App) -> Publication:
    """What has the calls of an app posted that are due."""
    message = HookMessage(app_id=app.app_id, first_seq=0)
    return Publication(
        exchange=topology.HOOK_WORK, routing_key=topology.HOOK_KEY, body=encode(message)
    )
