"""How much of an attempt's time is left, for adapters that make more than one request in it."""

import asyncio

_LEAST_SECONDS = 0.001  # libcurl reads a timeout of 0 as none


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + seconds

    def remaining(self) -> float:
        """Seconds left, never less than a millisecond."""
        return max(_LEAST_SECONDS, self._at - self._loop.time())
