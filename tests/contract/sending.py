"""One push of a contract test, timed, and what the provider had of it."""

import time
from typing import Any
from uuid import uuid4

from shared.clock import utc_now
from shared.domain.notifications import Notification
from shared.providers.outcomes import Ambiguous, Outcome, Sent, Unavailable
from shared.providers.registry import Adapters
from tests.contract.conftest import TIMEOUT_SECONDS, Simulators, Target
from tests.unit.shared.providers.builders import make_notification

SLACK_SECONDS = 1.0  # two shared cores
TRIES_MAX = 5


def notification(**changes: Any) -> Notification:
    now = utc_now()
    ends = now.replace(year=now.year + 1)
    return make_notification(
        **{"notification_id": uuid4(), "expires_at": ends, "data": '{"a":1}'} | changes
    )


async def send(adapters: Adapters, target: Target, **changes: Any) -> Outcome:
    """Within the deadline, or the test fails."""
    began = time.monotonic()
    outcome = await adapters.send(
        target.provider, notification(**changes), target.device, target.credential
    )
    assert time.monotonic() - began < TIMEOUT_SECONDS + SLACK_SECONDS
    return outcome


async def send_until_sent(adapters: Adapters, target: Target) -> None:
    """At once, as a rule; on a busy machine a first handshake may outlast the short deadline."""
    for _ in range(TRIES_MAX):
        outcome = await send(adapters, target)
        if isinstance(outcome, Sent):
            return
        assert isinstance(outcome, Unavailable | Ambiguous), outcome
        assert "timeout" in outcome.reason, outcome
    raise AssertionError(f"{target.provider} does not recover")


async def processed(simulators: Simulators, target: Target) -> int:
    log = await simulators.log(target.provider)
    return sum(entry["accepted"] for entry in log if entry["device"] == target.device_name)


async def arrived(simulators: Simulators, target: Target) -> int:
    stats = await simulators.call("GET", f"/{target.provider}/stats")
    return int(stats["requests"])
