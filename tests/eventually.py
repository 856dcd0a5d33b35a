"""Waiting on conditions with a deadline, instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_LOOK_EVERY_SECONDS = 0.1


async def eventually(
    look: Callable[[], Awaitable[T | None]], *, within_seconds: float = 20.0, what: str = ""
) -> T:
    """The first truthy value that `look` gives, or AssertionError at the deadline."""
    deadline = time.monotonic() + within_seconds
    while True:
        seen = await look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds} s: {what or look}; last: {seen!r}")
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
