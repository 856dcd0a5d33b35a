"""Google access tokens for service accounts: the JWT-bearer exchange (RFC 7523), single-flight.

The token address is ours: a service account's own `token_uri` is a stranger's URL and is ignored.
"""

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta
from urllib.parse import urlencode

import jwt
import msgspec

from shared.clock import Clock
from shared.domain.credentials import FcmCredential
from shared.outbound.interface import HttpClient, Response, TransportError
from shared.providers.outcomes import Misconfigured, Unavailable
from shared.providers.retry_after import parse_retry_after

AUDIENCE = "https://oauth2.googleapis.com/token"  # wherever the request goes (as google-auth does)
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_LIFETIME = timedelta(hours=1)
_REFRESH_EARLY = timedelta(minutes=5)
_LAST_USE_EARLY = timedelta(seconds=20)  # a token must outlive the request that carries it
_TRY_AGAIN = timedelta(seconds=30)  # between failed refreshes while the old token still works
_RENEWAL_AGE = timedelta(minutes=1)  # a token younger than this is not why Google said 401
_EXCHANGE_SECONDS = 10.0
_RESPONSE_BYTES_MAX = 65_536
_ACCOUNTS_MAX = 10_000

NoToken = Misconfigured | Unavailable


class _Answer(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: int = 3_600


class _Error(msgspec.Struct, frozen=True):
    error: str


class AccessToken(msgspec.Struct, frozen=True):
    value: str
    issued_at: datetime
    expires_at: datetime


class _Account:
    def __init__(self) -> None:
        self.token: AccessToken | None = None
        self.try_again_at: datetime | None = None
        self.exchange: asyncio.Task[AccessToken | NoToken] | None = None


class AccessTokens:
    def __init__(self, http: HttpClient, token_url: str, clock: Clock) -> None:
        self._http = http
        self._token_url = token_url
        self._clock = clock
        self._accounts: OrderedDict[FcmCredential, _Account] = OrderedDict()

    async def current(self, credential: FcmCredential, timeout: float) -> str | NoToken:
        """A token that is good now; refreshed in the background when its end is near."""
        account, now = self._account(credential), self._clock()
        token = account.token
        if token is None or now >= token.expires_at - _LAST_USE_EARLY:
            return await self._exchanged(account, credential, timeout)
        waits = account.try_again_at is not None and now < account.try_again_at
        if now >= token.expires_at - _REFRESH_EARLY and not waits:
            self._start(account, credential)
        return token.value

    async def renewed(
        self, credential: FcmCredential, refused: str, timeout: float
    ) -> str | NoToken:
        """A token other than the refused one; Misconfigured when a new one would not help."""
        account = self._account(credential)
        token = account.token
        if token is not None and token.value != refused:
            return token.value
        age = None if token is None else self._clock() - token.issued_at
        if age is not None and timedelta() <= age < _RENEWAL_AGE:  # less: the clock was set back
            return Misconfigured("UNAUTHENTICATED")
        return await self._exchanged(account, credential, timeout)

    async def aclose(self) -> None:
        tasks = [account.exchange for account in self._accounts.values() if account.exchange]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _account(self, credential: FcmCredential) -> _Account:
        account = self._accounts.get(credential)
        if account is None:
            account = self._accounts[credential] = _Account()
            if len(self._accounts) > _ACCOUNTS_MAX:
                self._accounts.popitem(last=False)
        return account

    async def _exchanged(
        self, account: _Account, credential: FcmCredential, timeout: float
    ) -> str | NoToken:
        task = self._start(account, credential)
        try:
            got = await asyncio.wait_for(asyncio.shield(task), timeout)
        except TimeoutError:
            return _unavailable("oauth_timeout")
        return got.value if isinstance(got, AccessToken) else got

    def _start(
        self, account: _Account, credential: FcmCredential
    ) -> asyncio.Task[AccessToken | NoToken]:
        if account.exchange is None:
            account.exchange = asyncio.create_task(self._refresh(account, credential))
        return account.exchange

    async def _refresh(self, account: _Account, credential: FcmCredential) -> AccessToken | NoToken:
        try:
            got = await self._exchange(credential)
        finally:
            account.exchange = None
        if isinstance(got, AccessToken):
            account.token, account.try_again_at = got, None
        else:
            account.try_again_at = self._clock() + _TRY_AGAIN
        return got

    async def _exchange(self, credential: FcmCredential) -> AccessToken | NoToken:
        now = self._clock()
        try:
            body = exchange_body(credential, now)
        except (jwt.PyJWTError, ValueError, TypeError):
            return Misconfigured("invalid_service_account_key")
        try:
            response = await self._http.request(
                "POST",
                self._token_url,
                {"content-type": "application/x-www-form-urlencoded"},
                body,
                timeout=_EXCHANGE_SECONDS,
                max_response_bytes=_RESPONSE_BYTES_MAX,
            )
        except TransportError:
            return _unavailable("oauth_unreachable")
        return read_token(response, now)


def exchange_body(credential: FcmCredential, now: datetime) -> bytes:
    """The form with its signed assertion. Raises what PyJWT raises for a key that is none."""
    claims = {
        "iss": credential.client_email,
        "scope": SCOPE,
        "aud": AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int((now + _ASSERTION_LIFETIME).timestamp()),
    }
    key_id = {"kid": credential.private_key_id}
    assertion = jwt.encode(claims, credential.private_key, algorithm="RS256", headers=key_id)
    return urlencode({"grant_type": _GRANT, "assertion": assertion}).encode("ascii")


def read_token(response: Response, now: datetime) -> AccessToken | NoToken:
    # 200 access_token | 400 invalid_grant, invalid_scope | 401 invalid_client,
    # unauthorized_client: the account is wrong. 408, 429, 5xx, temporarily_unavailable: later.
    try:
        if response.status == 200:  # noqa: PLR2004
            answer = msgspec.json.decode(response.body, type=_Answer)
            return AccessToken(
                answer.access_token, now, now + timedelta(seconds=max(0, answer.expires_in))
            )
        error = msgspec.json.decode(response.body, type=_Error).error
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
        error = "unreadable"
    wait = parse_retry_after(response.headers.get("retry-after"), now)
    if response.status in {400, 401, 403} and error in _REFUSALS:
        return Misconfigured(f"oauth_{error}")
    return _unavailable(f"oauth_http_{response.status}", wait)


_REFUSALS = frozenset(
    {"invalid_grant", "invalid_scope", "invalid_client", "unauthorized_client", "invalid_request"}
)


def _unavailable(reason: str, wait: float | None = None) -> Unavailable:
    """No push was sent: only the exchange before it failed."""
    return Unavailable(reason, wait, "credential", never_sent=True)
