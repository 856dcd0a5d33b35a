"""Waiting out a database that is away: what was already done in the world must be written down."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from shared.storage.mongo import StorageUnavailable

T = TypeVar("T")


async def stored(call: Callable[[], Awaitable[T]]) -> T:
    """Run a storage call again until the database answers; only cancelling ends it.

    The call must be safe to repeat: its last try may have happened although nobody heard of it.
    """
    async for attempt in stamina.retry_context(
        on=StorageUnavailable, attempts=None, timeout=None, wait_initial=0.1, wait_max=2.0
    ):
        with attempt:
            return await call()
    raise AssertionError("an endless retry has ended")
