"""VAPID (RFC 8292): an application server's key pair and the header that it signs."""

import base64
from collections import OrderedDict
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.clock import Clock
from shared.crypto.es256 import sign_jwt

SLOT_SECONDS = 28_800  # one header is used for eight hours
LIFETIME_SECONDS = 43_200  # RFC 8292 allows 24 hours; the rest is for clocks that differ
# Apple: "don't refresh the token more than once per hour". Else a subscription that was made with
# another key, which Mozilla tells with a 401 too, would have each push to it signed anew.
RENEWAL_AGE_SECONDS = 3_600
_KEPT_MAX = 10_000
_SCALAR_BYTES = 32
_Name = tuple[str, str, str]  # private key, subject, audience


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


def authorization(private_key: str, subject: str, audience: str, expires_at: int) -> str:
    """The `vapid t=…, k=…` header for one origin, the same bytes for the same arguments.

    Raises ValueError for a key that is none.
    """
    key = load_private_key(private_key)
    claims: dict[str, str | int] = {"aud": audience, "exp": expires_at, "sub": subject}
    return f"vapid t={sign_jwt(key, {'typ': 'JWT'}, claims)}, k={public_key_of(key)}"


class _Kept(NamedTuple):
    header: str
    issued_at: int

    def is_current(self, now: int) -> bool:
        """Not when a clock that was wrong, and was set since, has put it into the future."""
        return 0 <= now - self.issued_at < SLOT_SECONDS


class VapidHeaders:
    """One signed header per key, subject and origin, the same in every process.

    It is issued at the beginning of a slot that all clocks share, so that a push service sees one
    header of an app however many workers there are.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[_Name, _Kept] = OrderedDict()

    def authorization(self, private_key: str, subject: str, audience: str) -> str:
        """A header with at least four hours to live. Raises ValueError for a key that is none."""
        name, now = (private_key, subject, audience), self._now()
        kept = self._kept.get(name)
        if kept is None or not kept.is_current(now):
            return self._sign(name, now - now % SLOT_SECONDS)
        self._kept.move_to_end(name)
        return kept.header

    def renewed(self, private_key: str, subject: str, audience: str, *, refused: str) -> str | None:
        """Another header than the one that a push service refused; None if there can be none yet.

        Key, subject and audience would be the same, so signing again cures only a time that the
        service does not like: a header of this hour stays as it is.
        """
        name, now = (private_key, subject, audience), self._now()
        kept = self._kept.get(name)
        if kept is None or kept.header != refused:  # signed anew while the answer was on its way
            return self.authorization(private_key, subject, audience)
        if abs(now - kept.issued_at) < RENEWAL_AGE_SECONDS:
            return None
        return self._sign(name, now - now % RENEWAL_AGE_SECONDS)

    def _now(self) -> int:
        return int(self._clock().timestamp())

    def _sign(self, name: _Name, issued_at: int) -> str:
        header = authorization(*name, issued_at + LIFETIME_SECONDS)
        self._kept[name] = _Kept(header, issued_at)
        self._kept.move_to_end(name)
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return header


def b64url_encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Strict: no padding needed, no character outside the alphabet. Raises ValueError."""
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True)
