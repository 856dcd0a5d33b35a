"""FCM and Google's OAuth over real sockets: one token for all, lanes for limits, 100 streams."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pytest

from shared.clock import utc_now
from shared.domain.devices import Platform
from shared.providers.outcomes import Misconfigured, Outcome, Sent, Unavailable
from shared.providers.registry import Adapters, Probe
from tests.eventually import eventually
from tests.integration.providers.conftest import FCM, CreateAdapters, a_notification, an_android
from tests.simulated import Running


class Clock:
    """The real one, put forward."""

    def __init__(self) -> None:
        self.forward = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.forward


async def push(adapters: Adapters, token: str = "fcm-token-1") -> Outcome:
    return await adapters.send("fcm", a_notification(), an_android(token), FCM)


async def burst(adapters: Adapters, count: int) -> list[Outcome]:
    return await asyncio.gather(*(push(adapters, f"token-{n}") for n in range(count)))


async def token_requests(simulators: Running) -> int:
    return int((await simulators.get("/fcm/stats"))["token_requests"])


async def test_a_cold_burst_buys_one_token_and_stays_within_100_streams(
    adapters: Adapters, simulators: Running
) -> None:
    outcomes = await burst(adapters, 300)

    assert Counter(type(outcome) for outcome in outcomes) == {Sent: 300}
    stats = await simulators.get("/fcm/stats")
    assert stats["token_requests"] == 1
    assert stats["max_concurrent_streams"] <= 100
    got = Counter(entry["device"] for entry in await simulators.entries("fcm"))
    assert set(got.values()) == {1}


async def test_fifty_refusals_of_a_token_make_one_refresh(
    create: CreateAdapters, simulators: Running
) -> None:
    clock = Clock()
    adapters = create(clock)
    await push(adapters)
    await simulators.admin.delete("/fcm/bearers")
    clock.forward = timedelta(minutes=2)  # Google does not take back what it has just given

    outcomes = await burst(adapters, 50)

    assert Counter(type(outcome) for outcome in outcomes) == {Sent: 50}
    assert await token_requests(simulators) == 2


async def test_a_token_near_its_end_is_replaced_once_while_the_old_one_serves(
    create: CreateAdapters, simulators: Running
) -> None:
    clock = Clock()
    adapters = create(clock)
    await push(adapters)
    clock.forward = timedelta(seconds=3_599 - 299)

    outcomes = await burst(adapters, 50)

    assert Counter(type(outcome) for outcome in outcomes) == {Sent: 50}

    async def refreshed() -> bool:
        return await token_requests(simulators) == 2

    assert await eventually(refreshed)
    await burst(adapters, 10)
    assert await token_requests(simulators) == 2


async def test_an_outage_of_the_token_endpoint_is_not_noticed_while_a_token_lives(
    create: CreateAdapters, simulators: Running
) -> None:
    clock = Clock()
    adapters = create(clock)
    await push(adapters)
    await simulators.put("/fcm/oauth", {"status": 503})
    clock.forward = timedelta(seconds=3_599 - 299)

    outcomes = await burst(adapters, 20)

    assert Counter(type(outcome) for outcome in outcomes) == {Sent: 20}


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"status": 503}, Unavailable("oauth_http_503", None, "credential", never_sent=True)),
        ({"status": 429}, Unavailable("oauth_http_429", None, "credential", never_sent=True)),
        ({"status": 400, "error": "invalid_grant"}, Misconfigured("oauth_invalid_grant")),
        ({"status": 401, "error": "invalid_client"}, Misconfigured("oauth_invalid_client")),
    ],
)
async def test_without_a_token_nothing_is_sent(
    adapters: Adapters, simulators: Running, knobs: dict[str, object], expected: Outcome
) -> None:
    await simulators.put("/fcm/oauth", knobs)

    assert set(await burst(adapters, 20)) == {expected}

    assert await simulators.entries("fcm") == []


async def test_a_project_over_its_limit_waits_as_a_project(
    adapters: Adapters, simulators: Running
) -> None:
    await simulators.put("/fcm/settings", {"project_per_minute": 5})

    outcomes = [await push(adapters, f"token-{n}") for n in range(12)]  # a minute may end within

    refused = {outcome for outcome in outcomes if not isinstance(outcome, Sent)}
    assert refused == {Unavailable("RESOURCE_EXHAUSTED", 60.0, "project")}


@pytest.mark.parametrize("knob", ["device_per_minute", "device_per_hour"])
async def test_a_device_over_its_limit_waits_alone(
    adapters: Adapters, simulators: Running, knob: str
) -> None:
    await simulators.put("/fcm/settings", {knob: 5})

    outcomes = [await push(adapters) for _ in range(12)]

    refused = {outcome for outcome in outcomes if not isinstance(outcome, Sent)}
    assert refused == {Unavailable("QUOTA_EXCEEDED", 60.0, "device")}
    assert isinstance(await push(adapters, "another"), Sent)


@pytest.mark.parametrize("platform", ["android", "ios", "web"])
async def test_every_option_is_a_message_that_google_takes(
    adapters: Adapters, simulators: Running, platform: Platform
) -> None:
    notification = a_notification(
        data='{"from":"x","n":1,"o":{"a":[1]}}',
        badge=3,
        sound="ping",
        image="https://example.com/i.png",
        click_action="https://example.com/",
        category="c",
        thread_id="t",
        mutable_content=True,
        collapse_key="k",
        priority="normal",
    )

    outcome = await adapters.send("fcm", notification, an_android(platform=platform), FCM)

    assert isinstance(outcome, Sent)
    [entry] = await simulators.entries("fcm")
    assert entry["accepted"]


async def test_a_dry_run_reaches_nobody(adapters: Adapters, simulators: Running) -> None:
    outcome = await adapters.verify("fcm", Probe(a_notification(), an_android()), FCM)

    assert isinstance(outcome, Sent)
    assert (await simulators.get("/fcm/stats"))["accepted"] == 0
