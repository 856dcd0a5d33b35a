"""What every adapter promises: an outcome of a known kind, in time, and nothing twice or left over.

That nothing is left (tasks, descriptors, streams) is checked by the `adapters` fixture, every time.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import format_datetime

import pytest

from shared.clock import utc_now
from shared.domain.devices import Provider
from shared.providers.outcomes import Ambiguous, Sent, Unavailable
from shared.providers.registry import Adapters
from tests.contract.conftest import SETUPS, Simulators, Target
from tests.contract.faults import ALL, FAULTS, Fault, act, answer
from tests.contract.sending import arrived, notification, processed, send, send_until_sent

BURST = 60


@asynccontextmanager
async def suffering(
    simulators: Simulators, provider: Provider, fault: Fault
) -> AsyncIterator[None]:
    """The provider behaves so inside, and well again afterwards."""
    if fault.leave is not None:
        await simulators.call("POST", f"/{provider}/leave", {"how": fault.leave})
    if fault.action is not None:
        await simulators.script(provider, fault.action, times=fault.times)
    if fault.mode is not None:
        await simulators.call("PUT", f"/{provider}/listening", {"mode": fault.mode})
    try:
        yield
    finally:
        await simulators.call("DELETE", f"/{provider}/rules")
        if fault.mode is not None:
            await simulators.call("PUT", f"/{provider}/listening", {"mode": "open"})


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_send_has_an_outcome_and_happens_once_at_most(
    adapters: Adapters, fresh: Simulators, fault: Fault
) -> None:
    """By every provider at once: most of the time is waiting."""
    targets = [await SETUPS[provider](fresh) for provider in fault.providers]

    await asyncio.gather(*(meet(adapters, fresh, target, fault) for target in targets))


async def meet(adapters: Adapters, simulators: Simulators, target: Target, fault: Fault) -> None:
    provider = target.provider
    await send_until_sent(adapters, target)  # token and connection are warm
    arrived_before = await arrived(simulators, target)
    processed_before = await processed(simulators, target)

    async with suffering(simulators, provider, fault):
        outcome = await send(adapters, target)

    told = (provider, outcome)
    assert isinstance(outcome, fault.kinds_for(provider)), told
    assert await processed(simulators, target) - processed_before == fault.processed, told
    assert await arrived(simulators, target) - arrived_before <= fault.arrivals_max, told
    if isinstance(outcome, Unavailable):
        assert outcome.never_sent == fault.never_sent, told
        assert (outcome.retry_after_seconds == 120.0) == fault.retry_after, told
    if fault.recovers:
        await send_until_sent(adapters, target)


@pytest.mark.parametrize("mode", ["refuse", "mute", "no_tls"])
async def test_first_send_is_unavailable_when_nobody_answers(
    adapters: Adapters, fresh: Simulators, mode: str
) -> None:
    fault = next(one for one in FAULTS if one.mode == mode)

    async def first(target: Target) -> None:
        async with suffering(fresh, target.provider, fault):
            outcome = await send(adapters, target)
        assert isinstance(outcome, Unavailable), (target.provider, outcome)
        assert outcome.never_sent
        # FCM's token exchange may take longer than a push, and its next one waits for it.
        if (target.provider, mode) != ("fcm", "mute"):
            await send_until_sent(adapters, target)

    targets = [await SETUPS[provider](fresh) for provider in ALL]
    await asyncio.gather(*map(first, targets))


async def test_send_is_unavailable_until_the_date_that_the_provider_names(
    adapters: Adapters, fresh: Simulators, target: Target
) -> None:
    until = format_datetime(utc_now() + dt.timedelta(seconds=120), usegmt=True)
    await fresh.script(target.provider, answer(429, retry_after=until))

    outcome = await send(adapters, target)

    assert isinstance(outcome, Unavailable)
    assert outcome.retry_after_seconds is not None
    assert 110 < outcome.retry_after_seconds <= 121


@pytest.mark.parametrize(
    ("action", "kinds"),
    [
        (act("goaway"), (Sent,)),
        (act("goaway", last="before"), (Sent, Unavailable)),
        (act("leave", is_processed=True), (Sent, Ambiguous, Unavailable)),
        (act("leave", how="fin", is_processed=True), (Sent, Ambiguous, Unavailable)),
        (act("cut_after"), (Sent, Ambiguous, Unavailable)),
        (act("streams", count=1), (Sent,)),
    ],
    ids=lambda one: "_".join(map(str, one.values())) if isinstance(one, dict) else "",
)
async def test_burst_is_sent_once_each_when_the_connection_suffers_in_its_middle(
    adapters: Adapters,
    fresh: Simulators,
    target: Target,
    action: dict[str, object],
    kinds: tuple[type, ...],
) -> None:
    await send_until_sent(adapters, target)
    before = await processed(fresh, target)
    await fresh.script(target.provider, action, times=1, skip=BURST // 2)

    outcomes = await asyncio.gather(
        *(
            adapters.send(target.provider, notification(), target.device, target.credential)
            for _ in range(BURST)
        )
    )

    told = Counter(type(one).__name__ for one in outcomes)
    assert all(isinstance(one, kinds) for one in outcomes), told
    assert not any(isinstance(one, Unavailable) and not one.never_sent for one in outcomes)
    stats = await fresh.call("GET", f"/{target.provider}/stats")
    assert stats["duplicates"] == 0
    assert (
        told["Sent"] <= await processed(fresh, target) - before <= told["Sent"] + told["Ambiguous"]
    )


async def test_cold_burst_keeps_to_a_limit_of_one_stream_until_it_is_raised(
    adapters: Adapters, fresh: Simulators
) -> None:
    target = await SETUPS["apns"](fresh)
    limits = await fresh.call("GET", "/apns/settings")
    await fresh.call("PUT", "/apns/settings", {"initial_streams": 1, "streams": 1_000})
    try:
        outcomes = await asyncio.gather(
            *(
                adapters.send("apns", notification(), target.device, target.credential)
                for _ in range(BURST)
            )
        )
    finally:
        names = ("initial_streams", "streams")
        await fresh.call("PUT", "/apns/settings", {name: limits[name] for name in names})

    assert Counter(type(one).__name__ for one in outcomes) == {"Sent": BURST}
    stats = await fresh.call("GET", "/apns/stats")
    assert (stats["requests"], stats["accepted"]) == (BURST, BURST)  # none refused, none resent
