"""APNs adapter: hosts, the token's renewal, and failures as outcomes."""

from datetime import datetime
from typing import Any, cast

import pytest

from shared.domain.credentials import AnyApnsCredential
from shared.outbound.interface import NotSent, Unknown
from shared.outbound.rotation import RotatingTransport
from shared.providers.apns import ApnsAdapter
from shared.providers.apns_pool import ApnsTransports
from shared.providers.apns_tokens import SLOT_SECONDS
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Sent,
    Suspect,
    Unavailable,
    Unregistered,
)
from tests.unit.shared.providers.builders import (
    NOW,
    make_apns_certificate,
    make_apns_credential,
    make_device,
    make_notification,
)
from tests.unit.shared.providers.fake_http import Answer, FakeHttp, json_response

OK = json_response(200)
EXPIRED = json_response(403, {"reason": "ExpiredProviderToken"})
BAD_TOKEN = json_response(400, {"reason": "BadDeviceToken"})
OLD_ENOUGH = datetime.fromtimestamp(SLOT_SECONDS * 600_000 + 1_500, NOW.tzinfo)
TOO_YOUNG = datetime.fromtimestamp(SLOT_SECONDS * 600_000 + 60, NOW.tzinfo)


def make_adapter(*answers: Answer, now: datetime = OLD_ENOUGH) -> tuple[ApnsAdapter, FakeHttp]:
    http = FakeHttp(*answers)
    adapter = ApnsAdapter(
        ApnsTransports(lambda _: cast(RotatingTransport, http)),
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


async def send_unsaid(*answers: Answer, **credential: Any) -> tuple[Outcome, list[str]]:
    """The outcome for a device whose environment nobody knows, and the hosts that were asked."""
    adapter, http = make_adapter(*answers)

    outcome = await adapter.send(
        make_notification(), make_device(), make_apns_credential(**credential)
    )

    return outcome, [request.url.split("/")[2] for request in http.requests]


@pytest.mark.parametrize(
    ("assumed", "hosts"),
    [("production", ["production", "sandbox"]), ("sandbox", ["sandbox", "production"])],
)
async def test_send_asks_the_other_host_when_nobody_told_the_environment(
    assumed: str, hosts: list[str]
) -> None:
    outcome, asked = await send_unsaid(BAD_TOKEN, OK, environment=assumed)

    assert asked == hosts
    assert isinstance(outcome, Sent)
    assert outcome.apns_environment == hosts[1]


async def test_send_does_not_tell_an_environment_that_was_assumed_rightly() -> None:
    outcome, asked = await send_unsaid(OK)

    assert asked == ["production"]
    assert isinstance(outcome, Sent)
    assert outcome.apns_environment is None


async def test_send_trusts_an_environment_that_was_told() -> None:
    adapter, http = make_adapter(BAD_TOKEN)

    outcome = await adapter.send(
        make_notification(), make_device(apns_environment="production"), make_apns_credential()
    )

    assert outcome == Suspect("BadDeviceToken")
    assert len(http.requests) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (BAD_TOKEN, Suspect("BadDeviceToken")),
        (json_response(410, {"reason": "Unregistered"}), Unregistered("Unregistered")),
        (NotSent("down"), Unavailable("unreachable", scope="origin", never_sent=True)),
        (Unknown("cut", maybe_processed=True), Ambiguous("connection_lost")),
        # Our key is good where it is known to be; what it is worth elsewhere says nothing.
        (json_response(403, {"reason": "BadEnvironmentKeyInToken"}), Suspect("BadDeviceToken")),
        (json_response(400, {"reason": "BadPriority"}), Suspect("BadDeviceToken")),
    ],
)
async def test_send_gives_the_other_hosts_verdict_on_the_token(
    answer: Answer, expected: Outcome
) -> None:
    outcome, asked = await send_unsaid(BAD_TOKEN, answer)

    assert outcome == expected
    assert len(asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        json_response(400, {"reason": "DeviceTokenNotForTopic"}),
        json_response(410, {"reason": "Unregistered"}),
        json_response(503, {"reason": "ServiceUnavailable"}),
        Unknown("cut", maybe_processed=True),
    ],
)
async def test_send_asks_no_other_host_for_anything_but_a_bad_token(answer: Answer) -> None:
    _, asked = await send_unsaid(answer)

    assert asked == ["production"]


async def test_send_with_a_certificate_shows_no_token() -> None:
    adapter, http = make_adapter(OK)

    outcome = await adapter.send(make_notification(), make_device(), make_apns_certificate())

    assert isinstance(outcome, Sent)
    assert "authorization" not in http.requests[0].headers
    assert http.requests[0].headers["apns-topic"] == "com.example.app"


async def test_send_with_a_certificate_goes_only_where_it_is_good_for() -> None:
    adapter, http = make_adapter(BAD_TOKEN)
    credential = make_apns_certificate(environments=("production",))

    outcome = await adapter.send(make_notification(), make_device(), credential)

    assert outcome == Suspect("BadDeviceToken")
    assert len(http.requests) == 1


async def test_send_with_an_expired_certificate_is_misconfigured() -> None:
    adapter, http = make_adapter()
    credential = make_apns_certificate(expires_at=OLD_ENOUGH)

    outcome = await adapter.send(make_notification(), make_device(), credential)

    assert outcome == Misconfigured("certificate_expired")
    assert http.requests == []


async def test_credentials_do_not_share_a_connection() -> None:
    made: list[str | None] = []

    def create(certificate: str | None) -> RotatingTransport:
        made.append(certificate)
        return cast(RotatingTransport, FakeHttp())

    transports = ApnsTransports(create)
    credentials: list[AnyApnsCredential] = [
        make_apns_credential(),
        make_apns_credential(key_id="KEY0000002"),
        make_apns_credential(team_id="TEAM000002"),
        make_apns_certificate(),
        make_apns_certificate(private_key="another"),
    ]

    first = [transports.of(credential) for credential in credentials]

    assert [transports.of(credential) for credential in credentials] == first
    assert len({id(transport) for transport in first}) == 5
    assert made == [None, None, None, "certificate\nkey", "certificate\nanother"]
