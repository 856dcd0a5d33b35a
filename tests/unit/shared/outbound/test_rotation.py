"""Rotation: when a pool is swapped, and what happens to the old one."""

import asyncio
from collections.abc import Mapping

import pytest

from shared.outbound.interface import AllowAddress, NotSent, Response, Timeout
from shared.outbound.rotation import TIMEOUTS_IN_A_ROW, TIMEOUTS_OF_RECENT, RotatingTransport
from shared.outbound.stats import TransportStats

OK = Response(200, {}, b"")


class FakeClient:
    def __init__(self) -> None:
        self.answer: Response | Exception = OK
        self.closed: list[float] = []

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
        del method, url, headers, body, timeout, max_response_bytes, allow_address
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def stats(self) -> TransportStats:
        return TransportStats(answered=1)

    async def aclose(self, grace: float = 0.0) -> None:
        self.closed.append(grace)


class Pools:
    def __init__(self) -> None:
        self.made: list[FakeClient] = []

    def __call__(self) -> FakeClient:
        self.made.append(FakeClient())
        return self.made[-1]


async def call(transport: RotatingTransport, url: str = "https://a/x") -> Response:
    return await transport.request("POST", url, {}, timeout=1, max_response_bytes=1)


async def time_out(transport: RotatingTransport, pools: Pools, url: str = "https://a/x") -> None:
    pools.made[-1].answer = Timeout("x", maybe_processed=True)
    with pytest.raises(Timeout):
        await call(transport, url)


async def test_rotates_after_timeouts_in_a_row() -> None:
    pools = Pools()
    transport = RotatingTransport(pools)
    for _ in range(TIMEOUTS_IN_A_ROW):
        await time_out(transport, pools)

    assert await call(transport) == OK
    await asyncio.sleep(0)
    assert len(pools.made) == 2
    assert len(pools.made[0].closed) == 1


async def test_a_success_starts_the_count_afresh() -> None:
    pools = Pools()
    transport = RotatingTransport(pools)
    for _ in range(2):
        for _ in range(TIMEOUTS_IN_A_ROW - 1):
            await time_out(transport, pools)
        pools.made[-1].answer = OK
        await call(transport)

    assert len(pools.made) == 1


async def test_origins_are_counted_apart() -> None:
    pools = Pools()
    transport = RotatingTransport(pools)
    for number in range(TIMEOUTS_IN_A_ROW * 2):
        await time_out(transport, pools, f"https://host{number}/x")

    assert len(pools.made) == 1


async def test_does_not_rotate_twice_within_a_moment() -> None:
    pools = Pools()
    transport = RotatingTransport(pools)
    for _ in range(TIMEOUTS_IN_A_ROW * 4):
        await time_out(transport, pools)
    transport.rotate()

    assert len(pools.made) == 2


async def test_other_failures_do_not_count() -> None:
    pools = Pools()
    transport = RotatingTransport(pools)
    pools.made[0].answer = NotSent("down")
    for _ in range(TIMEOUTS_IN_A_ROW):
        with pytest.raises(NotSent):
            await call(transport)

    assert len(pools.made) == 1


async def test_aclose_closes_the_current_pool() -> None:
    pools = Pools()
    transport = RotatingTransport(pools)
    transport.rotate()

    await transport.aclose()

    assert pools.made[1].closed == [0.0]


async def test_stats_are_of_all_pools_while_one_closes_and_after() -> None:
    transport = RotatingTransport(Pools())
    transport.rotate()
    during = transport.stats()

    await transport.aclose()

    assert (during.answered, transport.stats().answered) == (2, 2)


async def test_a_share_of_timeouts_rotates_too() -> None:
    """One wedged connection among healthy ones: there is always a success in between."""
    pools = Pools()
    transport = RotatingTransport(pools)
    for number in range(TIMEOUTS_OF_RECENT):
        assert len(pools.made) == 1, number
        await time_out(transport, pools)
        for _ in range(3):
            pools.made[-1].answer = OK
            await call(transport)

    assert len(pools.made) == 2


async def test_a_closed_one_does_not_rotate() -> None:
    pools = Pools()
    transport = RotatingTransport(pools)
    await transport.aclose()

    transport.rotate()

    assert len(pools.made) == 1
