"""APNs as its connections behave, one test per behaviour seen in the field."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import Clock, utc_now
from shared.providers.apns_tokens import SLOT_SECONDS
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Sent,
    Suspect,
    Unavailable,
)
from shared.providers.registry import Adapters
from tests.integration.providers.conftest import APNS, CreateAdapters, a_notification, an_iphone
from tests.push_certificates import make_push_certificate
from tests.simulated import Running
from tests.unit.shared.providers.builders import make_apns_certificate

Script = Callable[..., Awaitable[Any]]


async def push(adapters: Adapters, token: str = "ab" * 32) -> Outcome:
    return await adapters.send("apns", a_notification(), an_iphone(token), APNS)


async def burst(adapters: Adapters, count: int) -> list[Outcome]:
    return await asyncio.gather(*(push(adapters, f"{n:064x}") for n in range(1, count + 1)))


async def accepted(simulators: Running) -> int:
    """How many devices got their push; none of them twice."""
    got = Counter(e["device"] for e in await simulators.entries("apns") if e["accepted"])
    assert not [device for device, times in got.items() if times > 1]
    return len(got)


async def test_a_cold_burst_waits_for_the_first_success_and_then_uses_the_announced_limit(
    adapters: Adapters, simulators: Running
) -> None:
    await simulators.put("/apns/settings", {"initial_streams": 1, "streams": 20})

    outcomes = await burst(adapters, 100)

    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert await accepted(simulators) == 100
    stats = await simulators.get("/apns/stats")
    assert 1 < stats["max_concurrent_streams"] <= 20
    assert (stats["distinct_jwts"], stats["jwts_per_connection"]) == (1, 1)


async def test_a_limit_that_shrinks_after_a_refusal_costs_nobody_a_second_push(
    adapters: Adapters, simulators: Running, script: Script
) -> None:
    await simulators.put("/apns/settings", {"shrinks_on_403": True})
    await push(adapters)
    await script("apns", {"kind": "answer", "status": 403, "reason": "Forbidden"}, times=3)

    outcomes = await burst(adapters, 100)

    kinds = Counter(type(outcome) for outcome in outcomes)
    waiting = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
    assert kinds[Misconfigured] == 3
    assert all(outcome.never_sent for outcome in waiting)
    assert kinds[Sent] + len(waiting) == 97
    assert await accepted(simulators) == kinds[Sent] + 1


@pytest.mark.parametrize("last", ["this", "before"])
async def test_a_goaway_loses_nothing_and_doubles_nothing(
    adapters: Adapters, simulators: Running, script: Script, last: str
) -> None:
    await push(adapters)
    await script("apns", {"kind": "goaway", "last": last}, skip=10)

    outcomes = await burst(adapters, 50)

    sent = sum(isinstance(outcome, Sent) for outcome in outcomes)
    unsent = [outcome for outcome in outcomes if not isinstance(outcome, Sent)]
    assert all(isinstance(outcome, Unavailable) and outcome.never_sent for outcome in unsent)
    assert await accepted(simulators) == sent + 1
    assert sent >= 45


RST_CODES = [code for code in range(14) if code != 7]  # RFC 9113 §7


@pytest.mark.parametrize("code", RST_CODES)
async def test_a_reset_stream_is_ambiguous_and_not_sent_again(
    adapters: Adapters, simulators: Running, script: Script, code: int
) -> None:
    await push(adapters)
    await script("apns", {"kind": "reset", "code": code})

    assert await push(adapters, "cd" * 32) == Ambiguous("connection_lost")

    assert (await simulators.get("/apns/stats"))["requests"] == 2
    assert isinstance(await push(adapters), Sent)


async def test_a_refused_stream_is_sent_again(
    adapters: Adapters, simulators: Running, script: Script
) -> None:
    await push(adapters)
    await script("apns", {"kind": "reset", "code": 7})

    assert isinstance(await push(adapters, "cd" * 32), Sent)
    assert await accepted(simulators) == 2


async def test_an_answer_that_never_comes_leaves_the_others_alone(
    adapters: Adapters, simulators: Running, script: Script
) -> None:
    await push(adapters)
    await script("apns", {"kind": "hang"}, match={"device": f"{7:064x}"})

    outcomes = await burst(adapters, 30)

    assert outcomes[6] == Ambiguous("timeout")
    assert sum(isinstance(outcome, Sent) for outcome in outcomes) == 29
    assert await accepted(simulators) == 30


@pytest.mark.parametrize("changes", ["missing", "upper"])
async def test_an_answer_is_ours_whatever_became_of_its_apns_id(
    adapters: Adapters, simulators: Running, script: Script, changes: str
) -> None:
    notification, device = a_notification(), an_iphone()
    if changes == "missing":
        await simulators.put("/apns/settings", {"omits_apns_id": True})
    else:
        upper = {"apns-id": "EABEAE54-14A8-11E5-B60B-1697F925EC7B"}
        await script("apns", {"kind": "answer", "status": 200, "headers": upper})

    outcome = await adapters.send("apns", notification, device, APNS)

    assert isinstance(outcome, Sent)
    [entry] = await simulators.entries("apns")
    given = entry["request"]["headers"]["apns-id"]
    expected = given if changes == "missing" else "eabeae54-14a8-11e5-b60b-1697f925ec7b"
    assert outcome.provider_message_id == expected


def late_in_its_slot() -> tuple[Clock, int]:
    """A clock whose token is 2,000 s old, and the most seconds Apple may let a token live then."""
    behind = int(time.time() - 2_000) % SLOT_SECONDS
    return (lambda: utc_now() - timedelta(seconds=behind)), behind + 1_000


async def test_a_wedged_connection_is_left_and_one_new_token_serves_all(
    create: CreateAdapters, simulators: Running
) -> None:
    clock, age_max = late_in_its_slot()
    await simulators.put(
        "/apns/settings", {"token_age_seconds": age_max, "wedges_after_expired": True}
    )
    adapters = create(clock)

    outcomes = await burst(adapters, 200)

    assert Counter(type(outcome) for outcome in outcomes) == {Sent: 200}
    assert await accepted(simulators) == 200
    assert (await simulators.get("/apns/stats"))["distinct_jwts"] == 1


async def test_two_processes_show_one_token(create: CreateAdapters, simulators: Running) -> None:
    await simulators.put("/apns/settings", {"token_refresh_scope": "key"})
    first, second = create(), create()

    outcomes = await asyncio.gather(burst(first, 40), burst(second, 40))

    assert {type(outcome) for outcomes_ in outcomes for outcome in outcomes_} == {Sent}
    stats = await simulators.get("/apns/stats")
    assert stats["connections_opened"] >= 2
    assert stats["distinct_jwts"] == 1


async def test_too_many_token_updates_keep_the_token(
    adapters: Adapters, simulators: Running, script: Script
) -> None:
    await push(adapters)
    action = {"kind": "answer", "status": 429, "reason": "TooManyProviderTokenUpdates"}
    await script("apns", action, times=5)

    outcomes = await burst(adapters, 5)

    assert set(outcomes) == {Unavailable("TooManyProviderTokenUpdates", 300.0, "credential")}
    assert isinstance(await push(adapters), Sent)
    assert (await simulators.get("/apns/stats"))["distinct_jwts"] == 1
    bearers = {e["request"]["headers"]["authorization"] for e in await simulators.entries("apns")}
    assert len(bearers) == 1


async def test_many_bad_tokens_end_a_connection_and_no_other_push(
    adapters: Adapters, simulators: Running
) -> None:
    await simulators.put("/apns/settings", {"bad_tokens_per_connection": 3})
    await push(adapters)

    bad = [await push(adapters, f"bad0{n:060x}") for n in range(9)]

    assert bad == [Suspect("BadDeviceToken")] * 9
    assert isinstance(await push(adapters, "cd" * 32), Sent)


async def test_a_connection_with_a_certificate_starts_with_the_announced_limit(
    adapters: Adapters, simulators: Running
) -> None:
    made = make_push_certificate()
    known = {"certificate_pem": made.certificate, "topics": ["com.example.app"]}
    await simulators.put("/apns/certificates", known)
    credential = make_apns_certificate(
        certificate=made.certificate, private_key=made.private_key, expires_at=made.expires_at
    )

    outcomes = await asyncio.gather(
        *(
            adapters.send("apns", a_notification(), an_iphone(f"{n:064x}"), credential)
            for n in range(50)
        )
    )

    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert await accepted(simulators) == 50
    headers = (await simulators.entries("apns"))[0]["request"]["headers"]
    assert "authorization" not in headers


async def test_a_certificate_that_apple_does_not_know_is_no_fault_of_the_device(
    adapters: Adapters, simulators: Running
) -> None:
    made = make_push_certificate()
    credential = make_apns_certificate(
        certificate=made.certificate, private_key=made.private_key, expires_at=made.expires_at
    )

    outcome = await adapters.send("apns", a_notification(), an_iphone(), credential)

    # TLS 1.3 judges it after the handshake; a reset may take the alert with it.
    assert outcome in {
        Misconfigured("client_certificate_refused"),
        Ambiguous("connection_lost"),
        Unavailable("unreachable", scope="origin", never_sent=True),
    }
    assert await simulators.entries("apns") == []


async def test_a_certificate_that_cannot_be_read_is_misconfigured(adapters: Adapters) -> None:
    outcome = await adapters.send("apns", a_notification(), an_iphone(), make_apns_certificate())

    assert outcome == Misconfigured("client_certificate_refused")


async def test_a_first_answer_that_never_comes_does_not_hold_up_the_others(
    adapters: Adapters, simulators: Running, script: Script
) -> None:
    await script("apns", {"kind": "hang"})

    outcomes = await burst(adapters, 30)

    assert Counter(type(outcome) for outcome in outcomes) == {Sent: 29, Ambiguous: 1}
    assert await accepted(simulators) == 29
