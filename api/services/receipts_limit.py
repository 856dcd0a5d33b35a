"""How often an app may have its webhook called on demand."""

import math
from datetime import timedelta

from api.errors import TooManyCallsError
from shared.storage.limits import LimitRepository

WINDOW_SECONDS = 60


async def take_one(limits: LimitRepository, key: str, *, most: int) -> None:
    """Take one of so many calls that a key has in a minute.

    Raises:
        TooManyCallsError: none is left.
    """
    window = await limits.try_call(key, most=most, window=timedelta(seconds=WINDOW_SECONDS))
    if not window.is_taken:
        raise TooManyCallsError(
            most=most,
            window_seconds=WINDOW_SECONDS,
            wait_seconds=math.ceil(window.frees_seconds),
        )
