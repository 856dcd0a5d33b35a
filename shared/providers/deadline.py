"""How much of an attempt's time is left, for adapters that make more than one request in it."""

import asyncio

from shared.outbound.interface import Timeout

_LEAST_SHARE = 0.2  # of the whole time: less is no time to hear an answer in
_LEAST_SECONDS = 0.001  # libcurl reads a timeout of 0 as none


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + seconds
        self._least = seconds * _LEAST_SHARE

    def remaining(self) -> float:
        """Seconds left, never less than a millisecond."""
        return max(_LEAST_SECONDS, self._at - self._loop.time())

    def rest(self) -> float:
        """Seconds left for a request whose answer matters.

        Raises:
            Timeout: so few that the request would go out and its answer would not be heard.
        """
        left = self._at - self._loop.time()
        if left < self._least:
            raise Timeout("no time left for a request", maybe_processed=False)
        return left
