"""Push certificates: what is stored of them, and which are refused with which words."""

import ssl
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from api.errors import ValidationFailedError
from api.schemas.credentials import ApnsBody
from api.services.apns_certificates import CertificateWish, checked
from shared.domain.credentials import ApnsCertificate, ApnsCredential
from tests.push_certificates import PRODUCTION, SANDBOX, YEAR, make_push_certificate
from tests.unit.api.doubles import NOW

STARTS = NOW - timedelta(days=1)
GOOD = make_push_certificate(starts_at=STARTS)
OTHER = make_push_certificate(starts_at=STARTS)
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
SHORT = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)


def wish(made: Any = GOOD, **changes: Any) -> CertificateWish:
    fields = {"certificate": made.certificate, "private_key": made.private_key}
    return CertificateWish(**fields | {"topic": None, "environment": "production"} | changes)


def der_of(oid: x509.ObjectIdentifier) -> bytes:
    """Apple's extensions differ in the last byte."""
    return bytes.fromhex("2a864886f763640603") + bytes([int(oid.dotted_string[-1])])


def pem(key: Any, password: bytes | None = None) -> str:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    return text.decode()


def test_checked_reads_what_the_certificate_says() -> None:
    assert checked(wish(), NOW) == ApnsCertificate(
        certificate=GOOD.certificate,
        private_key=GOOD.private_key,
        topic="com.example.app",
        serial_number=GOOD.serial_number,
        expires_at=STARTS + YEAR,
        environments=("sandbox", "production"),
    )


def test_checked_keeps_the_chain_and_nothing_else() -> None:
    text = f"Bag Attributes: x\n{GOOD.private_key}{GOOD.certificate}\n{OTHER.certificate}"

    kept = checked(wish(certificate=text), NOW)

    assert kept.certificate == GOOD.certificate + OTHER.certificate


@pytest.mark.parametrize(
    ("named", "environments"),
    [
        ((), ("sandbox", "production")),
        ((PRODUCTION,), ("production",)),
        ((SANDBOX, PRODUCTION), ("sandbox", "production")),
    ],
)
def test_checked_knows_the_hosts_that_a_certificate_is_for(
    named: Any, environments: tuple[str, ...]
) -> None:
    made = make_push_certificate(starts_at=STARTS, environments=named)

    assert checked(wish(made), NOW).environments == environments


def test_checked_takes_an_rsa_key_and_the_callers_topic() -> None:
    made = make_push_certificate(topic=None, starts_at=STARTS, key=RSA)

    assert checked(wish(made, topic="com.example.voip"), NOW).topic == "com.example.voip"


REFUSED: list[tuple[CertificateWish, str, str]] = [
    (wish(certificate="x"), "certificate", "must be the PEM of a certificate"),
    (wish(certificate="é"), "certificate", "must be the PEM of a certificate"),
    (wish(certificate=GOOD.private_key), "certificate", "must be the PEM of a certificate"),
    (
        wish(certificate=GOOD.certificate[:200] + GOOD.certificate[210:]),
        "certificate",
        "must be the PEM of a certificate",
    ),
    (wish(make_push_certificate(starts_at=NOW - YEAR)), "certificate", "has expired"),
    (
        wish(make_push_certificate(starts_at=NOW + timedelta(hours=1))),
        "certificate",
        "is not valid yet",
    ),
    (wish(private_key="x"), "private_key", "must be the PEM of an RSA or EC private key"),
    (
        wish(private_key=pem(ec.generate_private_key(ec.SECP256R1()), b"password")),
        "private_key",
        "must be the PEM of an RSA or EC private key",
    ),
    (
        wish(private_key=pem(ed25519.Ed25519PrivateKey.generate())),
        "private_key",
        "must be the PEM of an RSA or EC private key",
    ),
    (
        wish(make_push_certificate(starts_at=STARTS, key=SHORT)),
        "private_key",
        "must be the PEM of an RSA or EC private key",
    ),
    (wish(private_key=OTHER.private_key), "private_key", "does not belong to the certificate"),
    (
        wish(make_push_certificate(starts_at=STARTS, environments=(SANDBOX,))),
        "environment",
        "the certificate is not for this environment",
    ),
    (
        wish(make_push_certificate(topic=None, starts_at=STARTS)),
        "topic",
        "is needed: the certificate does not name one",
    ),
    (
        wish(make_push_certificate(topic="com.example\r\nx: y", starts_at=STARTS)),
        "topic",
        "is needed: the certificate does not name one",
    ),
]


@pytest.mark.parametrize(("wished", "member", "detail"), REFUSED)
def test_checked_refuses_what_cannot_be_used(
    wished: CertificateWish, member: str, detail: str
) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        checked(wished, NOW)

    error: Any = caught.value.members["errors"][0]
    assert (error.pointer, error.detail) == (f"#/{member}", detail)


KEY: dict[str, Any] = {
    "team_id": "TEAM000001",
    "key_id": "KEY0000001",
    "private_key": "k",
    "topic": "a.b",
}


def test_a_body_is_a_signing_key_or_a_certificate() -> None:
    key = msgspec.convert(KEY, ApnsBody).credential()
    certificate = msgspec.convert({"certificate": "c", "private_key": "k"}, ApnsBody).credential()

    assert key == ApnsCredential(**KEY)
    assert isinstance(certificate, CertificateWish)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        *(
            ({name: value for name, value in KEY.items() if name != missing}, missing)
            for missing in ("team_id", "key_id", "topic")
        ),
        (KEY | {"certificate": "c"}, "team_id"),
        ({"private_key": "k", "certificate": "c", "key_id": "KEY0000001"}, "key_id"),
    ],
)
def test_a_body_that_is_neither_is_refused(body: dict[str, str], member: str) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        msgspec.convert(body, ApnsBody).credential()

    error: Any = caught.value.members["errors"][0]
    assert error.pointer == f"#/{member}"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"),  # a version that there is not
        (der_of(PRODUCTION), der_of(SANDBOX)),  # an extension twice
        (b"com.example.app", b"com.example\xff\xfe\xfd\xfc"),  # a subject that is no text
    ],
)
def test_checked_refuses_what_cannot_be_read_in_part(good: bytes, bad: bytes) -> None:
    der = ssl.PEM_cert_to_DER_cert(GOOD.certificate)
    assert good in der
    damaged = ssl.DER_cert_to_PEM_cert(der.replace(good, bad))

    with pytest.raises(ValidationFailedError) as caught:
        checked(wish(certificate=damaged), NOW)

    error: Any = caught.value.members["errors"][0]
    assert error.pointer in {"#/certificate", "#/topic"}
