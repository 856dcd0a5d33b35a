"""The built-in issuer: one ES256 key, sealed in MongoDB and shared by all processes."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from api.auth.keys import public_jwk
from api.settings import TrustedIssuer
from shared.clock import Clock
from shared.storage.keys import KeyRepository

KEY_NAME = "issuer"


class BuiltInIssuer:
    """Mints tokens and, as a KeySource, gives the key to verify them; `load` it before use."""

    def __init__(self, url: str, keys: KeyRepository, clock: Clock) -> None:
        self._url = url
        self._keys = keys
        self._clock = clock
        self._private: ec.EllipticCurvePrivateKey | None = None
        self._public: list[jwt.PyJWK] = []

    async def load(self) -> None:
        """Read the key; the first process of all makes it.

        Raises:
            StorageUnavailable: MongoDB does not answer.
        """
        stored = await self._keys.get_or_create(KEY_NAME, _new_key)
        private = load_der_private_key(stored, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("the stored issuer key is no EC key")
        self._private = private
        plain = public_jwk(private.public_key())
        self._public = [public_jwk(private.public_key(), _thumbprint(plain))]

    @property
    def is_loaded(self) -> bool:
        return self._private is not None

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        return [key for key in self._public if key.key_id == kid]

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public JWK set (RFC 7517)."""
        shared = {"use": "sig", "alg": "ES256"}
        return {"keys": [_members(key) | {"kid": key.key_id} | shared for key in self._public]}

    def mint_service(self, app_id: UUID, scopes: Iterable[str], lifetime: timedelta) -> str:
        claims = {"token_type": "service", "scope": " ".join(scopes)}
        return self._mint(str(app_id), claims, lifetime)

    def mint_user(
        self,
        user_id: UUID,
        app_id: UUID,
        roles: Sequence[str],
        lifetime: timedelta,
        *,
        tenant_id: str | None = None,
    ) -> str:
        claims: dict[str, Any] = {"aud": str(app_id), "roles": list(roles)}
        if tenant_id is not None:
            claims["tenant_id"] = tenant_id
        return self._mint(str(user_id), claims, lifetime)

    def _mint(self, subject: str, claims: dict[str, Any], lifetime: timedelta) -> str:
        if self._private is None:
            raise RuntimeError("the issuer's key is not loaded")
        now = self._clock()
        registered = {
            "iss": self._url,
            "sub": subject,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "jti": str(uuid4()),
        }
        headers = {"kid": self._public[0].key_id}
        return jwt.encode(registered | claims, self._private, algorithm="ES256", headers=headers)


def trust_in_ourselves(url: str, *, is_local: bool) -> TrustedIssuer:
    """Outside local mode the built-in issuer mints service tokens only, so it grants no more."""
    return TrustedIssuer(
        issuer=url,
        algorithms=("ES256",),
        jwks_url=f"{url}/.well-known/jwks.json",
        max_role="platform_admin" if is_local else "user",
    )


def _new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _members(key: jwt.PyJWK) -> dict[str, Any]:
    """The members that RFC 7638 §3.2 requires of an EC key, in its order."""
    jwk = key.Algorithm.to_jwk(key.key, as_dict=True)
    return {name: jwk[name] for name in ("crv", "kty", "x", "y")}


def _thumbprint(key: jwt.PyJWK) -> str:
    digest = hashlib.sha256(msgspec.json.encode(_members(key))).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
