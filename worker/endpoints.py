"""When an app's webhook may be called, as one process sees it: slots, breaker, pauses.

A slow or failing endpoint costs its own app time and nobody else: while it is shut, its calls stay
in the record, and nothing is done about them until it is time for one probe.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

CALLS_AT_ONCE = 5  # of an endpoint that took its last call quickly; else one at a time
QUICK_SECONDS = 2.0
FAILURES_MAX = 3  # in a row
PROBE_WAITS_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0)
PAUSE_SEEN_FOR = timedelta(seconds=10)  # then the app's document is asked whether it still holds
SPREAD = 0.2  # either way

Chance = Callable[[], float]  # 0 to 1


class Endpoint:
    """Open, or shut until an instant; behind it one call at a time tries whether it works again."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._in_flight = 0
        self._is_quick = False
        self._failures = 0
        self._shuttings = 0
        self._shut_at: datetime | None = None
        self.shut_until: datetime | None = None

    @property
    def is_as_new(self) -> bool:
        """Nothing would be lost by forgetting it."""
        return self._in_flight == 0 and self._failures == 0 and self.shut_until is None

    def may_begin(self, now: datetime) -> bool:
        """Whether one more call may go out."""
        if self.shut_until is None:
            return self._in_flight < (CALLS_AT_ONCE if self._is_quick else 1)
        return self._in_flight == 0 and now >= self.shut_until

    def begin(self) -> None:
        self._in_flight += 1

    def end(self) -> None:
        self._in_flight -= 1

    def taken(self, took_seconds: float) -> bool:
        """A call was taken; whether the endpoint had been shut."""
        self._is_quick = took_seconds <= QUICK_SECONDS
        was_shut = self.shut_until is not None
        self._failures = self._shuttings = 0
        self._shut_at = self.shut_until = None
        return was_shut

    def failed(self, now: datetime, *, began_at: datetime) -> None:
        """A call failed; those that were in flight when it was shut say nothing new."""
        if self._is_old_news(began_at):
            return
        self._is_quick = False
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._shut(now, now + timedelta(seconds=self._next_wait()))

    def pause(self, now: datetime, seconds: float | None, *, began_at: datetime) -> datetime | None:
        """It asked for a pause, of a length of its own or not; until when, if that is news."""
        if seconds is None or seconds < PROBE_WAITS_SECONDS[0]:
            if self._is_old_news(began_at):
                return None
            seconds = self._next_wait()
        until = now + timedelta(seconds=seconds)
        self.pause_until(now, until)
        return until

    def pause_until(self, now: datetime, until: datetime) -> None:
        """No call begins before the instant, if it is near; else somebody is to ask again."""
        seen_until = min(until, now + PAUSE_SEEN_FOR)
        self._shut(now, max(seen_until, self.shut_until or seen_until))

    def _is_old_news(self, began_at: datetime) -> bool:
        return self._shut_at is not None and began_at <= self._shut_at

    def _next_wait(self) -> float:
        nominal = PROBE_WAITS_SECONDS[min(self._shuttings, len(PROBE_WAITS_SECONDS) - 1)]
        self._shuttings += 1
        return spread(nominal, self._chance)

    def _shut(self, now: datetime, until: datetime) -> None:
        self._is_quick = False
        self._shut_at, self.shut_until = now, until


def spread(seconds: float, chance: Chance) -> float:
    """So long, give or take a fifth."""
    return seconds * (1 - SPREAD + 2 * SPREAD * chance())
