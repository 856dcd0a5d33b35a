"""What every adapter promises: an outcome, within the deadline, whatever the provider does."""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import utc_now
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from shared.providers.registry import Adapters
from tests.contract.conftest import SETUPS, TIMEOUT_SECONDS, Simulators, Target
from tests.unit.shared.providers.builders import make_notification

SLACK_SECONDS = 1.0  # two shared cores


def notification(**changes: Any) -> Any:
    now = utc_now()
    ends = now.replace(year=now.year + 1)
    return make_notification(
        **{"notification_id": uuid4(), "expires_at": ends, "data": '{"a":1}'} | changes
    )


async def send(adapters: Adapters, target: Target, **changes: Any) -> Outcome:
    began = time.monotonic()
    outcome = await adapters.send(
        target.provider, notification(**changes), target.device, target.credential
    )
    assert time.monotonic() - began < TIMEOUT_SECONDS + SLACK_SECONDS
    return outcome


async def processed(simulators: Simulators, target: Target) -> int:
    log = await simulators.log(target.provider)
    return sum(entry["accepted"] for entry in log if entry["device"] == target.device_name)


async def test_send_is_sent_with_the_providers_id(
    adapters: Adapters, target: Target, fresh: Simulators
) -> None:
    outcome = await send(adapters, target)

    assert isinstance(outcome, Sent)
    assert outcome.provider_message_id
    assert await processed(fresh, target) == 1


async def test_send_with_ttl_0_is_sent(adapters: Adapters, target: Target) -> None:
    assert isinstance(await send(adapters, target, ttl_seconds=0), Sent)


async def test_send_of_the_largest_content_is_sent(adapters: Adapters, target: Target) -> None:
    data = '{"k":"' + "ü" * 2_044 + '"}'

    outcome = await send(adapters, target, title="é" * 256, body="漢" * 4_096, data=data)

    assert isinstance(outcome, Sent)


async def test_second_send_is_sent_on_the_same_connection(
    adapters: Adapters, target: Target, fresh: Simulators
) -> None:
    await send(adapters, target)

    assert isinstance(await send(adapters, target), Sent)

    assert len({entry["connection"] for entry in await fresh.log(target.provider)}) == 1


async def test_send_to_a_dead_token_says_so(
    adapters: Adapters, target: Target, kill: Callable[[Target], Awaitable[None]]
) -> None:
    await kill(target)

    outcome = await send(adapters, target)

    # A token that Pushy does not know may also mean another app's key.
    assert isinstance(outcome, Suspect if target.provider == "pushy" else Unregistered)


async def test_send_is_unavailable_for_as_long_as_the_provider_says(
    adapters: Adapters, target: Target, fresh: Simulators
) -> None:
    answer = {"kind": "answer", "status": 503, "headers": {"retry-after": "120"}}
    await fresh.script(target.provider, answer)

    outcome = await send(adapters, target)

    assert isinstance(outcome, Unavailable)
    assert outcome.retry_after_seconds == 120.0
    assert not outcome.never_sent


@pytest.mark.parametrize("kind", ["hang", "hang_after"])
async def test_send_is_ambiguous_when_no_answer_comes(
    adapters: Adapters, target: Target, fresh: Simulators, kind: str
) -> None:
    await send(adapters, target)
    await fresh.script(target.provider, {"kind": kind})

    assert await send(adapters, target) == Ambiguous("timeout")


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
async def test_send_is_ambiguous_and_processed_once_when_the_connection_is_cut(
    adapters: Adapters, target: Target, fresh: Simulators, kind: str
) -> None:
    await send(adapters, target)  # so that the connection is a reused one
    before = await processed(fresh, target)
    await fresh.script(target.provider, {"kind": kind}, times=None)

    outcome = await send(adapters, target)

    assert outcome == Ambiguous("connection_lost")
    assert await processed(fresh, target) - before == (kind == "cut_after")


@pytest.mark.parametrize("status", [502, 200])
async def test_send_survives_garbage(
    adapters: Adapters, target: Target, fresh: Simulators, status: int
) -> None:
    await fresh.script(target.provider, {"kind": "garbage", "status": status})

    outcome = await send(adapters, target)

    # Pushy's success is in its body; for the others the status says it.
    success = Ambiguous if target.provider == "pushy" else Sent
    assert isinstance(outcome, success if status == 200 else Unavailable)


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_send_translates_every_refusal(
    adapters: Adapters, target: Target, fresh: Simulators, status: int
) -> None:
    await fresh.script(target.provider, {"kind": "answer", "status": status})

    outcome = await send(adapters, target)

    is_transient = status in {429, 500}
    expected = Unavailable if is_transient else Rejected | Suspect | Misconfigured
    assert isinstance(outcome, expected)


async def test_send_is_unavailable_when_streams_are_always_refused(
    adapters: Adapters, target: Target, fresh: Simulators
) -> None:
    await fresh.script(target.provider, {"kind": "reset", "code": 7}, times=None)

    outcome = await send(adapters, target)

    assert isinstance(outcome, Unavailable)
    assert outcome.never_sent
    assert await processed(fresh, target) == 0


async def test_send_is_sent_when_a_stream_is_refused_once(
    adapters: Adapters, target: Target, fresh: Simulators
) -> None:
    await fresh.script(target.provider, {"kind": "reset", "code": 7})

    assert isinstance(await send(adapters, target), Sent)
    assert await processed(fresh, target) == 1


async def test_wrong_credential_is_misconfigured_or_suspect(
    adapters: Adapters, fresh: Simulators
) -> None:
    for setup in SETUPS.values():
        target = await setup(fresh)
        for simulator, path in (
            ("apns", "/apns/keys/KEY0000001"),
            ("fcm", "/fcm/projects/example-project"),
        ):
            if simulator == target.provider:
                await fresh.call("DELETE", path)
                assert isinstance(await send(adapters, target), Misconfigured)


async def test_credential_of_another_provider_is_misconfigured(
    adapters: Adapters, fresh: Simulators
) -> None:
    apns, fcm = await SETUPS["apns"](fresh), await SETUPS["fcm"](fresh)

    outcome = await adapters.send("apns", notification(), apns.device, fcm.credential)

    assert isinstance(outcome, Misconfigured)
