"""Wire format of provider credentials; secrets go in and never come out."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.schemas.base import Body, Instant
from api.services.verification import Verdict, Verification
from shared.domain.credentials import (
    ApnsCredential,
    ApnsEnvironment,
    CredentialSummary,
    FcmCredential,
    PushyCredential,
)
from shared.domain.devices import Provider

AppleId = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9]+$(?!\n)")]
Pem = Annotated[str, Meta(min_length=1, max_length=16_384)]
Topic = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9.-]+$(?!\n)")]
ProjectId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$(?!\n)")]
Line = Annotated[str, Meta(min_length=1, max_length=320, pattern=r"^[!-~]+$(?!\n)")]
Subject = Annotated[
    str, Meta(max_length=512, pattern=r"^(mailto:[!-~]+@[!-~]+|https://[!-~]+)$(?!\n)")
]


class ApnsBody(Body, frozen=True, kw_only=True):
    """Apple's token-signing key; `private_key` is the text of the `.p8` file."""

    team_id: AppleId
    key_id: AppleId
    private_key: Pem
    topic: Topic
    environment: ApnsEnvironment = "production"

    def credential(self) -> ApnsCredential:
        return ApnsCredential(**msgspec.structs.asdict(self))


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Google's service account file; members that we do not need are ignored."""

    project_id: ProjectId
    client_email: Line
    private_key: Pem
    private_key_id: Line


class FcmBody(Body, frozen=True, kw_only=True):
    service_account: ServiceAccount

    def credential(self) -> FcmCredential:
        return FcmCredential(**msgspec.structs.asdict(self.service_account))


class WebPushBody(Body, frozen=True, kw_only=True):
    """Whom push services may write to (RFC 8292); the key pair is made here."""

    subject: Subject


class PushyBody(Body, frozen=True, kw_only=True):
    api_key: Line

    def credential(self) -> PushyCredential:
        return PushyCredential(api_key=self.api_key)


class CredentialAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown: names and fingerprints, and how the provider took it lately.

    `expires_at` is null: token keys and service accounts do not expire by themselves.
    """

    provider: str
    fingerprint: str
    updated_at: Instant
    details: dict[str, str]
    expires_at: Instant | None = None
    last_success_at: Instant | None
    last_error_at: Instant | None
    last_error: str | None

    @classmethod
    def of(cls, summary: CredentialSummary) -> "CredentialAnswer":
        return cls(**msgspec.structs.asdict(summary))


class VerifyAnswer(msgspec.Struct, frozen=True):
    """`unknown`: the provider could not be asked. `reason` is what it said, if anything."""

    provider: Provider
    verdict: Verdict
    reason: str | None

    @classmethod
    def of(cls, provider: Provider, verification: Verification) -> "VerifyAnswer":
        return cls(provider, verification.verdict, verification.reason)
