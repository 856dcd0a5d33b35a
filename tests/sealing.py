"""Envelopes made by hand from RFC 7516 and 7518, so that each piece can be made wrong."""

import base64
import json
import os
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

ALGORITHM = "ECDH-ES+A256KW"
Json = dict[str, Any]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Envelope(msgspec.Struct, frozen=True):
    """The five parts, each as it is before base64url."""

    header: bytes
    key: bytes
    iv: bytes
    ciphertext: bytes
    tag: bytes

    def __str__(self) -> str:
        return ".".join(map(b64, msgspec.structs.astuple(self)))

    def but(self, **parts: bytes) -> str:
        return str(msgspec.structs.replace(self, **parts))


class Sealer:
    """Encrypts to a public JWK, with one ephemeral key."""

    def __init__(self, jwk: Json, kid: str) -> None:
        numbers = ec.EllipticCurvePublicNumbers(*_coordinates(jwk), ec.SECP256R1())
        self.kid = kid
        self.ephemeral = ec.generate_private_key(ec.SECP256R1())
        self._shared = self.ephemeral.exchange(ec.ECDH(), numbers.public_key())

    @property
    def epk(self) -> Json:
        return jwk_of(self.ephemeral.public_key())

    @property
    def header(self) -> Json:
        return {"alg": ALGORITHM, "enc": "A256GCM", "kid": self.kid, "epk": self.epk}

    def seal(self, plaintext: bytes, header: Json | bytes | None = None) -> Envelope:
        """A whole envelope; a header is taken as it is, and is what the parts were made for."""
        header = self.header if header is None else header
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        key, iv = os.urandom(32), os.urandom(12)
        sealed = AESGCM(key).encrypt(iv, plaintext, b64(raw).encode())
        return Envelope(
            raw, aes_key_wrap(self._wrapping_key(), key), iv, sealed[:-16], sealed[-16:]
        )

    def _wrapping_key(self) -> bytes:
        """RFC 7518 §4.6.2, without apu and apv."""
        name = len(ALGORITHM).to_bytes(4) + ALGORITHM.encode()
        info = name + bytes(4) + bytes(4) + (256).to_bytes(4)
        return ConcatKDFHash(SHA256(), 32, info).derive(self._shared)


def jwk_of(public: ec.EllipticCurvePublicKey) -> Json:
    numbers, size = public.public_numbers(), (public.key_size + 7) // 8
    return {
        "kty": "EC",
        "crv": f"P-{public.key_size}",
        "x": b64(numbers.x.to_bytes(size)),
        "y": b64(numbers.y.to_bytes(size)),
    }


def _coordinates(jwk: Json) -> tuple[int, int]:
    return int.from_bytes(unb64(jwk["x"])), int.from_bytes(unb64(jwk["y"]))
