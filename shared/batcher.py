"""Group commit without a timer: what waits at the same moment goes out as one batch.

Callers submit one item and get one verdict. The next batch starts when one returns, so batches
grow by themselves under load, and alone an item waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Overloaded(Exception):
    """Too many callers wait: refused before any work was done."""


class Closed(Exception):
    """The batcher was closed before this item's outcome was known."""


class Batcher(Generic[T, R]):
    """Gathers items for `flush`, which answers each of them with a value or an exception.

    Args:
        flush: gets 1..max_batch items, returns as many verdicts in the same order. What it
            raises is the verdict of the whole batch: the outcome is unknown.
        max_batch: items per batch.
        max_waiting: items that may wait before callers are refused with Overloaded.
        in_flight: batches on their way at once.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        max_batch: int = 256,
        max_waiting: int = 100_000,
        in_flight: int = 1,
    ) -> None:
        self._flush = flush
        self._max_batch, self._max_waiting, self._in_flight = max_batch, max_waiting, in_flight
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._active = 0
        self._closed = False

    async def submit(self, item: T) -> R:
        """The item's verdict. Cancelling the caller does not stop a batch that has started."""
        if self._closed:
            raise Closed
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded
        verdict: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, verdict))
        if self._active < self._in_flight:
            self._active += 1
            task = asyncio.create_task(self._drain())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await verdict

    def _take(self) -> list[tuple[T, asyncio.Future[R]]]:
        batch: list[tuple[T, asyncio.Future[R]]] = []
        while self._waiting and len(batch) < self._max_batch:
            entry = self._waiting.popleft()
            if not entry[1].done():  # its caller left before the work began: skip it
                batch.append(entry)
        return batch

    async def _drain(self) -> None:
        # `_active` falls in the same step that finds the queue empty: counting live tasks
        # instead would lose items that arrive before the done-callback runs.
        try:
            while batch := self._take():
                await self._run(batch)
        except asyncio.CancelledError:
            _fail(list(self._waiting), Closed())
            self._waiting.clear()
            raise
        finally:
            self._active -= 1

    async def _run(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError("flush must answer every item")  # noqa: TRY301 caught below
        except asyncio.CancelledError:
            _fail(batch, Closed())
            raise
        except Exception as error:  # noqa: BLE001 handed to every caller of the batch
            _fail(batch, error)
            return
        for (_, verdict), result in zip(batch, results, strict=True):
            if verdict.done():
                continue
            if isinstance(result, Exception):
                verdict.set_exception(result)
            else:
                verdict.set_result(result)

    async def aclose(self, timeout_seconds: float) -> None:
        """Refuse new items, let what waits finish, cancel what is late."""
        self._closed = True
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=timeout_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _fail(batch: list[tuple[T, asyncio.Future[R]]], error: Exception) -> None:
    for _, verdict in batch:
        if not verdict.done():
            verdict.set_exception(error)
