"""Push certificates: read, and checked to be usable before they are stored."""

import re
from datetime import datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from api.errors import invalid
from shared.domain.credentials import ApnsCertificate
from shared.domain.devices import ApnsEnvironment

RSA_BITS_MIN = 2_048
# Apple's extensions that say which hosts a certificate is for; the universal kind has both
# (Apple's Worldwide Developer Relations certification practice statement).
_ENVIRONMENTS: dict[ApnsEnvironment, x509.ObjectIdentifier] = {
    "sandbox": x509.ObjectIdentifier("1.2.840.113635.100.6.3.1"),
    "production": x509.ObjectIdentifier("1.2.840.113635.100.6.3.2"),
}
_EVERYWHERE = tuple(_ENVIRONMENTS)
_TOPIC = re.compile(r"[A-Za-z0-9.-]{1,255}")
_CERTIFICATE = "#/certificate"
# What `cryptography` raises for parts of a certificate that it reads only when they are asked for.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class CertificateWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller gives; `topic` None means the one that the certificate names."""

    certificate: str
    private_key: str
    topic: str | None
    environment: ApnsEnvironment


def checked(wish: CertificateWish, now: datetime) -> ApnsCertificate:
    """The credential that a certificate and its key make.

    Raises:
        ValidationFailedError: they cannot be used, now or at all.
    """
    try:
        return _checked(wish, now)
    except _UNREADABLE:
        raise invalid(_CERTIFICATE, "must be the PEM of a certificate") from None


def _checked(wish: CertificateWish, now: datetime) -> ApnsCertificate:
    certificate, *chain = x509.load_pem_x509_certificates(wish.certificate.encode())
    if certificate.not_valid_after_utc <= now:
        raise invalid(_CERTIFICATE, "has expired")
    if certificate.not_valid_before_utc > now:
        raise invalid(_CERTIFICATE, "is not valid yet")
    private_key = _key_of(certificate, wish.private_key)
    environments = _environments(certificate)
    if wish.environment not in environments:
        raise invalid("#/environment", "the certificate is not for this environment")
    return ApnsCertificate(
        certificate="".join(_pem(one) for one in (certificate, *chain)),
        private_key=private_key,
        topic=wish.topic or _topic(certificate),
        serial_number=f"{certificate.serial_number:x}",
        expires_at=certificate.not_valid_after_utc,
        environment=wish.environment,
        environments=environments,
    )


def private_key_of(pem: str) -> object:
    """The key in a PEM without a password; None when there is none."""
    try:
        return load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it wants a password
        return None


def _pem(certificate: x509.Certificate) -> str:
    """Without what else may stand in a PEM file: names of bags, a private key."""
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_of(certificate: x509.Certificate, pem: str) -> str:
    """The certificate's private key, as PKCS#8 PEM and nothing else."""
    key = private_key_of(pem)
    is_short = isinstance(key, rsa.RSAPrivateKey) and key.key_size < RSA_BITS_MIN
    if is_short or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise invalid("#/private_key", "must be the PEM of an RSA or EC private key")
    try:
        is_its_own = certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        is_its_own = False
    if not is_its_own:
        raise invalid("#/private_key", "does not belong to the certificate")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _environments(certificate: x509.Certificate) -> tuple[ApnsEnvironment, ...]:
    """Those that it names; all when it names none."""
    present = {extension.oid for extension in certificate.extensions}
    named = tuple(name for name, oid in _ENVIRONMENTS.items() if oid in present)
    return named or _EVERYWHERE


def _topic(certificate: x509.Certificate) -> str:
    """The bundle id, which Apple writes as the subject's user id."""
    names = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    topic = names[0].value if len(names) == 1 else None
    if not isinstance(topic, str) or not _TOPIC.fullmatch(topic):
        raise invalid("#/topic", "is needed: the certificate does not name one")
    return topic
