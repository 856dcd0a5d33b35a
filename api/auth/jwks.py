"""An issuer's JWK set: fetched when needed, shared by all who wait, served stale in an outage."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import jwt
import msgspec

from api.auth.keys import keys_from_jwks
from api.errors import UnavailableError
from api.settings import Algorithm
from shared.clock import Clock
from shared.logs import get_logger

Fetch = Callable[[str], Awaitable[bytes]]  # raises FetchFailed
FRESH_FOR = timedelta(minutes=10)
ASK_AGAIN_AFTER = timedelta(seconds=30)
_log = get_logger("api.jwks")


class FetchFailed(Exception):
    """The key set could not be fetched."""


class JwksCache:
    """The keys of one issuer by `kid`."""

    def __init__(
        self, url: str, fetch: Fetch, *, algorithms: Sequence[Algorithm], clock: Clock
    ) -> None:
        self._url = url
        self._fetch = fetch
        self._algorithms = algorithms
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] | None = None
        long_ago = clock() - FRESH_FOR - ASK_AGAIN_AFTER
        self._fetched_at = self._asked_at = long_ago
        self._refresh: asyncio.Task[None] | None = None

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The key of that `kid`; without `kid` the only key of a set of one.

        Raises:
            UnavailableError: the issuer's keys have never been reached.
        """
        if self._key(kid) is None or self._clock() - self._fetched_at >= FRESH_FOR:
            await self._refreshed()
        if self._keys is None:
            raise UnavailableError
        key = self._key(kid)
        return [] if key is None else [key]

    def _key(self, kid: str | None) -> jwt.PyJWK | None:
        keys = self._keys or {}
        if kid is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    async def _refreshed(self) -> None:
        """Fetch once for everyone who waits, and not again within 30 s."""
        if self._refresh is None:
            if self._clock() - self._asked_at < ASK_AGAIN_AFTER:
                return
            self._asked_at = self._clock()
            self._refresh = asyncio.create_task(self._fetch_keys())
            self._refresh.add_done_callback(self._forget)
        await asyncio.shield(self._refresh)

    def _forget(self, _task: asyncio.Task[None]) -> None:
        self._refresh = None

    async def _fetch_keys(self) -> None:
        try:
            document = msgspec.json.decode(await self._fetch(self._url))
            self._keys = keys_from_jwks(document, self._algorithms)
            self._fetched_at = self._clock()
        except (FetchFailed, ValueError, RecursionError) as error:
            _log.warning("jwks.not_fetched", url=self._url, error=type(error).__name__)
