"""Wire format of the built-in issuer: tokens and faults as in RFC 6749, keys as in RFC 7517."""

from typing import Literal

import msgspec

FaultCode = Literal["invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type"]


class TokenAnswer(msgspec.Struct, frozen=True):
    """RFC 6749 §5.1; `expires_in` seconds."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    scope: str


class TokenFault(msgspec.Struct, frozen=True):
    """RFC 6749 §5.2."""

    error: FaultCode
    error_description: str


class Jwk(msgspec.Struct, frozen=True):
    """A public key (RFC 7517); its coordinates in base64url."""

    kid: str
    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    use: Literal["sig"]
    alg: Literal["ES256"]


class KeySetAnswer(msgspec.Struct, frozen=True):
    """The public keys that verify the issuer's tokens."""

    keys: list[Jwk]
