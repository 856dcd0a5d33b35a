"""Signs JWTs with ES256 so that the same key and claims always give the same bytes (RFC 6979)."""

import base64
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_COORDINATE_BYTES = 32


def sign_jwt(
    key: ec.EllipticCurvePrivateKey, header: Mapping[str, str], claims: Mapping[str, str | int]
) -> str:
    """The compact JWT; its members in the order given, `alg` behind those of the header."""
    signed = f"{_part({**header, 'alg': 'ES256'})}.{_part(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode("ascii"), _ALGORITHM))
    raw = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
    return f"{signed}.{_b64url(raw)}"


def _part(content: Mapping[str, str | int]) -> str:
    return _b64url(msgspec.json.encode(content))


def _b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
