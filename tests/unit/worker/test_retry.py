"""The retry policy, row by row of CONTRACT §4, and its bounds as properties."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from tests.builders import NOW, a_situation
from worker.retry import ATTEMPTS_MAX, AgainNow, Later, RetryPolicy, Settle, Step

LEVELS = (5.0, 30.0, 120.0, 600.0)
PARK_SECONDS = 30.0
policy = RetryPolicy(LEVELS, park_seconds=PARK_SECONDS)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Sent("m1"), Settle(state="sent", provider_message_id="m1")),
        (
            Sent("m1", ("body",)),
            Settle(state="sent", provider_message_id="m1", cut=("body",)),
        ),
        (
            Unregistered("Unregistered", NOW),
            Settle(
                state="unregistered",
                reason="Unregistered",
                on_device="deactivate",
                invalid_since=NOW,
            ),
        ),
        (
            Suspect("BadDeviceToken"),
            Settle(state="rejected", reason="BadDeviceToken", on_device="suspect"),
        ),
        (
            Rejected("PayloadTooLarge"),
            Settle(state="rejected", reason="PayloadTooLarge", dead_letter=True),
        ),
        (Unavailable("503"), Later(wait_seconds=5, reason="503")),
        (Unavailable("reset", never_sent=True), AgainNow()),
        (
            Misconfigured("no_credential"),
            Later(wait_seconds=PARK_SECONDS, reason="no_credential", spends_attempt=False),
        ),
        (Ambiguous("timeout"), Later(wait_seconds=5, reason="timeout")),
    ],
)
def test_policy_decides_each_outcome(outcome: Outcome, expected: Step) -> None:
    assert policy.next_step(outcome, a_situation()) == expected


@pytest.mark.parametrize(
    ("attempt", "wait"), [(1, 5), (2, 30), (3, 120), (4, 600), (5, 3_600), (6, 21_600), (7, 21_600)]
)
def test_waits_follow_the_schedule(attempt: int, wait: float) -> None:
    situation = a_situation(attempt=attempt, expires_at=NOW + timedelta(days=28), spread=0.5)

    step = policy.next_step(Unavailable("503"), situation)

    assert step == Later(wait_seconds=wait, reason="503")


def test_last_attempt_ends_exhausted_and_in_the_dead_letters() -> None:
    step = policy.next_step(Unavailable("503"), a_situation(attempt=ATTEMPTS_MAX))

    assert step == Settle(state="exhausted", reason="503", dead_letter=True)


def test_a_request_that_was_never_sent_is_repeated_at_once_only_once() -> None:
    step = policy.next_step(
        Unavailable("reset", never_sent=True), a_situation(sent_again_at_once=True)
    )

    assert step == Later(wait_seconds=5, reason="reset")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Unavailable("503"), "expired"), (Ambiguous("timeout"), "unknown")],
)
def test_now_or_never_is_not_retried(outcome: Outcome, state: str) -> None:
    step = policy.next_step(outcome, a_situation(is_now_or_never=True, expires_at=NOW))

    assert isinstance(step, Settle)
    assert step.state == state


def test_parked_delivery_looks_for_the_last_time_at_its_deadline() -> None:
    situation = a_situation(expires_at=NOW + timedelta(seconds=PARK_SECONDS / 2))

    step = policy.next_step(Misconfigured("InvalidProviderToken"), situation)

    assert step == Later(
        wait_seconds=PARK_SECONDS / 2, reason="InvalidProviderToken", spends_attempt=False
    )


def test_parked_delivery_expires_at_its_deadline() -> None:
    step = policy.next_step(Misconfigured("InvalidProviderToken"), a_situation(expires_at=NOW))

    assert step == Settle(state="expired", reason="InvalidProviderToken")


@given(
    attempt=st.integers(1, 20),
    asked=st.none() | st.floats(0, 100_000),
    life=st.floats(0, 30 * 86_400),
    spread=st.floats(0, 1, exclude_max=True),
    never_sent=st.booleans(),
)
def test_a_retry_is_never_earlier_than_asked_nor_past_expiry_nor_beyond_the_last_attempt(
    attempt: int, asked: float | None, life: float, spread: float, *, never_sent: bool
) -> None:
    expires_at = NOW + timedelta(seconds=life)
    situation = a_situation(
        attempt=attempt, expires_at=expires_at, spread=spread, sent_again_at_once=True
    )

    step = policy.next_step(
        Unavailable("x", retry_after_seconds=asked, never_sent=never_sent), situation
    )

    if isinstance(step, Later):
        assert attempt < ATTEMPTS_MAX
        assert step.wait_seconds >= max(asked or 0, LEVELS[0])
        assert NOW + timedelta(seconds=step.wait_seconds) < expires_at
    else:
        assert isinstance(step, Settle)
        assert step.state in {"expired", "exhausted"}


@given(spread=st.floats(0, 1, exclude_max=True), attempt=st.integers(5, 7))
def test_long_waits_are_spread_by_a_fifth(spread: float, attempt: int) -> None:
    situation = a_situation(attempt=attempt, expires_at=NOW + timedelta(days=28), spread=spread)
    base = 3_600 if attempt == 5 else 21_600

    step = policy.next_step(Unavailable("503"), situation)

    assert isinstance(step, Later)
    assert 0.8 * base <= step.wait_seconds <= 1.2 * base


def test_an_unknown_outcome_is_final_when_a_resend_is_not_wanted() -> None:
    step = policy.next_step(Ambiguous("timeout"), a_situation(is_resent_when_unknown=False))

    assert step == Settle(state="unknown", reason="timeout")


def test_what_was_certainly_not_taken_is_retried_even_when_a_resend_is_not_wanted() -> None:
    step = policy.next_step(Unavailable("503"), a_situation(is_resent_when_unknown=False))

    assert step == Later(wait_seconds=5, reason="503")
