"""VAPID (RFC 8292): an application server's key pair and the header that it signs."""

import base64
from collections import OrderedDict
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.clock import Clock

LIFETIME = timedelta(hours=12)  # RFC 8292 allows 24; the rest is for clocks that differ
SIGN_AGAIN = timedelta(hours=2)  # before the end; so never more than hourly, as Apple asks
_KEPT_MAX = 10_000
_SCALAR_BYTES = 32


class VapidKeys(msgspec.Struct, frozen=True, kw_only=True):
    """base64url without padding: the 32-byte scalar and the 65-byte uncompressed point."""

    private_key: str
    public_key: str


def generate_keys() -> VapidKeys:
    key = ec.generate_private_key(ec.SECP256R1())
    scalar = key.private_numbers().private_value.to_bytes(_SCALAR_BYTES, "big")
    return VapidKeys(private_key=b64url_encode(scalar), public_key=public_key_of(key))


def load_private_key(private_key: str) -> ec.EllipticCurvePrivateKey:
    """The key of this scalar. Raises ValueError."""
    raw = b64url_decode(private_key)
    if len(raw) != _SCALAR_BYTES:
        raise ValueError("a VAPID private key has 32 bytes")
    return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())


def public_key_of(key: ec.EllipticCurvePrivateKey) -> str:
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return b64url_encode(point)


def origin_of(endpoint: str) -> str:
    """Scheme, host and a port that is not the default: what `aud` must be."""
    parts = urlsplit(endpoint)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def authorization(private_key: str, subject: str, audience: str, expires_at: datetime) -> str:
    """The `vapid t=…, k=…` header for one origin. Raises ValueError for a key that is none."""
    key = load_private_key(private_key)
    claims = {"aud": audience, "exp": int(expires_at.timestamp()), "sub": subject}
    return f"vapid t={jwt.encode(claims, key, algorithm='ES256')}, k={public_key_of(key)}"


class VapidHeaders:
    """One signed header per key, subject and origin, used again until its end is near."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._headers: OrderedDict[tuple[str, str, str], tuple[str, datetime]] = OrderedDict()

    def authorization(self, private_key: str, subject: str, audience: str) -> str:
        """A header with at least two hours to live. Raises ValueError for a key that is none."""
        name, now = (private_key, subject, audience), self._clock()
        kept = self._headers.get(name)
        if kept is not None and kept[1] - now >= SIGN_AGAIN:
            return kept[0]
        expires_at = now + LIFETIME
        header = authorization(private_key, subject, audience, expires_at)
        self._headers[name] = (header, expires_at)
        if len(self._headers) > _KEPT_MAX:
            self._headers.popitem(last=False)
        return header


def b64url_encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Strict: no padding needed, no character outside the alphabet. Raises ValueError."""
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True)
