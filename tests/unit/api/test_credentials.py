"""Provider credentials are checked to be usable, and nothing secret comes back."""

from typing import Any, cast
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from api.errors import CredentialNotFoundError, ValidationFailedError
from api.services.credentials import CredentialService, new_vapid
from shared.domain.credentials import (
    ApnsCredential,
    Credential,
    CredentialSummary,
    FcmCredential,
    WebPushCredential,
)
from shared.domain.devices import Provider
from shared.domain.holds import Standing
from tests.unit.api.doubles import APP, ES256, NOW, RS256, directory


def pem(key: Any, password: bytes | None = None) -> str:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    return text.decode()


class Store:
    """Credentials and the app's public key, in memory."""

    def __init__(self) -> None:
        self.kept: dict[Provider, Credential] = {}
        self.public_key: str | None = None

    async def put(
        self, _app: UUID, provider: Provider, credential: Credential
    ) -> CredentialSummary:
        self.kept[provider] = credential
        return _summary(provider, credential)

    async def put_over(
        self, app: UUID, provider: Provider, credential: Credential, *, seen: str
    ) -> CredentialSummary:
        assert seen == self.kept[provider].fingerprint
        return await self.put(app, provider, credential)

    async def put_if_absent(
        self, app: UUID, provider: Provider, credential: Credential
    ) -> CredentialSummary:
        return await self.put(app, provider, self.kept.get(provider, credential))

    async def get(self, _app: UUID, provider: Provider) -> Credential | None:
        return self.kept.get(provider)

    async def summary(self, _app: UUID, provider: Provider) -> CredentialSummary | None:
        credential = self.kept.get(provider)
        return None if credential is None else _summary(provider, credential)

    async def delete(self, _app: UUID, provider: Provider) -> bool:
        return self.kept.pop(provider, None) is not None

    async def update(self, _app: UUID, changes: dict[str, Any]) -> None:
        self.public_key = changes["vapid_public_key"]


def _summary(provider: Provider, credential: Credential) -> CredentialSummary:
    key = getattr(credential, "vapid_public_key", "")
    return CredentialSummary(
        provider=provider, fingerprint="f", updated_at=NOW, details={"vapid_public_key": key}
    )


class NothingHeld:
    async def get(self, _lane: object) -> Standing:
        return Standing()


def service(store: Store) -> CredentialService:
    repository = cast("Any", store)
    return CredentialService(
        repository,
        repository,
        directory(),
        holds=cast("Any", NothingHeld()),
        default_subject="mailto:us@example.com",
    )


def apns(private_key: str) -> ApnsCredential:
    return ApnsCredential(team_id="T" * 10, key_id="K" * 10, private_key=private_key, topic="a.b")


def fcm(private_key: str) -> FcmCredential:
    return FcmCredential(
        project_id="p", client_email="a@b", private_key=private_key, private_key_id="1"
    )


P384 = ec.generate_private_key(ec.SECP384R1())
SHORT_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)


@pytest.mark.parametrize(
    ("provider", "credential"),
    [
        ("apns", apns("x")),
        ("apns", apns("")),
        ("apns", apns("é")),
        ("apns", apns(pem(RS256))),
        ("apns", apns(pem(P384))),
        ("apns", apns(pem(ES256, b"pw"))),
        ("fcm", fcm("x")),
        ("fcm", fcm(pem(ES256))),
        ("fcm", fcm(pem(SHORT_RSA))),
    ],
)
async def test_put_refuses_an_unusable_key(provider: Provider, credential: Credential) -> None:
    store = Store()
    with pytest.raises(ValidationFailedError) as caught:
        await service(store).put(APP, provider, credential)
    error: Any = caught.value.members["errors"][0]
    assert error.pointer.endswith("/private_key")
    assert store.kept == {}


@pytest.mark.parametrize(
    ("provider", "credential"), [("apns", apns(pem(ES256))), ("fcm", fcm(pem(RS256)))]
)
async def test_put_keeps_a_usable_key(provider: Provider, credential: Credential) -> None:
    store = Store()
    await service(store).put(APP, provider, credential)
    assert store.kept[provider] == credential


async def test_a_new_subject_keeps_the_key_pair() -> None:
    store = Store()
    subject = service(store)
    await subject.ensure_vapid(APP)
    first = cast("WebPushCredential", store.kept["webpush"])
    await subject.put_subject(APP, "mailto:other@example.com")
    second = cast("WebPushCredential", store.kept["webpush"])
    assert first.vapid_private_key == second.vapid_private_key
    assert (first.subject, second.subject) == ("mailto:us@example.com", "mailto:other@example.com")
    assert store.public_key == first.vapid_public_key


async def test_deleting_web_push_forgets_the_public_key() -> None:
    store = Store()
    subject = service(store)
    await subject.ensure_vapid(APP)
    await subject.delete(APP, "webpush")
    assert store.public_key is None
    with pytest.raises(CredentialNotFoundError):
        await subject.delete(APP, "webpush")


def test_a_vapid_pair_is_a_scalar_and_its_point() -> None:
    pair = new_vapid("mailto:us@example.com")
    assert (len(pair.vapid_private_key), len(pair.vapid_public_key)) == (43, 87)
