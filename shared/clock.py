"""Time as a value that is passed in: everything here that needs "now" takes a Clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]  # an aware UTC instant


def utc_now() -> datetime:
    """The present instant, cut to milliseconds: what MongoDB stores is what we compare with."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
