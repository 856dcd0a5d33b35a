"""The credentials with which an app's pushes are sent, one shape per provider, in the clear.

They exist decrypted only in memory; `fingerprint` names one in logs, lanes and caches.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from shared.domain.devices import ApnsEnvironment, Provider


class ApnsCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A token-signing key (Apple's `.p8`): `private_key` is PKCS#8 PEM of a P-256 key."""

    team_id: str
    key_id: str
    private_key: str
    topic: str
    environment: ApnsEnvironment = "production"
    fingerprint: str = ""


class ApnsCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A push certificate: `certificate` is its PEM, the chain's next ones behind it.

    `private_key` is PEM of an RSA or EC key. `environments` are the hosts that it is good for.
    """

    certificate: str
    private_key: str
    topic: str
    serial_number: str  # hexadecimal
    expires_at: datetime
    environment: ApnsEnvironment = "production"
    environments: tuple[ApnsEnvironment, ...] = ("production", "sandbox")
    fingerprint: str = ""


AnyApnsCredential = ApnsCredential | ApnsCertificate


class FcmCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A Google service account: `private_key` is PEM of an RSA key."""

    project_id: str
    client_email: str
    private_key: str
    private_key_id: str
    fingerprint: str = ""


class WebPushCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A VAPID key pair (RFC 8292): base64url of the 32-byte scalar and of the 65-byte point."""

    subject: str
    vapid_private_key: str
    vapid_public_key: str
    fingerprint: str = ""


class PushyCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A Pushy secret API key; it travels in the query string, so it must never be logged."""

    api_key: str
    fingerprint: str = ""


Credential = AnyApnsCredential | FcmCredential | WebPushCredential | PushyCredential


class CredentialSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a stored credential."""

    provider: Provider
    fingerprint: str
    updated_at: datetime
    details: dict[str, str]
    expires_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = None
    deactivation_held_since: datetime | None = None  # too many of the app's tokens look dead


class CredentialNote(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider took a credential: `error` None is well."""

    app_id: UUID
    provider: Provider
    fingerprint: str
    at: datetime
    error: str | None
