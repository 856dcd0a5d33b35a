"""A transport that replaces itself when an origin's connections look wedged.

A connection whose peer stopped answering is still "alive" to libcurl, and every later request on
it times out too. So after several timeouts of one origin the whole pool is swapped; what
is in flight on the old one may finish there.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from shared.outbound.interface import AllowAddress, HttpClient, Response, Timeout
from shared.outbound.stats import TransportStats

TIMEOUTS_IN_A_ROW = 5
RECENT = 50
TIMEOUTS_OF_RECENT = 10  # one wedged connection among healthy ones
_ORIGINS_MAX = 1_000
ROTATIONS_APART_SECONDS = 30.0  # a hanging provider must not become a storm of new connections
_GRACE_SECONDS = 30.0


class Pool(HttpClient, Protocol):
    """What can be swapped."""

    def stats(self) -> TransportStats: ...


class _Trouble:
    """Of an origin that let requests time out lately: whether each of the last ones did."""

    __slots__ = ("in_a_row", "recent")

    def __init__(self) -> None:
        self.in_a_row = 0
        self.recent: deque[bool] = deque(maxlen=RECENT)


class RotatingTransport:
    def __init__(self, create: Callable[[], Pool]) -> None:
        self._create = create
        self._current = create()
        self._trouble: dict[str, _Trouble] = {}
        self._rotated_at = float("-inf")
        self._closing: dict[asyncio.Task[None], Pool] = {}
        self._earlier = TransportStats()
        self._closed = False

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
        if origin in self._trouble:
            self._note_answer(origin)
        return response

    def rotate(self) -> None:
        """Use new connections from now on, unless that was done a moment ago."""
        now = asyncio.get_running_loop().time()
        if self._closed or now - self._rotated_at < ROTATIONS_APART_SECONDS:
            return
        self._rotated_at = now
        old, self._current = self._current, self._create()
        self._trouble.clear()
        task = asyncio.create_task(old.aclose(_GRACE_SECONDS))
        self._closing[task] = old
        task.add_done_callback(self._forget)

    def stats(self) -> TransportStats:
        """Of all its pools since the start."""
        return sum((pool.stats() for pool in self._closing.values()), self._earlier) + (
            self._current.stats()
        )

    async def aclose(self, grace: float = 0.0) -> None:
        """Refuse new requests, give those in flight `grace` seconds, then fail them."""
        self._closed = True
        if self._closing and grace > 0:
            await asyncio.wait(self._closing, timeout=grace)
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._current.aclose(grace)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._earlier += self._closing.pop(task).stats()

    def _count_timeout(self, origin: str) -> None:
        trouble = self._trouble.setdefault(origin, _Trouble())
        trouble.in_a_row += 1
        trouble.recent.append(True)
        if len(self._trouble) > _ORIGINS_MAX:
            del self._trouble[next(iter(self._trouble))]
        if trouble.in_a_row >= TIMEOUTS_IN_A_ROW or sum(trouble.recent) >= TIMEOUTS_OF_RECENT:
            self.rotate()

    def _note_answer(self, origin: str) -> None:
        trouble = self._trouble[origin]
        trouble.in_a_row = 0
        trouble.recent.append(False)
        if True not in trouble.recent:
            del self._trouble[origin]
