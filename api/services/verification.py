"""Verifying a credential: a dry run at its provider, delivered to nobody."""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal, assert_never
from uuid import UUID

import msgspec

from api.errors import CredentialNotFoundError
from shared import ids
from shared.clock import Clock
from shared.domain.credentials import CredentialNote
from shared.domain.devices import Device, Platform, Provider
from shared.domain.notifications import Content, Notification
from shared.domain.options import Options
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
from shared.providers.registry import Adapters, Probe
from shared.storage.credentials import CredentialRepository

Verdict = Literal["valid", "invalid", "unknown"]
_TOKENS: dict[Provider, tuple[Platform, str]] = {  # of the right form, and nobody's
    "apns": ("ios", "0" * 64),
    "fcm": ("android", "fanfare-verify"),
    "webpush": ("web", ""),
    "pushy": ("android", "fanfareverify"),
}


class Verification(msgspec.Struct, frozen=True):
    """What came of a dry run."""

    verdict: Verdict
    reason: str | None = None


class CredentialVerifier:
    """Makes its adapters on first use: most API processes never need them."""

    def __init__(
        self, credentials: CredentialRepository, create: Callable[[], Adapters], clock: Clock
    ) -> None:
        self._credentials = credentials
        self._create = create
        self._clock = clock
        self._adapters: Adapters | None = None

    async def verify(self, app_id: UUID, provider: Provider) -> Verification:
        """Ask the provider about the stored credential, and remember what it said.

        Raises:
            CredentialNotFoundError: none is stored.
        """
        credential = await self._credentials.get(app_id, provider)
        if credential is None:
            raise CredentialNotFoundError
        if self._adapters is None:
            self._adapters = self._create()
        outcome = await self._adapters.verify(provider, self._probe(app_id, provider), credential)
        verification = verification_of(outcome)
        if verification.verdict != "unknown":
            note = CredentialNote(
                app_id=app_id,
                provider=provider,
                fingerprint=credential.fingerprint,
                at=self._clock(),
                error=verification.reason if verification.verdict == "invalid" else None,
            )
            await self._credentials.note([note])
        return verification

    async def aclose(self) -> None:
        if self._adapters is not None:
            await self._adapters.aclose()

    def _probe(self, app_id: UUID, provider: Provider) -> Probe:
        now = self._clock()
        platform, token = _TOKENS[provider]
        nobody = ids.new_id(now)
        notification = Notification(
            notification_id=ids.new_send_id(now),
            app_id=app_id,
            user_id=nobody,
            content=Content(title="-", body="", ttl_seconds=0, options=Options(silent=True)),
            starts_at=now,
            expires_at=now + timedelta(seconds=60),
        )
        device = Device(
            device_id=nobody,
            app_id=app_id,
            user_id=nobody,
            platform=platform,
            provider=provider,
            token=token,
            token_hash=b"",
            registered_at=now,
            created_at=now,
            last_seen_at=now,
        )
        return Probe(notification, device)


def verification_of(outcome: Outcome) -> Verification:
    """A complaint about the token means that the credential was taken."""
    match outcome:
        case Sent():
            return Verification("valid")
        case Rejected(reason) if reason.startswith("http_"):  # an answer without a known reason
            return Verification("unknown", reason)
        case Suspect() | Unregistered() | Rejected():
            return Verification("valid", outcome.reason)
        case Misconfigured():
            return Verification("invalid", outcome.reason)
        case Unavailable() | Ambiguous():
            return Verification("unknown", outcome.reason)
        case _:
            assert_never(outcome)
