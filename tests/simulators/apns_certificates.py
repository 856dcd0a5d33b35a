"""APNs push certificates: which ones are registered, and for what."""

from __future__ import annotations

import ssl
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


class ApnsCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A push certificate's public half; no topics means any."""

    certificate_pem: str
    topics: tuple[str, ...] = ()
    environments: tuple[Literal["production", "sandbox"], ...] = ("production", "sandbox")
    is_revoked: bool = False


class ApnsCertificates:
    """A handshake takes what was registered; anything else in it is refused by TLS itself."""

    def __init__(self) -> None:
        self._certificates: dict[bytes, ApnsCertificate] = {}
        self._context: ssl.SSLContext | None = None

    def ask_in(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Have handshakes ask for a certificate; a client without one passes too."""
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # each is trusted by itself
        self._context = context
        return context

    def put(self, certificate: ApnsCertificate) -> None:
        """Register or replace a certificate; raises ValueError for what is none."""
        read = x509.load_pem_x509_certificate(certificate.certificate_pem.encode())
        self._certificates[read.public_bytes(Encoding.DER)] = certificate
        if self._context is not None:
            self._context.load_verify_locations(cadata=certificate.certificate_pem)

    def check(self, certificate: bytes, environment: str) -> ApnsCertificate | str:
        """The certificate that a connection showed, or the documented 403 reason."""
        known = self._certificates.get(certificate)
        if known is None or known.is_revoked:
            return "BadCertificate"
        return known if environment in known.environments else "BadCertificateEnvironment"
