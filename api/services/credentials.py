"""Provider credentials: checked to be usable, stored sealed, never shown again."""

from uuid import UUID

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from api.directory import AppDirectory
from api.errors import CredentialNotFoundError, invalid
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

RSA_BITS_MIN = 2_048


class CredentialService:
    """At most one credential per app and provider; a VAPID pair is made here and then kept."""

    def __init__(
        self,
        credentials: CredentialRepository,
        apps: AppRepository,
        directory: AppDirectory,
        *,
        default_subject: str,
    ) -> None:
        self._credentials = credentials
        self._apps = apps
        self._directory = directory
        self._default_subject = default_subject

    async def put(
        self, app_id: UUID, provider: Provider, credential: Credential
    ) -> CredentialSummary:
        """Store it in place of what was there.

        Raises:
            ValidationFailedError: its key cannot be used.
        """
        match credential:
            case ApnsCredential() if not _is_p256(credential.private_key):
                raise invalid("#/private_key", "must be the PEM of a P-256 private key")
            case FcmCredential() if not _is_rsa(credential.private_key):
                raise invalid("#/service_account/private_key", "must be the PEM of an RSA key")
        return await self._credentials.put(app_id, provider, credential)

    async def put_subject(self, app_id: UUID, subject: str) -> CredentialSummary:
        """Set who push services may write to; the key pair stays, as browsers are bound to it."""
        stored = await self._credentials.get(app_id, "webpush")
        if isinstance(stored, WebPushCredential):
            changed = msgspec.structs.replace(stored, subject=subject, fingerprint="")
        else:
            changed = new_vapid(subject)
        summary = await self._credentials.put(app_id, "webpush", changed)
        await self._publish_key(app_id, changed.vapid_public_key)
        return summary

    async def ensure_vapid(self, app_id: UUID) -> None:
        """Make the app's VAPID key pair unless it has one."""
        fresh = new_vapid(self._default_subject)
        summary = await self._credentials.put_if_absent(app_id, "webpush", fresh)
        await self._publish_key(app_id, summary.details["vapid_public_key"])

    async def summary(self, app_id: UUID, provider: Provider) -> CredentialSummary:
        found = await self._credentials.summary(app_id, provider)
        if found is None:
            raise CredentialNotFoundError
        return found

    async def delete(self, app_id: UUID, provider: Provider) -> None:
        if not await self._credentials.delete(app_id, provider):
            raise CredentialNotFoundError
        if provider == "webpush":
            await self._publish_key(app_id, None)

    async def _publish_key(self, app_id: UUID, public_key: str | None) -> None:
        await self._apps.update(app_id, {"vapid_public_key": public_key})
        self._directory.forget(app_id)


def new_vapid(subject: str) -> WebPushCredential:
    """A fresh P-256 pair (RFC 8292)."""
    keys = generate_keys()
    return WebPushCredential(
        subject=subject, vapid_private_key=keys.private_key, vapid_public_key=keys.public_key
    )


def _is_p256(pem: str) -> bool:
    key = _private_key(pem)
    return isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)


def _is_rsa(pem: str) -> bool:
    key = _private_key(pem)
    return isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS_MIN


def _private_key(pem: str) -> object:
    try:
        return load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it wants a password
        return None
