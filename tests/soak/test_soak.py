"""Many pushes, every fifth with a fault, over all adapters: nothing grows, nothing is left over.

`SOAK_PUSHES` says how many (`make soak`: 100,000).
"""

import asyncio
import gc
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.clock import utc_now
from shared.domain.devices import PROVIDERS
from shared.providers.outcomes import Misconfigured, Outcome, Sent
from shared.providers.registry import Adapters, create_adapters
from tests.contract.belongings import Belongings, resident_megabytes
from tests.contract.conftest import SETUPS, Simulators, Target, provider_settings_of
from tests.contract.faults import act, answer
from tests.contract.sending import notification
from tests.eventually import eventually

PUSHES = int(os.environ.get("SOAK_PUSHES", "5000"))
CONCURRENT = 40
WARM_UP_SHARE = 5  # the first fifth fills caches and pools
TIMEOUT_SECONDS = 0.5
GROWTH_MEGABYTES_MAX = 12.0
DESCRIPTORS_MORE_MAX = 80  # pools may hold as many connections as they are allowed
HANGS_APART = 400  # each costs its sender the timeout

# A fifth of the pushes, shared out: (one push of how many, what happens to it).
FAULTS: tuple[tuple[int, dict[str, Any]], ...] = (
    (16, answer(503, retry_after="1")),
    (25, answer(429)),
    (40, act("reset", code=7)),
    (50, act("shaped", frame_bytes=1)),
    (60, act("garbage")),
    (60, act("reset", code=8)),
    (100, act("cut_after")),
    (100, act("goaway", last="before")),
    (150, act("cut_before")),
    (150, act("leave", how="fin", is_answered=True)),
    (200, act("leave", is_processed=True)),
    (HANGS_APART, act("hang_after")),
)


@dataclass
class Look:
    """What the process held, now and then."""

    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def take(self) -> None:
        gc.collect()
        self.megabytes.append(resident_megabytes())
        self.descriptors.append(Belongings.now().descriptors)


async def script_faults(simulators: Simulators, provider: str) -> None:
    for every, action in FAULTS:
        await simulators.script(provider, action, times=None, every=every, skip=every // 2)


async def send_all(adapters: Adapters, targets: list[Target], count: int) -> Counter[str]:
    told: Counter[str] = Counter()
    turns: Iterator[Target] = itertools.islice(itertools.cycle(targets), count)

    async def sender() -> None:
        for target in turns:
            outcome = await adapters.send(
                target.provider, notification(), target.device, target.credential
            )
            told[_name(target, outcome)] += 1

    await asyncio.gather(*(sender() for _ in range(CONCURRENT)))
    return told


def _name(target: Target, outcome: Outcome) -> str:
    assert not isinstance(outcome, Misconfigured), (target.provider, outcome)
    reason = getattr(outcome, "reason", "")
    return f"{target.provider} {type(outcome).__name__} {reason}".strip()


async def test_pushes_with_faults_leave_nothing_and_are_processed_once(
    simulators: Simulators,
) -> None:
    await simulators.call("POST", "/reset")
    before = Belongings.now()
    adapters = create_adapters(provider_settings_of(simulators, TIMEOUT_SECONDS), utc_now)
    targets = [await SETUPS[provider](simulators) for provider in PROVIDERS]
    for target in targets:
        assert isinstance(
            await adapters.send(target.provider, notification(), target.device, target.credential),
            Sent,
        )
        await script_faults(simulators, target.provider)
    told, look = Counter[str](), Look()

    for _ in range(WARM_UP_SHARE):
        told += await send_all(adapters, targets, PUSHES // WARM_UP_SHARE)
        look.take()

    await simulators.clear_rules()
    await eventually(simulators.has_no_open_stream, within_seconds=10)
    await adapters.aclose()
    await eventually(before.are_all, within_seconds=10, what="no task, no descriptor")
    stats = [await simulators.call("GET", f"/{one.provider}/stats") for one in targets]
    faults = sum(sum(one["faults"].values()) for one in stats)
    sys.stdout.write(f"{dict(told)} {faults} faults, {look}\n")
    assert told.total() == PUSHES // WARM_UP_SHARE * WARM_UP_SHARE
    assert faults > PUSHES * 0.15
    assert [one["duplicates"] for one in stats] == [0] * len(targets)
    assert look.megabytes[-1] - look.megabytes[0] < GROWTH_MEGABYTES_MAX
    assert look.descriptors[-1] - look.descriptors[0] < DESCRIPTORS_MORE_MAX
