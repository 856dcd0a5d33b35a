"""Wire format of provider credentials; secrets go in and never come out."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.errors import invalid
from api.schemas.base import Body, Instant
from api.services.apns_certificates import CertificateWish
from api.services.verification import Verdict, Verification
from shared.domain.credentials import (
    ApnsCredential,
    CredentialSummary,
    FcmCredential,
    PushyCredential,
)
from shared.domain.devices import ApnsEnvironment, Provider

AppleId = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9]+$(?!\n)")]
Pem = Annotated[str, Meta(min_length=1, max_length=16_384)]
CertificatePem = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=16_384,
        description="PEM of the push certificate, its chain's next ones behind it",
    ),
]
Topic = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9.-]+$(?!\n)")]
ProjectId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$(?!\n)")]
Line = Annotated[str, Meta(min_length=1, max_length=320, pattern=r"^[!-~]+$(?!\n)")]
# Apple refuses brackets and names without a dot, `localhost` among them (BadJwtToken).
_DOTTED = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
Subject = Annotated[
    str,
    Meta(
        max_length=512,
        pattern=rf"^(mailto:[!-;=?A-~]+@{_DOTTED}|https://{_DOTTED}(:[0-9]+)?(/[!-~]*)?)$(?!\n)",
    ),
]


class ApnsBody(Body, frozen=True, kw_only=True):
    """Apple's token-signing key with `team_id` and `key_id`, or a push `certificate`.

    `private_key` is the text of the `.p8` file, or the PEM of the certificate's key. A certificate
    that names one topic needs no other.
    """

    private_key: Pem
    team_id: AppleId | None = None
    key_id: AppleId | None = None
    certificate: CertificatePem | None = None
    topic: Topic | None = None
    environment: ApnsEnvironment = "production"

    def credential(self) -> ApnsCredential | CertificateWish:
        """What is given, once it is whole.

        Raises:
            ValidationFailedError: a member is missing, or of the other kind.
        """
        if self.certificate is not None:
            return self._certificate(self.certificate)
        return ApnsCredential(
            team_id=_needed("team_id", self.team_id),
            key_id=_needed("key_id", self.key_id),
            private_key=self.private_key,
            topic=_needed("topic", self.topic),
            environment=self.environment,
        )

    def _certificate(self, certificate: str) -> CertificateWish:
        for name, value in (("team_id", self.team_id), ("key_id", self.key_id)):
            if value is not None:
                raise invalid(f"#/{name}", "not together with a certificate")
        return CertificateWish(
            certificate=certificate,
            private_key=self.private_key,
            topic=self.topic,
            environment=self.environment,
        )


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise invalid(f"#/{name}", "is needed for a signing key")
    return value


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

    `expires_at` is a certificate's end; token keys and service accounts have none.
    `deactivation_held_since`: more than a twentieth of the latest pushes found dead tokens. That
    looks like a wrong set-up, so no device is deactivated until an operator or an hour without it.
    """

    provider: str
    fingerprint: str
    updated_at: Instant
    details: dict[str, str]
    expires_at: Instant | None = None
    last_success_at: Instant | None
    last_error_at: Instant | None
    last_error: str | None
    deactivation_held_since: Instant | None

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
