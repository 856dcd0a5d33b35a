"""Group commit: everybody gets his own verdict, and nobody is forgotten."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.batcher import Batcher, Closed, Overloaded


class Recorder:
    """A flush that doubles numbers, fails on 13, and can be held back."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def flush(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        await self.gate.wait()
        return [ValueError("13") if item == 13 else item * 2 for item in items]


async def test_what_waits_together_goes_together() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batcher = Batcher(recorder.flush)

    tasks = [asyncio.create_task(batcher.submit(i)) for i in range(5)]
    await asyncio.sleep(0)
    recorder.gate.set()

    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]
    assert [item for batch in recorder.batches for item in batch] == [0, 1, 2, 3, 4]
    assert len(recorder.batches) <= 2


async def test_each_caller_gets_his_own_verdict() -> None:
    batcher = Batcher(Recorder().flush)

    results = await asyncio.gather(
        *(batcher.submit(i) for i in (12, 13, 14)), return_exceptions=True
    )

    assert results[0] == 24
    assert isinstance(results[1], ValueError)
    assert results[2] == 28


async def test_a_failing_flush_is_everybodys_verdict() -> None:
    async def flush(_: Sequence[int]) -> list[int]:
        raise OSError

    batcher: Batcher[int, int] = Batcher(flush)

    results = await asyncio.gather(*(batcher.submit(i) for i in range(3)), return_exceptions=True)

    assert all(isinstance(result, OSError) for result in results)


async def test_a_caller_who_left_before_his_batch_is_skipped() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batcher = Batcher(recorder.flush)
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone = asyncio.create_task(batcher.submit(2))
    stays = asyncio.create_task(batcher.submit(3))
    await asyncio.sleep(0)

    gone.cancel()
    recorder.gate.set()

    assert [await first, await stays] == [2, 6]
    assert recorder.batches == [[1], [3]]


async def test_too_many_waiting_are_refused() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batcher = Batcher(recorder.flush, max_batch=1, max_waiting=1)
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(batcher.submit(2))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await batcher.submit(3)

    recorder.gate.set()
    assert [await first, await second] == [2, 4]


async def test_items_that_arrive_as_a_batch_ends_are_served() -> None:
    batcher = Batcher(Recorder().flush, max_batch=2)

    async def one_after_another(start: int) -> list[int]:
        return [await batcher.submit(start + i) for i in range(50)]

    results = await asyncio.gather(*(one_after_another(n * 100) for n in range(1, 8)))

    assert results == [[(n * 100 + i) * 2 for i in range(50)] for n in range(1, 8)]


async def test_closing_serves_what_waits_and_refuses_what_comes() -> None:
    batcher = Batcher(Recorder().flush)
    waiting = asyncio.create_task(batcher.submit(4))
    await asyncio.sleep(0)

    await batcher.aclose(timeout_seconds=5)

    assert await waiting == 8
    with pytest.raises(Closed):
        await batcher.submit(5)


async def test_closing_fails_what_is_late() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batcher = Batcher(recorder.flush, max_batch=1)
    tasks = [asyncio.create_task(batcher.submit(i)) for i in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    await batcher.aclose(timeout_seconds=0.01)

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, Closed) for result in results)
