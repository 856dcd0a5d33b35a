"""RFC 8291 message encryption (aes128gcm, one record) for one push.

pywebpush does the same, and does not refuse what needs a second record; the tests hold the two
against each other, against the RFC's vector and against a decryptor in another language. Most of
the time is OpenSSL's: a key pair and an agreement, which each push needs of its own.
"""

import hmac
import os
import struct
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PLAINTEXT_BYTES_MAX = 3_993  # 4,096 of body less header 86, tag 16 and delimiter 1
_RECORD_BYTES = 4_096
_LAST_RECORD = b"\x02"
_SALT_BYTES = 16
_POINT_BYTES = 65
_AUTH_BYTES = 16
_SIZES = struct.pack("!IB", _RECORD_BYTES, _POINT_BYTES)
_CURVE = ec.SECP256R1()
_ECDH = ec.ECDH()


class Receiver(NamedTuple):
    """For whom to encrypt: a browser's public key, also as its 65 bytes, and its secret."""

    key: ec.EllipticCurvePublicKey
    point: bytes
    auth_secret: bytes


def read_receiver(point: bytes, auth_secret: bytes) -> Receiver:
    """Raises ValueError for a key that is not a point of P-256, or a length that is wrong."""
    if len(point) != _POINT_BYTES or len(auth_secret) != _AUTH_BYTES:
        raise ValueError("wrong length")
    key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
    return Receiver(key, point, auth_secret)


def encrypt(
    plaintext: bytes,
    receiver: Receiver,
    *,
    sender: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The request body. `sender` and `salt` are for the vectors: each push needs fresh ones.

    Raises ValueError for a plaintext that is empty (send no body instead) or too long.
    """
    if not 1 <= len(plaintext) <= PLAINTEXT_BYTES_MAX:
        raise ValueError("the plaintext is empty or needs more than one record")
    sender = sender or ec.generate_private_key(_CURVE)
    salt = salt or os.urandom(_SALT_BYTES)
    sender_point = sender.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    prk_key = _hmac(receiver.auth_secret, sender.exchange(_ECDH, receiver.key))
    ikm = _hmac(prk_key, b"WebPush: info\0" + receiver.point + sender_point + b"\x01")
    prk = _hmac(salt, ikm)
    key = _hmac(prk, b"Content-Encoding: aes128gcm\0\x01")[:16]
    nonce = _hmac(prk, b"Content-Encoding: nonce\0\x01")[:12]
    record = AESGCM(key).encrypt(nonce, plaintext + _LAST_RECORD, None)
    return salt + _SIZES + sender_point + record


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")  # by name: OpenSSL's one-shot path
