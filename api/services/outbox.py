"""The outbox: sends that are on record and that the queue has not confirmed yet."""

import time

from shared.storage.sends import SendRepository

_COUNTED_FOR_SECONDS = 1.0


class Outbox:
    """How much is recorded and not yet confirmed by the queue; counted at most once a second."""

    def __init__(self, sends: SendRepository, *, most: int) -> None:
        self._sends = sends
        self._most = most
        self._count = 0
        self._counted_until = 0.0

    async def is_full(self) -> bool:
        if time.monotonic() >= self._counted_until:
            self._counted_until = time.monotonic() + _COUNTED_FOR_SECONDS
            self._count = await self._sends.count_unpublished()
        return self._count >= self._most
