"""The browser's half of Web Push: decrypt RFC 8291 bodies, verify RFC 8292 credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import struct
import time
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER_BYTES = 86  # salt 16, record size 4, id length 1, key id 65
RECORD_BYTES_MIN = 17  # delimiter and tag
VAPID_SECONDS_MAX = 86_400
VERIFIED_MAX = 5000


class BadBodyError(Exception):
    """The body is not one aes128gcm record that this subscription can read."""


class BadVapidError(Exception):
    """The Authorization header is not a good VAPID credential; `kind` says which check failed."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def decode_base64url(text: str) -> bytes:
    """Strict: no padding, nothing outside the alphabet."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode_base64url(data: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def load_point(point: bytes) -> ec.EllipticCurvePublicKey:
    """An uncompressed P-256 point; raises ValueError off the curve."""
    if len(point) != 65 or point[0] != 4:
        raise ValueError("not an uncompressed P-256 point")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def decrypt(body: bytes, private: ec.EllipticCurvePrivateKey, public: bytes, auth: bytes) -> bytes:
    """The plaintext of an aes128gcm body (RFC 8188, one record; RFC 8291); raises BadBodyError."""
    if len(body) < HEADER_BYTES + RECORD_BYTES_MIN:
        raise BadBodyError("shorter than a header and a record")
    salt, (record_bytes, id_bytes) = body[:16], struct.unpack("!IB", body[16:21])
    if id_bytes != 65:
        raise BadBodyError("key id is not 65 bytes")
    sender, record = body[21:HEADER_BYTES], body[HEADER_BYTES:]
    if record_bytes < RECORD_BYTES_MIN + 1 or len(record) > record_bytes:
        raise BadBodyError("record size too small, or more than one record")
    try:
        secret = private.exchange(ec.ECDH(), load_point(sender))
        ikm = _hmac(_hmac(auth, secret), b"WebPush: info\0" + public + sender + b"\x01")
        key, nonce = _key_and_nonce(_hmac(salt, ikm))
        padded = AESGCM(key).decrypt(nonce, record, None)
    except (ValueError, InvalidTag) as error:
        raise BadBodyError(type(error).__name__) from error
    text = padded.rstrip(b"\0")
    if not text.endswith(b"\x02"):
        raise BadBodyError("no last-record delimiter")
    return text[:-1]


class VapidVerifier:
    """Checks Authorization headers; a signature is verified once per distinct header."""

    def __init__(self) -> None:
        self._verified: dict[str, tuple[dict[str, Any], bytes]] = {}

    def check(
        self, header: str, origin: str, subscription_key: bytes | None, now: float | None = None
    ) -> dict[str, Any]:
        """The claims; raises BadVapidError: scheme, malformed, signature, aud, exp or key."""
        now = time.time() if now is None else now
        if header not in self._verified:
            if len(self._verified) >= VERIFIED_MAX:
                self._verified.clear()
            self._verified[header] = _verify(header)
        claims, key = self._verified[header]
        audience, expires_at = claims.get("aud"), claims.get("exp")
        if origin not in (audience if isinstance(audience, list) else [audience]):
            raise BadVapidError("aud")
        if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
            raise BadVapidError("exp")
        if not now < expires_at <= now + VAPID_SECONDS_MAX:
            raise BadVapidError("exp")
        if subscription_key is not None and key != subscription_key:
            raise BadVapidError("key")
        return claims

    def key_of(self, header: str) -> bytes:
        """The public key of a header that was checked."""
        return self._verified[header][1]


def _verify(header: str) -> tuple[dict[str, Any], bytes]:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "vapid":
        raise BadVapidError("scheme")
    pairs = (part.strip().partition("=") for part in rest.split(","))
    params = {name: value.strip('"') for name, _, value in pairs}
    try:
        head, claims, signature = params["t"].split(".")
        point = decode_base64url(params["k"])
        public = load_point(point)
        raw = decode_base64url(signature)
        algorithm = json.loads(decode_base64url(head))["alg"]
        content = json.loads(decode_base64url(claims))
    except (KeyError, ValueError, TypeError) as error:
        raise BadVapidError("malformed") from error
    if algorithm != "ES256" or len(raw) != 64 or not isinstance(content, dict):
        raise BadVapidError("malformed")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        public.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise BadVapidError("signature") from error
    return content, point


def _key_and_nonce(prk: bytes) -> tuple[bytes, bytes]:
    key = _hmac(prk, b"Content-Encoding: aes128gcm\0\x01")[:16]
    nonce = _hmac(prk, b"Content-Encoding: nonce\0\x01")[:12]
    return key, nonce


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
