"""APNs provider tokens (JWT, ES256): one per signing key, the same in every process.

Apple refuses tokens older than an hour, and answers TooManyProviderTokenUpdates when a key's token
changes more than once in 20 minutes, whichever process minted it. So `iat` is rounded down to a
slot that all clocks share and the signature is deterministic (RFC 6979): every process that needs
a token computes the same bytes. The rules: developer.apple.com/documentation/usernotifications/
establishing-a-token-based-connection-to-apns
"""

from collections import OrderedDict

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.clock import Clock
from shared.crypto.es256 import sign_jwt
from shared.domain.credentials import ApnsCredential

SLOT_SECONDS = 3_000  # refreshed every 50 minutes
RENEWAL_AGE_SECONDS = 1_200  # Apple: not more than one new token in 20 minutes
_KEPT_MAX = 10_000


class InvalidSigningKey(ValueError):
    """The credential does not hold a P-256 private key."""


class _Token(msgspec.Struct, frozen=True):
    value: str
    issued_at: int


class ProviderTokens:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: OrderedDict[tuple[str, str, str], _Token] = OrderedDict()

    def current(self, credential: ApnsCredential) -> str:
        """The token to present now. Raises InvalidSigningKey."""
        now = int(self._clock().timestamp())
        slot = now - now % SLOT_SECONDS
        token = self._tokens.get(_name(credential))
        if (
            token is None
            or token.issued_at > now  # the clock was ahead then
            or (slot > token.issued_at and now - token.issued_at >= RENEWAL_AGE_SECONDS)
        ):  # a renewed token, which only this process has, gives way to the slot's
            token = self._mint(credential, slot)
        return token.value

    def renewed(self, credential: ApnsCredential, refused: str) -> str | None:
        """A token other than the one that Apple called expired, or None if it is too young.

        Many requests in flight are refused together: only the first of them mints.
        """
        now = int(self._clock().timestamp())
        token = self._tokens.get(_name(credential))
        if token is not None and token.value != refused:
            return token.value
        if token is not None and 0 <= now - token.issued_at < RENEWAL_AGE_SECONDS:
            return None  # Apple's clock and ours disagree; a new token would not be better
        return self._mint(credential, now).value

    def _mint(self, credential: ApnsCredential, issued_at: int) -> _Token:
        value = sign(credential.team_id, credential.key_id, credential.private_key, issued_at)
        token = self._tokens[_name(credential)] = _Token(value, issued_at)
        if len(self._tokens) > _KEPT_MAX:
            self._tokens.popitem(last=False)
        return token


def sign(team_id: str, key_id: str, private_key: str, issued_at: int) -> str:
    """The JWT with these claims, always the same bytes for the same arguments."""
    return sign_jwt(_load(private_key), {"kid": key_id}, {"iss": team_id, "iat": issued_at})


def _load(private_key: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise InvalidSigningKey from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidSigningKey
    return key


def _name(credential: ApnsCredential) -> tuple[str, str, str]:
    return credential.team_id, credential.key_id, credential.private_key
