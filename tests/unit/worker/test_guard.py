"""What must not be sent any more, and why."""

from datetime import timedelta

import pytest

from shared.domain.deliveries import Progress
from tests.builders import (
    DEVICE_ID,
    NOW,
    SEND_ID,
    a_chunk,
    a_content,
    a_device,
    a_loaded,
    a_send,
    an_app,
)
from worker.loading import Loaded, Sender
from worker.plan import NOW_OR_NEVER_GRACE, Push, guard
from worker.retry import Settle

OTHER_USER = SEND_ID


def test_a_live_delivery_may_be_sent() -> None:
    push = guard(a_loaded(), 0, NOW)

    assert isinstance(push, Push)
    assert push.device.device_id == DEVICE_ID


@pytest.mark.parametrize(
    ("loaded", "state", "reason"),
    [
        (a_loaded(send=None), "cancelled", "erased"),
        (a_loaded(sender=Sender(None, None, NOW)), "cancelled", "erased"),
        (
            a_loaded(sender=Sender(an_app(enabled=False), None, NOW)),
            "cancelled",
            "push_not_enabled",
        ),
        (a_loaded(send=a_send(cancelled=frozenset([0]))), "cancelled", "cancelled_by_caller"),
        (a_loaded(devices={}), "unregistered", "inactive_device"),
        (a_loaded(devices={DEVICE_ID: a_device(token="")}), "rejected", "unreadable_token"),
        (
            a_loaded(devices={DEVICE_ID: a_device(active=False)}),
            "unregistered",
            "inactive_device",
        ),
        (
            a_loaded(devices={DEVICE_ID: a_device(user_id=OTHER_USER)}),
            "unregistered",
            "device_changed_hands",
        ),
    ],
)
def test_guard_settles_what_must_not_be_sent(loaded: Loaded, state: str, reason: str) -> None:
    verdict = guard(loaded, 0, NOW)

    assert isinstance(verdict, Settle)
    assert (verdict.state, verdict.reason) == (state, reason)


def test_guard_expires_at_the_deadline_and_not_before() -> None:
    loaded = a_loaded(send=a_send(contents=(a_content(ttl_seconds=60),)))

    assert isinstance(guard(loaded, 0, NOW + timedelta(seconds=59.999)), Push)
    verdict = guard(loaded, 0, NOW + timedelta(seconds=60))
    assert isinstance(verdict, Settle)
    assert verdict.state == "expired"


def test_guard_says_what_kept_a_parked_delivery_to_its_end() -> None:
    parked = Progress("accepted", "no_credential", 0, None, NOW, NOW, parked_under="")
    loaded = a_loaded(
        send=a_send(contents=(a_content(ttl_seconds=60),)), chunk=a_chunk(progress={0: parked})
    )

    verdict = guard(loaded, 0, NOW + timedelta(seconds=60))

    assert verdict == Settle(state="expired", reason="no_credential")


def test_now_or_never_has_the_time_of_one_hand_over() -> None:
    loaded = a_loaded(send=a_send(contents=(a_content(ttl_seconds=0),)))

    assert isinstance(guard(loaded, 0, NOW + timedelta(seconds=1)), Push)
    assert isinstance(guard(loaded, 0, NOW + NOW_OR_NEVER_GRACE), Settle)


def test_guard_sends_what_was_not_itself_cancelled() -> None:
    assert isinstance(guard(a_loaded(send=a_send(cancelled=frozenset([1]))), 0, NOW), Push)


def test_guard_counts_a_scheduled_ones_life_from_its_time() -> None:
    at = NOW + timedelta(hours=1)
    loaded = a_loaded(send=a_send(contents=(a_content(ttl_seconds=0, send_at=at),)))

    assert isinstance(guard(loaded, 0, at), Push)
    assert isinstance(guard(loaded, 0, at + NOW_OR_NEVER_GRACE), Settle)
