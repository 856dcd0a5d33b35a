"""A transport that replaces itself when an origin's connections look wedged.

A connection whose peer stopped answering is still "alive" to libcurl, and every later request on
it times out too. So after several timeouts in a row of one origin the whole pool is swapped; what
is in flight on the old one may finish there.
"""

import asyncio
from collections.abc import Callable, Mapping

from shared.outbound.interface import AllowAddress, HttpClient, Response, Timeout

TIMEOUTS_IN_A_ROW = 5
ROTATIONS_APART_SECONDS = 30.0  # a hanging provider must not become a storm of new connections
_GRACE_SECONDS = 30.0


class RotatingTransport:
    def __init__(self, create: Callable[[], HttpClient]) -> None:
        self._create = create
        self._current = create()
        self._timeouts: dict[str, int] = {}
        self._rotated_at = float("-inf")
        self._closing: set[asyncio.Task[None]] = set()

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        timeout: float,
        max_response_bytes: int,
        allow_address: AllowAddress | None = None,
    ) -> Response:
        used, origin = self._current, url.split("/", 3)[:3][-1]
        try:
            response = await used.request(
                method,
                url,
                headers,
                body,
                timeout=timeout,
                max_response_bytes=max_response_bytes,
                allow_address=allow_address,
            )
        except Timeout:
            if used is self._current:
                self._count_timeout(origin)
            raise
        self._timeouts.pop(origin, None)
        return response

    def rotate(self) -> None:
        """Use new connections from now on, unless that was done a moment ago."""
        now = asyncio.get_running_loop().time()
        if now - self._rotated_at < ROTATIONS_APART_SECONDS:
            return
        self._rotated_at = now
        old, self._current = self._current, self._create()
        self._timeouts.clear()
        task = asyncio.create_task(old.aclose(_GRACE_SECONDS))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self, grace: float = 0.0) -> None:
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._current.aclose(grace)

    def _count_timeout(self, origin: str) -> None:
        count = self._timeouts[origin] = self._timeouts.get(origin, 0) + 1
        if count >= TIMEOUTS_IN_A_ROW:
            self.rotate()
