"""APNs tokens: the same bytes everywhere, renewed neither too often nor too late."""

import subprocess
import sys
from datetime import datetime, timedelta

import jwt
import pytest

from shared.providers.apns_tokens import SLOT_SECONDS, InvalidSigningKey, ProviderTokens
from tests.unit.shared.providers.builders import (
    APNS_KEY,
    FCM_KEY,
    NOW,
    make_apns_credential,
    private_pem,
    public_pem,
)

CREDENTIAL = make_apns_credential()


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def issued_at(token: str) -> int:
    claims = jwt.decode(
        token, public_pem(APNS_KEY), algorithms=["ES256"], options={"verify_iat": False}
    )
    return int(claims["iat"])


def test_current_is_what_apple_asks_for() -> None:
    token = ProviderTokens(lambda: NOW).current(CREDENTIAL)

    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "KEY0000001"}
    claims = jwt.decode(
        token, public_pem(APNS_KEY), algorithms=["ES256"], options={"verify_iat": False}
    )
    assert claims == {"iss": "TEAM000001", "iat": claims["iat"]}
    assert 0 <= NOW.timestamp() - claims["iat"] < SLOT_SECONDS


def test_current_is_the_same_in_two_processes_at_different_times_of_a_slot() -> None:
    start = datetime.fromtimestamp(NOW.timestamp() // SLOT_SECONDS * SLOT_SECONDS, NOW.tzinfo)

    first = ProviderTokens(lambda: start).current(CREDENTIAL)
    second = ProviderTokens(lambda: start + timedelta(minutes=49)).current(CREDENTIAL)

    assert first == second


def test_current_is_never_older_than_50_minutes() -> None:
    clock = Clock()
    tokens = ProviderTokens(clock)
    for _ in range(300):
        clock.now += timedelta(minutes=7)
        assert clock.now.timestamp() - issued_at(tokens.current(CREDENTIAL)) < SLOT_SECONDS


def test_renewed_mints_once_for_all_that_were_refused() -> None:
    clock = Clock(datetime.fromtimestamp(SLOT_SECONDS * 600_000 + 1_500, NOW.tzinfo))
    tokens = ProviderTokens(clock)
    refused = tokens.current(CREDENTIAL)

    fresh = tokens.renewed(CREDENTIAL, refused)

    assert fresh not in {None, refused}
    assert tokens.renewed(CREDENTIAL, refused) == fresh
    assert tokens.current(CREDENTIAL) == fresh


def test_renewed_refuses_within_20_minutes() -> None:
    clock = Clock(datetime.fromtimestamp(SLOT_SECONDS * 600_000 + 1_199, NOW.tzinfo))
    tokens = ProviderTokens(clock)

    assert tokens.renewed(CREDENTIAL, tokens.current(CREDENTIAL)) is None


@pytest.mark.parametrize("private_key", ["", "not a key", private_pem(FCM_KEY)])
def test_current_refuses_what_is_no_p256_key(private_key: str) -> None:
    with pytest.raises(InvalidSigningKey):
        ProviderTokens(lambda: NOW).current(make_apns_credential(private_key=private_key))


def test_a_renewed_token_gives_way_to_the_slots_that_all_processes_share() -> None:
    slot = SLOT_SECONDS * 600_000
    clock = Clock(datetime.fromtimestamp(slot + 2_900, NOW.tzinfo))
    tokens = ProviderTokens(clock)
    fresh = tokens.renewed(CREDENTIAL, tokens.current(CREDENTIAL))
    seen: dict[str, int] = {}
    for second in range(2_900, 9_000, 50):
        clock.now = datetime.fromtimestamp(slot + second, NOW.tzinfo)
        token = tokens.current(CREDENTIAL)
        seen.setdefault(token, second)
        assert second - (issued_at(token) - slot) < SLOT_SECONDS

    others = ProviderTokens(clock).current(CREDENTIAL)
    assert list(seen.values()) == [2_900, 4_100, 6_000]  # never twice in 20 minutes
    assert next(iter(seen)) == fresh
    assert others in seen


def test_two_processes_make_the_same_bytes() -> None:
    code = (
        "import sys; from shared.providers.apns_tokens import sign;"
        "print(sign('TEAM000001', 'KEY0000001', sys.stdin.read(), 1_800_000_000))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", code],
            input=CREDENTIAL.private_key,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for _ in range(2)
    ]

    assert made[0] == made[1]
    assert made[0].count(".") == 2


def test_a_token_of_a_clock_that_was_ahead_is_dropped() -> None:
    clock = Clock(NOW + timedelta(hours=12))
    tokens = ProviderTokens(clock)
    early = tokens.current(CREDENTIAL)

    clock.now = NOW

    assert tokens.renewed(CREDENTIAL, early) not in {None, early}
    assert issued_at(tokens.current(CREDENTIAL)) <= NOW.timestamp()
