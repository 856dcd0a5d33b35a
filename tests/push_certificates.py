"""Push certificates like Apple's, signed by themselves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SANDBOX = x509.ObjectIdentifier("1.2.840.113635.100.6.3.1")
PRODUCTION = x509.ObjectIdentifier("1.2.840.113635.100.6.3.2")
YEAR = timedelta(days=365)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class PushCertificate:
    """PEM texts, and what the certificate says of itself."""

    certificate: str
    private_key: str
    serial_number: str
    expires_at: datetime


def make_push_certificate(
    topic: str | None = "com.example.app",
    *,
    environments: tuple[x509.ObjectIdentifier, ...] = (SANDBOX, PRODUCTION),
    starts_at: datetime | None = None,
    key: PrivateKey | None = None,
) -> PushCertificate:
    """One for a topic, good for a year."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    starts_at = starts_at or datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    name = [x509.NameAttribute(NameOID.COMMON_NAME, "Apple Push Services: test")]
    if topic is not None:
        name.append(x509.NameAttribute(NameOID.USER_ID, topic))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(name))
        .issuer_name(x509.Name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts_at)
        .not_valid_after(starts_at + YEAR)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    for oid in environments:
        builder = builder.add_extension(
            x509.UnrecognizedExtension(oid, b"\x05\x00"), critical=False
        )
    certificate = builder.sign(key, hashes.SHA256())
    return PushCertificate(
        certificate.public_bytes(Encoding.PEM).decode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        f"{certificate.serial_number:x}",
        certificate.not_valid_after_utc,
    )
