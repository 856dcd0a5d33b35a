"""APNs provider tokens: which keys are registered, which JWT a connection may use."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

FUTURE_SKEW_SECONDS = 300
VERIFIED_MAX = 1000


class ApnsSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Knobs. The documents say 1 h and 20 min; tests scale them down."""

    token_age_seconds: float = 3600
    token_refresh_seconds: float = 1200
    # issued: two JWTs too close by `iat`; arrival: by when they came, however old they are
    token_refresh_rule: Literal["issued", "arrival"] = "issued"
    # Apple says per connection; field reports say per key.
    token_refresh_scope: Literal["connection", "key"] = "connection"
    # After ExpiredProviderToken the connection rejects every token (jchambers/pushy).
    wedges_after_expired: bool = False
    initial_streams: int | None = 1
    streams: int = 1000
    shrinks_on_403: bool = False
    on_excess: Literal["refuse", "goaway"] = "refuse"
    window_bytes: int = 65_535
    omits_apns_id: bool = False
    # BadDeviceToken answers on a connection after which it is told to go; null = any number
    bad_tokens_per_connection: int | None = None


class ApnsKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A registered `.p8`'s public half; no topics means any."""

    team_id: str
    key_id: str
    public_key_pem: str
    topics: tuple[str, ...] = ()
    environments: tuple[Literal["production", "sandbox"], ...] = ("production", "sandbox")


@dataclass(frozen=True, slots=True)
class _Verified:
    jwt: str
    key: ApnsKey
    issued_at: float


@dataclass(slots=True)
class TokenUse:
    """The JWT in use on one connection (or of one key), and since when."""

    current: _Verified | None = None
    changed_at: float = 0.0
    is_wedged: bool = False
    jwts: set[str] = field(default_factory=set)


class ProviderTokens:
    """Verifies `authorization` headers; a signature is checked once per distinct JWT."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[ApnsKey, ec.EllipticCurvePublicKey]] = {}
        self._verified: dict[str, _Verified] = {}
        self._use_by_key: dict[str, TokenUse] = {}
        self.distinct: set[str] = set()
        self.most_on_a_connection = 0

    def put_key(self, key: ApnsKey) -> None:
        """Register or replace a key; raises ValueError for what is not a P-256 public key."""
        public = load_pem_public_key(key.public_key_pem.encode())
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
            raise ValueError("not a P-256 public key")
        self._keys[key.key_id] = (key, public)
        self._verified.clear()

    def remove_key(self, key_id: str) -> bool:
        """Revoke a key; false when it is not registered."""
        self._verified.clear()
        return self._keys.pop(key_id, None) is not None

    def check(
        self, header: str | None, use: TokenUse, environment: str, settings: ApnsSettings
    ) -> ApnsKey | str:
        """The key that signed, or the documented 403/429 reason."""
        if header is None or not header.strip():
            return "MissingProviderToken"
        if use.is_wedged:
            return "ExpiredProviderToken"
        verified = self._verified.get(header) or self._verify(header)
        if verified is None:
            return "InvalidProviderToken"
        now = time.time()
        if now - verified.issued_at > settings.token_age_seconds:
            use.is_wedged = settings.wedges_after_expired
            return "ExpiredProviderToken"
        if verified.issued_at - now > FUTURE_SKEW_SECONDS:
            return "InvalidProviderToken"
        if environment not in verified.key.environments:
            return "BadEnvironmentKeyInToken"
        if use.current is not None and use.current.key.team_id != verified.key.team_id:
            return "InvalidProviderToken"  # one connection speaks for one team
        if use.current is not None and use.current.key.key_id != verified.key.key_id:
            return "UnrelatedKeyIdInToken"  # and for the key of its first push
        self.distinct.add(verified.jwt)
        use.jwts.add(verified.jwt)
        self.most_on_a_connection = max(self.most_on_a_connection, len(use.jwts))
        if settings.token_refresh_scope == "key":
            use = self._use_by_key.setdefault(verified.key.key_id, TokenUse())
        return _changed_too_soon(use, verified, now, settings) or verified.key

    def forget_uses(self) -> None:
        """Drop what is counted, keep the keys."""
        self._use_by_key.clear()
        self.distinct.clear()
        self.most_on_a_connection = 0

    def _verify(self, header: str) -> _Verified | None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token.strip()
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key, public = self._keys[str(kid)]
            # PyJWT checks alg and signature; the claims have APNs's own rules.
            unchecked = {
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
            }
            claims = jwt.decode(token, public, algorithms=["ES256"], options=unchecked)  # type: ignore[arg-type]
        except (KeyError, jwt.PyJWTError):
            return None
        issued_at = claims.get("iat")
        if (
            claims.get("iss") != key.team_id
            or isinstance(issued_at, bool)
            or not isinstance(issued_at, int | float)
        ):
            return None
        if len(self._verified) >= VERIFIED_MAX:
            self._verified.clear()
        self._verified[header] = _Verified(token, key, float(issued_at))
        return self._verified[header]


def _changed_too_soon(
    use: TokenUse, verified: _Verified, now: float, settings: ApnsSettings
) -> str | None:
    if use.current is not None and use.current.jwt != verified.jwt:
        by_issue = abs(verified.issued_at - use.current.issued_at)
        elapsed = by_issue if settings.token_refresh_rule == "issued" else now - use.changed_at
        if elapsed < settings.token_refresh_seconds:
            return "TooManyProviderTokenUpdates"
    if use.current is None or use.current.jwt != verified.jwt:
        use.current, use.changed_at = verified, now
    return None
