"""The retry policy, pure and whole: outcome, attempt and clock in, the next step out.

CONTRACT §4 is the table; a new outcome breaks the type check here, where it must be decided.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, assert_never

import msgspec

from shared.domain.deliveries import DeliveryState
from shared.domain.devices import ApnsEnvironment
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)

ATTEMPTS_MAX = 8
LONG_WAITS_SECONDS = (3_600.0, 21_600.0)  # behind the queue's levels, kept as due rows
PARK_SECONDS_MAX = 600.0
JITTER = 0.2  # of a wait that is kept as a due row; the queue's levels have fixed waits

OnDevice = Literal["keep", "deactivate", "suspect"]


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the outcome that the policy looks at.

    `attempt` counts from 1; `spread` is random in [0, 1).
    """

    attempt: int
    now: datetime
    starts_at: datetime
    expires_at: datetime
    is_now_or_never: bool
    is_resent_when_unknown: bool
    sent_again_at_once: bool
    spread: float = 0.5


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery ends in `state`."""

    state: DeliveryState
    reason: str | None = None
    provider_message_id: str | None = None
    cut: tuple[str, ...] = ()
    dead_letter: bool = False
    on_device: OnDevice = "keep"
    invalid_since: datetime | None = None
    apns_environment: ApnsEnvironment | None = None  # found out, worth remembering


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """Another attempt after a wait; a parked delivery has spent none."""

    wait_seconds: float
    reason: str
    spends_attempt: bool = True


class AgainNow(msgspec.Struct, frozen=True):
    """Once more at once: the provider provably did not see the request."""


Step = Settle | Later | AgainNow


class RetryPolicy:
    """Waits are the queue's levels, then one and six hours; eight attempts, never past expiry."""

    def __init__(self, levels_seconds: Sequence[float], *, park_seconds: float) -> None:
        self._levels = tuple(levels_seconds)
        self._park_seconds = park_seconds  # after which a parked delivery first looks again
        longer = tuple(wait for wait in LONG_WAITS_SECONDS if wait > self._levels[-1])
        self._waits = self._levels + longer

    def next_step(self, outcome: Outcome, situation: Situation) -> Step:
        match outcome:
            case Sent():
                return Settle(
                    state="sent",
                    provider_message_id=outcome.provider_message_id,
                    cut=outcome.cut,
                    apns_environment=outcome.apns_environment,
                )
            case Unregistered():
                return Settle(
                    state="unregistered",
                    reason=outcome.reason,
                    on_device="deactivate",
                    invalid_since=outcome.invalid_since,
                )
            case Suspect():
                return Settle(state="rejected", reason=outcome.reason, on_device="suspect")
            case Rejected():
                return Settle(state="rejected", reason=outcome.reason, dead_letter=True)
            case Unavailable():
                return self._unavailable(outcome, situation)
            case Misconfigured():
                return self._parked(outcome.reason, situation)
            case Ambiguous():
                if situation.is_now_or_never or not situation.is_resent_when_unknown:
                    return Settle(state="unknown", reason=outcome.reason)
                return self._later(outcome.reason, 0.0, situation)
            case _:
                assert_never(outcome)

    def _unavailable(self, outcome: Unavailable, situation: Situation) -> Step:
        asked = outcome.retry_after_seconds or 0.0
        if outcome.never_sent and not asked and not situation.sent_again_at_once:
            return AgainNow()
        if situation.is_now_or_never:
            return Settle(state="expired", reason=outcome.reason)
        return self._later(outcome.reason, asked, situation)

    def _later(self, reason: str, asked_seconds: float, situation: Situation) -> Step:
        if situation.attempt >= ATTEMPTS_MAX:
            return Settle(state="exhausted", reason=reason, dead_letter=True)
        wait = self._wait(situation, asked_seconds)
        if situation.now + timedelta(seconds=wait) >= situation.expires_at:
            return Settle(state="expired", reason=reason)
        return Later(wait_seconds=wait, reason=reason)

    def _wait(self, situation: Situation, asked_seconds: float) -> float:
        """The schedule's wait, or the provider's if that is longer; never earlier than asked."""
        base = self._waits[min(situation.attempt, len(self._waits)) - 1]
        if base > self._levels[-1]:
            base *= 1 + JITTER * (2 * situation.spread - 1)
        return max(base, asked_seconds)

    def _parked(self, reason: str, situation: Situation) -> Step:
        """Look again soon at first, then more and more rarely, and for the last time at the end."""
        left = (situation.expires_at - situation.now).total_seconds()
        if left <= 0:
            return Settle(state="expired", reason=reason)
        age = (situation.now - situation.starts_at).total_seconds()
        wait = min(max(self._park_seconds, age / 2), PARK_SECONDS_MAX, left)
        return Later(wait_seconds=wait, reason=reason, spends_attempt=False)
