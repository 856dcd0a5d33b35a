"""What every adapter promises: an outcome, within the deadline, whatever the provider does."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote

import pytest

from shared.providers.outcomes import (
    Misconfigured,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from shared.providers.registry import Adapters
from tests.contract.conftest import SETUPS, Simulators, Target
from tests.contract.sending import notification, processed, send
from tests.unit.shared.providers.builders import make_pushy_credential, make_webpush_credential


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


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_send_translates_every_refusal(
    adapters: Adapters, target: Target, fresh: Simulators, status: int
) -> None:
    await fresh.script(target.provider, {"kind": "answer", "status": status})

    outcome = await send(adapters, target)

    is_transient = status in {429, 500}
    expected = Unavailable if is_transient else Rejected | Suspect | Misconfigured
    assert isinstance(outcome, expected)


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("apns", "/apns/keys/KEY0000001"),
        ("fcm", "/fcm/projects/example-project"),
        ("pushy", f"/pushy/apps/{quote(make_pushy_credential().api_key, safe='')}"),
    ],
)
async def test_a_credential_that_is_no_more_is_misconfigured(
    adapters: Adapters, fresh: Simulators, provider: str, path: str
) -> None:
    target = await SETUPS[provider](fresh)
    await fresh.call("DELETE", path)

    assert isinstance(await send(adapters, target), Misconfigured)


async def test_another_vapid_key_is_misconfigured_or_suspect(
    adapters: Adapters, fresh: Simulators
) -> None:
    target = replace(await SETUPS["webpush"](fresh), credential=make_webpush_credential())

    assert isinstance(await send(adapters, target), Misconfigured | Suspect)


async def test_credential_of_another_provider_is_misconfigured(
    adapters: Adapters, fresh: Simulators
) -> None:
    apns, fcm = await SETUPS["apns"](fresh), await SETUPS["fcm"](fresh)

    outcome = await adapters.send("apns", notification(), apns.device, fcm.credential)

    assert isinstance(outcome, Misconfigured)
