"""The credentials with which an app's pushes are sent, one shape per provider, in the clear.

They exist decrypted only in memory; `fingerprint` names one in logs, lanes and caches.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from shared.domain.devices import Provider

ApnsEnvironment = Literal["production", "sandbox"]


class ApnsCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A token-signing key (Apple's `.p8`): `private_key` is PKCS#8 PEM of a P-256 key."""

    team_id: str
    key_id: str
    private_key: str
    topic: str
    environment: ApnsEnvironment = "production"
    fingerprint: str = ""


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


Credential = ApnsCredential | FcmCredential | WebPushCredential | PushyCredential


class CredentialSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a stored credential."""

    provider: str
    fingerprint: str
    updated_at: datetime
    details: dict[str, str]
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = None


class CredentialNote(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider took a credential: `error` None is well."""

    app_id: UUID
    provider: Provider
    fingerprint: str
    at: datetime
    error: str | None
