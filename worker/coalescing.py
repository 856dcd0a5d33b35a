"""Gathering what belongs together in time: at once when it is quiet, in groups when it is busy.

Unlike a Batcher this one waits: what comes within a window goes out together. The window is as long
as it takes to gather a group worth having, and no longer; nobody waits while a group is full, or
while so many wait in all that waiting itself would slow the process down.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

import msgspec

WINDOW_SECONDS_MIN = 0.05
WINDOW_SECONDS_MAX = 1.0
WORTHWHILE = 20  # items; what gathers less in a window gets a longer one
HELD_MAX = 100  # callers that wait for others to come

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Pace(msgspec.Struct):
    """How long the next group waits behind the one before."""

    window_seconds: float = WINDOW_SECONDS_MIN
    went_at: float = float("-inf")

    def wait_seconds(self, now: float) -> float:
        return self.went_at + self.window_seconds - now

    def note(self, now: float, *, callers: int, items: int) -> None:
        """A group went out."""
        self.went_at = now
        if callers > 1 and items < WORTHWHILE:
            self.window_seconds = min(self.window_seconds * 2, WINDOW_SECONDS_MAX)
        elif callers == 1 or items > 2 * WORTHWHILE:
            self.window_seconds = max(self.window_seconds / 2, WINDOW_SECONDS_MIN)


class _Group(Generic[T]):
    def __init__(self) -> None:
        self.items: list[T] = []
        self.callers: list[asyncio.Future[None]] = []
        self.pace = Pace()
        self.is_going = False
        self.timer: asyncio.TimerHandle | None = None


class Coalescer(Generic[K, T]):
    """`flush` gets a key and everything that has gathered under it; one at a time per key."""

    def __init__(self, flush: Callable[[K, Sequence[T]], Awaitable[None]], *, full: int) -> None:
        self._flush, self._full = flush, full
        self._groups: dict[K, _Group[T]] = {}
        self._held = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, key: K, items: Sequence[T]) -> None:
        """Return once the items have been flushed; raises what the flush raised."""
        group = self._groups.setdefault(key, _Group())
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        group.items += items
        group.callers.append(done)
        self._held += 1
        self._look(key, group)
        await done

    def _look(self, key: K, group: _Group[T]) -> None:
        """Let a group go if it is time, else see to it that somebody looks again."""
        if group.is_going or not group.callers:
            return
        loop = asyncio.get_running_loop()
        wait = group.pace.wait_seconds(loop.time())
        if wait <= 0 or len(group.items) >= self._full or self._held > HELD_MAX:
            group.is_going = True
            task = asyncio.create_task(self._go(key, group))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif group.timer is None:
            group.timer = loop.call_later(wait, self._wake, key, group)

    def _wake(self, key: K, group: _Group[T]) -> None:
        group.timer = None
        self._look(key, group)

    async def _go(self, key: K, group: _Group[T]) -> None:
        items, group.items = group.items, []
        callers, group.callers = group.callers, []
        self._held -= len(callers)
        loop = asyncio.get_running_loop()
        group.pace.note(loop.time(), callers=len(callers), items=len(items))
        try:
            await self._flush(key, items)
        except Exception as error:  # noqa: BLE001 handed to every caller of the group
            _answer(callers, error)
        else:
            _answer(callers, None)
        finally:
            group.is_going = False
            self._look(key, group)
            loop.call_later(WINDOW_SECONDS_MAX, self._forget, key, group)

    def _forget(self, key: K, group: _Group[T]) -> None:
        """Of a key that went quiet nothing is kept."""
        age = asyncio.get_running_loop().time() - group.pace.went_at
        if not group.callers and not group.is_going and age >= WINDOW_SECONDS_MAX:
            self._groups.pop(key, None)


def _answer(callers: Sequence[asyncio.Future[None]], error: Exception | None) -> None:
    for caller in callers:
        if caller.done():
            continue  # it left
        if error is None:
            caller.set_result(None)
        else:
            caller.set_exception(error)
