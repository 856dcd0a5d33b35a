"""What follows from a webhook's answer, and when a call is made again: the pure policy."""

from datetime import datetime

import msgspec

from shared.outbound.webhooks import WebhookAnswer
from shared.providers.retry_after import parse_retry_after
from worker.endpoints import Chance, spread

# Seconds before each further attempt (Standard Webhooks' example schedule, shortened at its end).
WAITS_SECONDS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0)
PAUSE_SECONDS_MAX = 36_000.0  # no endpoint makes us wait longer than the schedule does
GONE = 410
_BUSY = frozenset({429, 502, 503, 504})


class Taken(msgspec.Struct, frozen=True):
    """The endpoint has the receipts."""


class Gone(msgspec.Struct, frozen=True):
    """It wants no call ever again."""


class Failed(msgspec.Struct, frozen=True):
    """To be tried again; `is_busy` ones and those that named a time leave the endpoint alone."""

    problem: str
    is_busy: bool = False
    retry_after: float | None = None


Verdict = Taken | Gone | Failed


def judge(answer: WebhookAnswer, now: datetime) -> Verdict:
    """Only a 2xx is success."""
    if answer.problem is None:
        return Taken()
    if answer.status == GONE:
        return Gone()
    asked = parse_retry_after(answer.headers.get("retry-after"), now)
    return Failed(
        answer.problem,
        is_busy=answer.status in _BUSY or asked is not None,
        retry_after=None if asked is None else min(asked, PAUSE_SECONDS_MAX),
    )


def wait_behind(attempt: int, failed: Failed, chance: Chance) -> float | None:
    """Seconds until the next attempt, never earlier than asked; None when that was the last."""
    if attempt > len(WAITS_SECONDS):
        return None
    return max(spread(WAITS_SECONDS[attempt - 1], chance), failed.retry_after or 0.0)
