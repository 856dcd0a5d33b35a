"""A credential that was refused is asked about once per interval, whatever waits for it."""

from datetime import datetime, timedelta

import pytest

from shared.domain.credentials import ApnsCredential, Credential, FcmCredential, WebPushCredential
from shared.domain.devices import Device
from shared.providers.outcomes import Misconfigured, Sent, Unavailable
from tests.builders import NOW, a_device
from worker.refusals import Refusals, party_of
from worker.retry import PARK_SECONDS_MAX

FRESH_SECONDS, PROBE_SECONDS = 30.0, 20.0
PARTY = ("f1", "")
REFUSED = Misconfigured("InvalidProviderToken")


class Stage:
    def __init__(self) -> None:
        self.now: datetime = NOW
        self.refusals = Refusals(
            lambda: self.now, fresh_seconds=FRESH_SECONDS, probe_seconds=PROBE_SECONDS
        )

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def calls(self, deliveries: int) -> int:
        """How many of so many deliveries would call the provider now."""
        return [self.refusals.standing(PARTY) for _ in range(deliveries)].count(None)


def test_everybody_may_call_until_a_refusal() -> None:
    assert Stage().calls(100) == 100


def test_nobody_calls_while_a_refusal_is_fresh_and_one_probes_then() -> None:
    stage = Stage()
    stage.refusals.note(PARTY, REFUSED)

    assert stage.refusals.standing(PARTY) == REFUSED
    for _ in range(10):
        assert stage.calls(1_000) == 0
        stage.later(FRESH_SECONDS)
        assert stage.calls(1_000) == 1
        assert not stage.refusals.note(PARTY, REFUSED)


def test_a_probe_that_was_taken_opens_the_way_and_says_so() -> None:
    stage = Stage()
    stage.refusals.note(PARTY, REFUSED)
    stage.later(FRESH_SECONDS)
    stage.calls(1)

    assert stage.refusals.note(PARTY, Sent("m1"))
    assert not stage.refusals.note(PARTY, Sent("m2"))
    assert stage.calls(100) == 100


def test_a_probe_without_a_verdict_is_followed_by_another() -> None:
    stage = Stage()
    stage.refusals.note(PARTY, REFUSED)
    stage.later(FRESH_SECONDS)
    assert stage.calls(5) == 1

    stage.refusals.note(PARTY, Unavailable("503"))

    assert stage.calls(5) == 1


def test_a_probe_that_never_answers_keeps_nobody_for_ever() -> None:
    stage = Stage()
    stage.refusals.note(PARTY, REFUSED)
    stage.later(FRESH_SECONDS)
    stage.calls(1)

    stage.later(PROBE_SECONDS)

    assert stage.calls(5) == 1


def test_another_credential_is_not_concerned_and_old_ones_are_forgotten() -> None:
    stage = Stage()
    for number in range(100):
        stage.refusals.note((f"old-{number}", ""), REFUSED)
    stage.later(PARK_SECONDS_MAX)  # what is parked for the longest still finds its refusal
    assert stage.refusals.standing(("old-1", "")) is None
    assert stage.refusals.standing(("old-1", "")) == REFUSED
    stage.later(2 * PARK_SECONDS_MAX)

    stage.refusals.note(PARTY, REFUSED)

    assert stage.refusals.standing(("f2", "")) is None
    assert len(stage.refusals._refusals) == 1


APNS = ApnsCredential(team_id="t", key_id="k", private_key="p", topic="x", fingerprint="f1")
FCM = FcmCredential(
    project_id="p", client_email="e", private_key="p", private_key_id="i", fingerprint="f1"
)
VAPID = WebPushCredential(
    subject="mailto:a@b.c", vapid_private_key="p", vapid_public_key="q", fingerprint="f1"
)
SUBSCRIPTION = '{"endpoint":"https://push.test:1/a/b","keys":{"p256dh":"k","auth":"a"}}'


@pytest.mark.parametrize(
    ("device", "credential", "host"),
    [
        (a_device(provider="apns"), APNS, "production"),
        (a_device(provider="apns", apns_environment="sandbox"), APNS, "sandbox"),
        (a_device(provider="fcm"), FCM, ""),
        (a_device(provider="webpush", token=SUBSCRIPTION), VAPID, "push.test:1"),
    ],
)
def test_each_host_of_a_provider_refuses_for_itself(
    device: Device, credential: Credential, host: str
) -> None:
    assert party_of(device, credential) == ("f1", host)
