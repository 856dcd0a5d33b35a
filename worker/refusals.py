"""Credentials that a provider refused a moment ago: it is not asked again for every delivery."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec

from shared.clock import Clock
from shared.domain.credentials import ApnsCertificate, ApnsCredential, Credential
from shared.domain.devices import Device, Subscription
from shared.providers.outcomes import Misconfigured, Outcome, Sent
from worker.retry import PARK_SECONDS_MAX

Party = tuple[str, str]  # fingerprint, and which of a provider's hosts


class _Refusal(msgspec.Struct):
    outcome: Misconfigured
    at: datetime
    probing_since: datetime | None = None


class Refusals:
    """While a refusal is fresh everything else is parked; then one delivery at a time probes."""

    def __init__(self, clock: Clock, *, fresh_seconds: float, probe_seconds: float) -> None:
        self._clock = clock
        self._fresh = timedelta(seconds=fresh_seconds)
        # Beyond the longest that a parked delivery waits: it must find that it was refused.
        self._kept = max(10 * self._fresh, 2 * timedelta(seconds=PARK_SECONDS_MAX))
        self._probe = timedelta(seconds=probe_seconds)  # after which one has been given up
        self._refusals: dict[Party, _Refusal] = {}

    def standing(self, party: Party) -> Misconfigured | None:
        """What the provider would say again; None: ask it, and `note` its answer."""
        refusal = self._refusals.get(party)
        if refusal is None:
            return None
        now = self._clock()
        probing = refusal.probing_since
        if now - refusal.at < self._fresh or (probing and now - probing < self._probe):
            return refusal.outcome
        refusal.probing_since = now
        return None

    def note(self, party: Party, outcome: Outcome) -> bool:
        """Learn from an answer; True when a credential that was refused works again."""
        match outcome:
            case Misconfigured():
                self._forget_old()
                self._refusals[party] = _Refusal(outcome, self._clock())
            case Sent():
                return self._refusals.pop(party, None) is not None
            case _:  # says nothing of the credential: the next delivery may probe
                if refusal := self._refusals.get(party):
                    refusal.probing_since = None
        return False

    def _forget_old(self) -> None:
        """Credentials that were replaced never come again."""
        now = self._clock()
        self._refusals = {
            party: refusal
            for party, refusal in self._refusals.items()
            if now - max(refusal.at, refusal.probing_since or refusal.at) < self._kept
        }


def party_of(device: Device, credential: Credential) -> Party:
    """Whose refusal it would be: a provider's hosts judge a credential each for itself."""
    match credential:
        case ApnsCredential() | ApnsCertificate():
            host: str = device.apns_environment or credential.environment
        case _ if device.provider == "webpush":
            host = _host_of(device.token)
        case _:
            host = ""
    return credential.fingerprint, host


def _host_of(subscription: str) -> str:
    """Empty for what cannot be read: the adapter rejects it."""
    try:
        return urlsplit(msgspec.json.decode(subscription, type=Subscription).endpoint).netloc
    except ValueError:
        return ""
