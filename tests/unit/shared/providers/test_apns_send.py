"""APNs adapter: hosts, the token's renewal, and failures as outcomes."""

from datetime import datetime
from typing import Any, cast

import pytest

from shared.outbound.interface import NotSent
from shared.outbound.rotation import RotatingTransport
from shared.providers.apns import ApnsAdapter
from shared.providers.apns_pool import TeamTransports
from shared.providers.apns_tokens import SLOT_SECONDS
from shared.providers.outcomes import Misconfigured, Sent, Unavailable
from tests.unit.shared.providers.builders import (
    NOW,
    make_apns_credential,
    make_device,
    make_notification,
)
from tests.unit.shared.providers.fake_http import Answer, FakeHttp, json_response

OK = json_response(200)
EXPIRED = json_response(403, {"reason": "ExpiredProviderToken"})
OLD_ENOUGH = datetime.fromtimestamp(SLOT_SECONDS * 600_000 + 1_500, NOW.tzinfo)
TOO_YOUNG = datetime.fromtimestamp(SLOT_SECONDS * 600_000 + 60, NOW.tzinfo)


def make_adapter(*answers: Answer, now: datetime = OLD_ENOUGH) -> tuple[ApnsAdapter, FakeHttp]:
    http = FakeHttp(*answers)
    adapter = ApnsAdapter(
        TeamTransports(lambda: cast(RotatingTransport, http)),
        production_url="https://production/",
        sandbox_url="https://sandbox",
        clock=lambda: now,
        timeout_seconds=1,
    )
    return adapter, http


@pytest.mark.parametrize(
    ("of_credential", "of_device", "host"),
    [
        ("production", None, "production"),
        ("sandbox", None, "sandbox"),
        ("production", "sandbox", "sandbox"),
        ("sandbox", "production", "production"),
    ],
)
async def test_send_goes_to_the_devices_environment(
    of_credential: Any, of_device: Any, host: str
) -> None:
    adapter, http = make_adapter(OK)

    await adapter.send(
        make_notification(),
        make_device(apns_environment=of_device, token="ab/cd"),
        make_apns_credential(environment=of_credential),
    )

    assert http.requests[0].url == f"https://{host}/3/device/ab%2Fcd"


async def test_send_renews_an_expired_token_once_on_new_connections() -> None:
    adapter, http = make_adapter(EXPIRED, OK)

    outcome = await adapter.send(make_notification(), make_device(), make_apns_credential())

    assert isinstance(outcome, Sent)
    first, second = (request.headers["authorization"] for request in http.requests)
    assert first != second
    assert http.rotations == 1


async def test_send_is_misconfigured_when_the_new_token_is_expired_too() -> None:
    adapter, http = make_adapter(EXPIRED, EXPIRED)

    outcome = await adapter.send(make_notification(), make_device(), make_apns_credential())

    assert outcome == Misconfigured("ExpiredProviderToken")
    assert len(http.requests) == 2


async def test_send_does_not_renew_a_young_token() -> None:
    adapter, http = make_adapter(EXPIRED, now=TOO_YOUNG)

    outcome = await adapter.send(make_notification(), make_device(), make_apns_credential())

    assert outcome == Misconfigured("ExpiredProviderToken")
    assert len(http.requests) == 1


async def test_send_with_a_bad_key_is_misconfigured() -> None:
    adapter, http = make_adapter()

    outcome = await adapter.send(
        make_notification(), make_device(), make_apns_credential(private_key="x")
    )

    assert outcome == Misconfigured("invalid_signing_key")
    assert http.requests == []


async def test_send_turns_a_failure_into_an_outcome() -> None:
    adapter, _ = make_adapter(NotSent("refused"))

    outcome = await adapter.send(make_notification(), make_device(), make_apns_credential())

    assert outcome == Unavailable("unreachable", scope="origin", never_sent=True)


async def test_teams_do_not_share_a_transport() -> None:
    transports = TeamTransports(lambda: cast(RotatingTransport, FakeHttp()))

    assert transports.of("a") is transports.of("a")
    assert transports.of("a") is not transports.of("b")
