"""Access tokens: verified against trusted issuers with fixed algorithms (RFC 8725)."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec

from api.auth.keys import KeySource
from api.auth.principals import Principal, principal_of
from api.settings import TrustedIssuer
from shared.clock import Clock

LEEWAY = timedelta(seconds=30)
CACHED_FOR = timedelta(seconds=60)
CACHED_MAX = 10_000
TOKEN_CHARACTERS_MAX = 8_192
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REFUSED_HEADERS = frozenset(["crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc"])
_TYPES = frozenset(["jwt", "at+jwt", "application/at+jwt"])
_JWS = jwt.PyJWS()
_SECONDS_MAX = 253_402_300_799  # the year 9999, where datetime ends


class Issuer(msgspec.Struct, frozen=True):
    """A trusted issuer and where its keys come from."""

    trust: TrustedIssuer
    keys: KeySource


class _Unverified(msgspec.Struct, frozen=True):
    header: dict[str, Any]
    claims: dict[str, Any]


class TokenVerifier:
    """Turns a token into a principal; remembers those that passed for up to a minute."""

    def __init__(self, issuers: Sequence[Issuer], clock: Clock) -> None:
        self._issuers = {issuer.trust.issuer: issuer for issuer in issuers}
        self._clock = clock
        self._verified: dict[bytes, tuple[Principal, datetime]] = {}

    async def verify(self, token: str) -> Principal | None:
        """The caller, or None for anything but a valid token of a trusted issuer.

        Raises:
            UnavailableError: the issuer's keys have never been reached.
        """
        if len(token) > TOKEN_CHARACTERS_MAX:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        cached = self._verified.get(digest)
        if cached is not None and self._clock() < cached[1]:
            return cached[0]
        parsed = _parse(token)
        principal = await self._principal(token, parsed) if parsed else None
        if parsed and principal:
            self._remember(digest, principal, parsed.claims["exp"])
        return principal

    async def _principal(self, token: str, parsed: _Unverified) -> Principal | None:
        name = parsed.claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None or not _is_current(parsed.claims, self._clock()):
            return None
        if not await _is_signed(token, parsed.header, issuer):
            return None
        return principal_of(parsed.claims, issuer.trust)

    def _remember(self, digest: bytes, principal: Principal, expires: float) -> None:
        now = self._clock()
        until = min(datetime.fromtimestamp(expires, UTC), now + CACHED_FOR)
        if until <= now:
            return
        self._verified.pop(digest, None)
        while len(self._verified) >= CACHED_MAX:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = (principal, until)


def _parse(token: str) -> _Unverified | None:
    """Header and claims, unverified, of a well-formed compact JWS without odd headers."""
    if not token.isascii() or _COMPACT.fullmatch(token) is None:
        return None
    parts = token.split(".")
    try:
        raw = [jwt.utils.base64url_decode(part) for part in parts]
        header, claims = (msgspec.json.decode(part, type=dict[str, Any]) for part in raw[:2])
    except (ValueError, RecursionError):
        return None
    # Unused bits of the last character would let one signature have several texts.
    is_canonical = parts == [jwt.utils.base64url_encode(part).decode() for part in raw]
    if not is_canonical or _REFUSED_HEADERS & header.keys():
        return None
    kid, kind = header.get("kid", ""), header.get("typ", "JWT")
    if not isinstance(kid, str) or not isinstance(kind, str) or kind.lower() not in _TYPES:
        return None
    return _Unverified(header, claims)


def _is_current(claims: Mapping[str, Any], now: datetime) -> bool:
    expires, issued = _instant(claims.get("exp")), _instant(claims.get("iat"))
    starts = _instant(claims["nbf"]) if "nbf" in claims else issued
    if expires is None or issued is None or starts is None:
        return False
    seconds, leeway = now.timestamp(), LEEWAY.total_seconds()
    return expires > seconds - leeway and max(issued, starts) <= seconds + leeway


def _instant(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= _SECONDS_MAX else None


async def _is_signed(token: str, header: Mapping[str, Any], issuer: Issuer) -> bool:
    """Whether a key of the issuer, with the algorithm it is bound to, signed the token."""
    for key in await issuer.keys.candidates(header.get("kid")):
        algorithm = key.algorithm_name
        if algorithm != header.get("alg") or algorithm not in issuer.trust.algorithms:
            continue
        try:
            _JWS.decode_complete(token, key=key, algorithms=[algorithm])
        except jwt.PyJWTError:
            continue
        return True
    return False
