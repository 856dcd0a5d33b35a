"""Verification keys: each bound to exactly one algorithm, never chosen by a token."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from api.settings import Algorithm

RSA_BITS_MIN = 2_048
HMAC_BYTES_MIN = 32
_WANTED = "keys are RSA of at least 2,048 bits, P-256 or Ed25519"
_KINDS = ("RSA", "EC", "OKP")


class KeySource(Protocol):
    """Where an issuer's keys come from."""

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The keys that may have signed a token with this `kid`."""
        ...


class StaticKeys:
    """Keys from settings: they have no `kid`, so each of them is tried."""

    def __init__(self, keys: Sequence[jwt.PyJWK]) -> None:
        self._keys = keys

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:  # noqa: ARG002
        return self._keys


def keys_from_pem(texts: Iterable[str]) -> list[jwt.PyJWK]:
    """Public keys in PEM.

    Raises:
        ValueError: no PEM, or a kind of key that no algorithm of ours uses.
    """
    return [public_jwk(load_pem_public_key(text.encode())) for text in texts]


def key_from_secret(secret: str) -> jwt.PyJWK:
    """An HS256 key.

    Raises:
        ValueError: shorter than 32 bytes (RFC 7518 §3.2).
    """
    if len(secret.encode()) < HMAC_BYTES_MIN:
        raise ValueError("a shared secret needs at least 32 bytes")
    key = jwt.utils.base64url_encode(secret.encode()).decode()
    return jwt.PyJWK({"kty": "oct", "k": key}, algorithm="HS256")


def public_jwk(key: object, kid: str | None = None) -> jwt.PyJWK:
    """A public key with the one algorithm that it is for."""
    fields: dict[str, Any]
    algorithm: Algorithm
    match key:
        case rsa.RSAPublicKey() if key.key_size >= RSA_BITS_MIN:
            fields, algorithm = RSAAlgorithm.to_jwk(key, as_dict=True), "RS256"
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1):
            fields, algorithm = ECAlgorithm.to_jwk(key, as_dict=True), "ES256"
        case ed25519.Ed25519PublicKey():
            fields, algorithm = OKPAlgorithm.to_jwk(key, as_dict=True), "EdDSA"
        case _:
            raise ValueError(_WANTED)
    extra = {} if kid is None else {"kid": kid}
    return jwt.PyJWK(fields | extra, algorithm=algorithm)


def keys_from_jwks(document: object, algorithms: Sequence[Algorithm]) -> dict[str, jwt.PyJWK]:
    """The usable signature keys of a JWK set by `kid`; what we cannot use is passed over.

    Raises:
        ValueError: the document is no JWK set.
    """
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise ValueError("not a JWK set")  # noqa: TRY004 a document from outside
    found: dict[str, jwt.PyJWK] = {}
    for row in rows:
        key = _usable(row, algorithms) if isinstance(row, dict) else None
        if key is not None and key.key_id is not None:
            found.setdefault(key.key_id, key)
    return found


def _usable(row: Mapping[str, Any], algorithms: Sequence[Algorithm]) -> jwt.PyJWK | None:
    try:
        is_signing = row.get("use", "sig") == "sig" and "verify" in row.get("key_ops", ["verify"])
        if row["kty"] not in _KINDS or not is_signing or "d" in row:
            return None
        stated = "EdDSA" if row.get("alg") == "Ed25519" else row.get("alg")  # RFC 9864
        key = public_jwk(jwt.PyJWK({**row, "alg": None}).key, str(row["kid"]))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    bound = key.algorithm_name
    return key if bound in algorithms and stated in (None, bound) else None
