"""Flow control: how many provider calls run at once, with slots that only small sends may use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.domain.notifications import Lane

RESERVED_FOR_HI = 0.2  # of the slots


class Slots:
    """Slots of one provider: the lo lane can never take all of them."""

    def __init__(self, total: int) -> None:
        self._all = asyncio.Semaphore(total)
        self._lo = asyncio.Semaphore(max(1, total - round(total * RESERVED_FOR_HI)))

    @asynccontextmanager
    async def take(self, lane: Lane) -> AsyncIterator[None]:
        if lane == "hi":
            async with self._all:
                yield
            return
        async with self._lo, self._all:
            yield
