"""Reads a Retry-After field (RFC 9110 §10.2.3): seconds or an HTTP date, garbage ignored."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,10}")
# IMF-fixdate, RFC 850 and asctime: each begins with a day's name, ends in a year or GMT.
_DATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[A-Za-z0-9,: -]{15,30}")


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait from `now` (0 for a date in the past), or None when nothing usable is said.

    Not capped here: the retry policy decides how long a provider may make us wait.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    at = _parse_date(text)
    return None if at is None else max(0.0, (at - now).total_seconds())


def _parse_date(text: str) -> datetime | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
