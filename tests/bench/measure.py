"""One contender in a process of its own: CPU, rate and latencies of so many pushes, as JSON."""

import argparse
import asyncio
import math
import resource
import sys
import time

import msgspec
import uvloop

from tests.bench.contenders import CONTENDERS, Push, Target

WARM_UP_SHARE = 10  # a tenth as many pushes before anything counts


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """CPU of this process, all threads, user and system; latencies count the wait for a stream."""

    name: str
    pushes: int
    cpu_us: float
    pushes_per_second: float
    p50_ms: float
    p99_ms: float


async def run(name: str, target: Target, pushes: int, concurrency: int) -> Measured:
    """Raises what the contender raises."""
    async with CONTENDERS[name](target) as push:
        await _push_all(push, max(1, pushes // WARM_UP_SHARE), concurrency)
        cpu, wall = _cpu_seconds(), time.perf_counter()
        took = await _push_all(push, pushes, concurrency)
        cpu, wall = _cpu_seconds() - cpu, time.perf_counter() - wall
    took.sort()
    return Measured(
        name=name,
        pushes=pushes,
        cpu_us=cpu / pushes * 1e6,
        pushes_per_second=pushes / wall,
        p50_ms=_percentile(took, 0.50) * 1e3,
        p99_ms=_percentile(took, 0.99) * 1e3,
    )


async def _push_all(push: Push, pushes: int, concurrency: int) -> list[float]:
    numbers = iter(range(pushes))
    took: list[float] = []

    async def work() -> None:
        for number in numbers:
            began = time.perf_counter()
            await push(number)
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return took


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)]


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(CONTENDERS))
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca-file", required=True)
    parser.add_argument("--pushes", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    given = parser.parse_args()
    target = Target(url=given.url, ca_file=given.ca_file)
    start = uvloop.run if given.name.endswith("fanfare") else asyncio.run  # as each is run
    measured = start(run(given.name, target, given.pushes, given.concurrency))
    sys.stdout.buffer.write(msgspec.json.encode(measured) + b"\n")


if __name__ == "__main__":
    main()
