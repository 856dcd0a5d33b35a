"""Gathering in time: nobody waits when it is quiet, groups are worth having when it is busy."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.eventually import eventually
from worker import coalescing
from worker.coalescing import WINDOW_SECONDS_MAX, WINDOW_SECONDS_MIN, Coalescer, Pace


class Sink:
    """Keeps what was flushed; each flush takes as long as it is told."""

    def __init__(self, *, full: int = 100) -> None:
        self.flushed: list[list[int]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.coalescer: Coalescer[str, int] = Coalescer(self._flush, full=full)

    async def _flush(self, key: str, items: Sequence[int]) -> None:
        if key == "bad":
            raise ValueError(key)
        self.flushed.append(list(items))
        await self.may_end.wait()

    async def submit(self, *items: int, key: str = "k") -> None:
        await self.coalescer.submit(key, items)


async def test_the_first_goes_at_once_and_what_comes_then_goes_together() -> None:
    sink = Sink()

    await sink.submit(1)
    await asyncio.gather(*(sink.submit(n) for n in range(2, 6)))

    assert sink.flushed == [[1], [2, 3, 4, 5]]


async def test_what_is_submitted_at_the_same_moment_goes_together() -> None:
    sink = Sink()

    await asyncio.gather(*(sink.submit(n, -n) for n in range(1, 4)))

    assert sink.flushed == [[1, -1, 2, -2, 3, -3]]


async def test_a_full_group_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "wait_seconds", lambda *_: 3_600.0)
    sink = Sink(full=3)

    await asyncio.gather(*(sink.submit(n) for n in range(1, 4)))

    assert sink.flushed == [[1, 2, 3]]


async def test_groups_of_one_key_go_one_behind_the_other() -> None:
    sink = Sink(full=1)
    sink.may_end.clear()
    tasks = [asyncio.create_task(sink.submit(1))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(sink.submit(n)) for n in (2, 3)]
    other = asyncio.create_task(sink.submit(9, key="other"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert sorted(sink.flushed) == [[1], [9]]

    sink.may_end.set()
    await asyncio.gather(*tasks, other)

    assert sink.flushed[-1] == [2, 3]


async def test_nobody_is_held_while_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "wait_seconds", lambda *_: 3_600.0)
    monkeypatch.setattr(coalescing, "HELD_MAX", 3)
    sink = Sink()
    held = [asyncio.create_task(sink.submit(n, key=f"k{n}")) for n in range(3)]
    await asyncio.sleep(0)

    await sink.submit(7, key="k7")

    assert sink.flushed == [[7]]
    for task in held:
        task.cancel()


async def test_a_failure_is_everybodys_and_the_next_group_goes_on() -> None:
    sink = Sink()

    failed = await asyncio.gather(
        sink.submit(1, key="bad"), sink.submit(2, key="bad"), return_exceptions=True
    )
    await sink.submit(3)

    assert [type(error) for error in failed] == [ValueError, ValueError]
    assert sink.flushed == [[3]]


async def test_a_key_that_went_quiet_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalescing, "WINDOW_SECONDS_MAX", 0.01)
    sink = Sink()
    await sink.submit(1)

    async def forgotten() -> bool:
        return not sink.coalescer._groups

    await eventually(forgotten)


def test_the_window_grows_while_groups_are_small_and_shrinks_when_it_is_quiet() -> None:
    pace, windows = Pace(), []

    for _ in range(6):
        pace.note(0.0, callers=2, items=2)
        windows.append(pace.window_seconds)
    for _ in range(6):
        pace.note(0.0, callers=1, items=1)

    assert windows == [0.1, 0.2, 0.4, 0.8, WINDOW_SECONDS_MAX, WINDOW_SECONDS_MAX]
    assert pace.window_seconds == WINDOW_SECONDS_MIN


def test_groups_that_are_worth_it_keep_their_window() -> None:
    pace = Pace(window_seconds=0.2)

    pace.note(5.0, callers=25, items=25)

    assert pace.window_seconds == 0.2
    assert pace.wait_seconds(5.15) == pytest.approx(0.05)
