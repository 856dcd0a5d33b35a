"""Provider credentials: checked to be usable, stored sealed, never shown again."""

from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.directory import AppDirectory
from api.errors import CredentialNotFoundError, invalid
from api.services.apns_certificates import RSA_BITS_MIN, CertificateWish, checked, private_key_of
from shared.clock import Clock, utc_now
from shared.crypto.vapid import generate_keys
from shared.domain.credentials import (
    ApnsCredential,
    Credential,
    CredentialSummary,
    FcmCredential,
    WebPushCredential,
)
from shared.domain.devices import Provider
from shared.storage.apps import AppRepository
from shared.storage.credentials import CredentialRepository
from shared.storage.holds import HoldRepository


class CredentialService:
    """At most one credential per app and provider; a VAPID pair is made here and then kept."""

    def __init__(
        self,
        credentials: CredentialRepository,
        apps: AppRepository,
        directory: AppDirectory,
        *,
        holds: HoldRepository,
        default_subject: str,
        clock: Clock = utc_now,
    ) -> None:
        self._holds = holds
        self._clock = clock
        self._credentials = credentials
        self._apps = apps
        self._directory = directory
        self._default_subject = default_subject

    async def put(
        self, app_id: UUID, provider: Provider, credential: Credential | CertificateWish
    ) -> CredentialSummary:
        """Store it in place of what was there.

        Raises:
            ValidationFailedError: its key or certificate cannot be used.
        """
        match credential:
            case CertificateWish():
                credential = checked(credential, self._clock())
            case ApnsCredential() if not _is_p256(credential.private_key):
                raise invalid("#/private_key", "must be the PEM of a P-256 private key")
            case FcmCredential() if not _is_rsa(credential.private_key):
                raise invalid("#/service_account/private_key", "must be the PEM of an RSA key")
        return await self._shown(app_id, await self._credentials.put(app_id, provider, credential))

    async def put_subject(self, app_id: UUID, subject: str) -> CredentialSummary:
        """Set who push services may write to; the key pair stays, as browsers are bound to it."""
        summary = None
        while summary is None:  # in every round somebody gets through
            await self._credentials.put_if_absent(app_id, "webpush", new_vapid(subject))
            summary = await self._with_subject(app_id, subject)
        await self._publish_key(app_id)
        return await self._shown(app_id, summary)

    async def ensure_vapid(self, app_id: UUID) -> None:
        """Make the app's VAPID key pair unless it has one."""
        fresh = new_vapid(self._default_subject)
        await self._credentials.put_if_absent(app_id, "webpush", fresh)
        await self._publish_key(app_id)

    async def summary(self, app_id: UUID, provider: Provider) -> CredentialSummary:
        found = await self._credentials.summary(app_id, provider)
        if found is None:
            raise CredentialNotFoundError
        return await self._shown(app_id, found)

    async def delete(self, app_id: UUID, provider: Provider) -> None:
        existed = await self._credentials.delete(app_id, provider)
        if provider == "webpush":
            await self._publish_key(app_id)
        if not existed:
            raise CredentialNotFoundError

    async def _shown(self, app_id: UUID, summary: CredentialSummary) -> CredentialSummary:
        standing = await self._holds.get((app_id, summary.provider))
        return msgspec.structs.replace(summary, deactivation_held_since=standing.held_since)

    async def _with_subject(self, app_id: UUID, subject: str) -> CredentialSummary | None:
        """None when the credential was changed or deleted meanwhile."""
        stored = await self._credentials.get(app_id, "webpush")
        if not isinstance(stored, WebPushCredential):
            return None
        changed = msgspec.structs.replace(stored, subject=subject, fingerprint="")
        return await self._credentials.put_over(app_id, "webpush", changed, seen=stored.fingerprint)

    async def _publish_key(self, app_id: UUID) -> None:
        """Show browsers the key that signs, whoever changes the credential at the same time.

        Whoever writes last finds that the credential still has the key that it wrote.
        """
        published: str | None = ""
        while (key := await self._signing_key(app_id)) != published:
            await self._apps.update(app_id, {"vapid_public_key": key})
            published = key
        self._directory.forget(app_id)

    async def _signing_key(self, app_id: UUID) -> str | None:
        summary = await self._credentials.summary(app_id, "webpush")
        return None if summary is None else summary.details["vapid_public_key"]


def new_vapid(subject: str) -> WebPushCredential:
    """A fresh P-256 pair (RFC 8292)."""
    keys = generate_keys()
    return WebPushCredential(
        subject=subject, vapid_private_key=keys.private_key, vapid_public_key=keys.public_key
    )


def _is_p256(pem: str) -> bool:
    key = private_key_of(pem)
    return isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)


def _is_rsa(pem: str) -> bool:
    key = private_key_of(pem)
    return isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS_MIN
