"""Client credentials (RFC 6749 §4.4): an app's secret against a short-lived service token."""

import hmac
import math
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from api.auth.guards import PUSH_ENROLL, PUSH_SEND
from api.auth.issuer import BuiltInIssuer
from api.services.apps import secret_hash
from shared.crypto.keyring import Keyring
from shared.storage.apps import AppRepository
from shared.storage.limits import LimitRepository

LIFETIME = timedelta(minutes=15)
SCOPES = (PUSH_SEND, PUSH_ENROLL)
DEFAULT_SCOPES = (PUSH_SEND,)
FAILURES_MAX = 10
FAILURE_WINDOW = timedelta(minutes=15)
_NO_APP = UUID(int=0)


class Granted(msgspec.Struct, frozen=True):
    access_token: str
    scopes: Sequence[str]


class Denied(msgspec.Struct, frozen=True):
    """Unknown client or wrong secret."""


class Blocked(msgspec.Struct, frozen=True):
    """Denied, and there were too many failures before."""

    wait_seconds: int


class ClientTokenService:
    """A correct secret always passes: wrong ones from elsewhere cannot lock an app out."""

    def __init__(
        self, apps: AppRepository, limits: LimitRepository, issuer: BuiltInIssuer, keyring: Keyring
    ) -> None:
        self._apps = apps
        self._limits = limits
        self._issuer = issuer
        self._keyring = keyring

    async def grant(
        self, client_id: UUID | None, secret: str, scopes: Sequence[str], *, address: str
    ) -> Granted | Denied | Blocked:
        """A token for the app, if the secret is its own; `scopes` are of SCOPES."""
        app_id = client_id or _NO_APP
        if await self._is_right(app_id, secret):
            chosen = tuple(scopes) or DEFAULT_SCOPES
            return Granted(self._issuer.mint_service(app_id, chosen, LIFETIME), chosen)
        key = f"{app_id}:{address}"
        failure = await self._limits.try_failure(key, most=FAILURES_MAX, window=FAILURE_WINDOW)
        return Denied() if failure.is_taken else Blocked(math.ceil(failure.frees_seconds))

    async def _is_right(self, app_id: UUID, secret: str) -> bool:
        """The same work whether the app exists or not."""
        stored = await self._apps.client_secret_hash(app_id)
        given = secret_hash(self._keyring, app_id, secret)
        return hmac.compare_digest(stored or b"", given)
