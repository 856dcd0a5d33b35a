"""What else Pushy can be asked: topics, presence, pushes to many (pushy.me/docs/api).

The secret API key travels in the query string, so no text made from a URL leaves this module.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import msgspec
from msgspec import Meta

from shared.clock import Clock, utc_now
from shared.outbound.interface import HttpClient, Response, TransportError
from shared.providers.retry_after import parse_retry_after

PRESENCE_TOKENS_MAX = 1_000
_ANSWER_BYTES_MAX = 8_388_608  # a push to 100,000 tokens may name each of them as failed
_PAGES_MAX = 1_000  # of 1,000 subscribers
AnswerT = TypeVar("AnswerT")


class PushyFault(msgspec.Struct, frozen=True):
    """Pushy did not do it. `code` is Pushy's own, None when it could not be asked or understood.

    `maybe_done`: the request was written and no answer came. `retry_after_seconds` is Pushy's wish.
    """

    code: str | None
    status: int = 0
    maybe_done: bool = False
    retry_after_seconds: float | None = None


class PushReceipt(msgspec.Struct, frozen=True):
    """A push that Pushy took: its id, how many devices it goes to, and tokens it does not know."""

    push_id: str | None
    device_count: int
    failed: tuple[str, ...]


class Presence(msgspec.Struct, frozen=True):
    """Whether a device can still be reached: an app that was uninstalled cannot."""

    id: str
    uninstalled: bool = False
    unsubscribed: bool = False


class _Info(msgspec.Struct, frozen=True):
    devices: int = 0
    failed: tuple[str, ...] = ()


class _Pushed(msgspec.Struct, frozen=True):
    success: bool = False
    id: str | None = None
    info: _Info = _Info()


class _Done(msgspec.Struct, frozen=True):
    success: bool = False


class _Subscribers(msgspec.Struct, frozen=True):
    subscribers: tuple[str, ...]
    pagination: str | None = None


class _Presences(msgspec.Struct, frozen=True):
    presence: tuple[Presence, ...] = ()


class _Error(msgspec.Struct, frozen=True):
    code: Annotated[str, Meta(pattern="^[A-Z0-9_]{1,64}$")] | None = None


class PushyApi:
    """One call each, within the timeout, never raising for what Pushy or the network does."""

    def __init__(
        self,
        http: HttpClient,
        *,
        base_url: str,
        timeout_seconds: float,
        clock: Clock = utc_now,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._clock = clock

    async def aclose(self) -> None:
        await self._http.aclose()

    async def subscribe(self, api_key: str, token: str, topics: Sequence[str]) -> PushyFault | None:
        return await self._change_topics("subscribe", api_key, token, topics)

    async def unsubscribe(
        self, api_key: str, token: str, topics: Sequence[str]
    ) -> PushyFault | None:
        """End subscriptions; the topic `*` is all of them."""
        return await self._change_topics("unsubscribe", api_key, token, topics)

    async def subscribers(self, api_key: str, topic: str) -> list[str] | PushyFault:
        """Every token of a topic, over all pages."""
        tokens: list[str] = []
        url = endpoint(self._base_url, f"/topics/{quote(topic, safe='')}", api_key)
        for _ in range(_PAGES_MAX):
            page = await self._ask("GET", url, None, _Subscribers)
            if isinstance(page, PushyFault):
                return tokens if page.code == "NO_RESULTS" else page
            tokens += page.subscribers
            if page.pagination is None:
                return tokens
            following = self._followed(url, page.pagination)
            if following is None:
                return PushyFault("FOREIGN_PAGINATION")
            url = following
        return PushyFault("ENDLESS_PAGINATION")

    async def push(self, api_key: str, body: Mapping[str, Any]) -> PushReceipt | PushyFault:
        """Push to all that `to` names, in one call."""
        url = endpoint(self._base_url, "/push", api_key)
        pushed = await self._ask("POST", url, body, _Pushed)
        if isinstance(pushed, PushyFault):
            return pushed
        if not pushed.success:
            return PushyFault(None, maybe_done=True)
        return PushReceipt(pushed.id, pushed.info.devices, pushed.info.failed)

    async def presence(
        self, api_key: str, tokens: Sequence[str]
    ) -> tuple[Presence, ...] | PushyFault:
        """What Pushy knows of up to 1,000 tokens; those that it does not know are left out."""
        url = endpoint(self._base_url, "/devices/presence", api_key)
        answer = await self._ask("POST", url, {"tokens": list(tokens)}, _Presences)
        if isinstance(answer, PushyFault):
            return () if answer.code == "NO_RESULTS" else answer
        return answer.presence

    async def _change_topics(
        self, verb: str, api_key: str, token: str, topics: Sequence[str]
    ) -> PushyFault | None:
        url = endpoint(self._base_url, f"/topics/{verb}", api_key)
        body = {"token": token, "topics": list(topics)}
        answer = await self._ask("POST", url, body, _Done)
        if isinstance(answer, PushyFault):
            return answer
        return None if answer.success else PushyFault("NOT_DONE")

    async def _ask(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        shape: type[AnswerT],
    ) -> AnswerT | PushyFault:
        try:
            response = await self._http.request(
                method,
                url,
                {"content-type": "application/json"} if body is not None else {},
                msgspec.json.encode(body) if body is not None else b"",
                timeout=self._timeout_seconds,
                max_response_bytes=_ANSWER_BYTES_MAX,
            )
        except TransportError as failure:
            return PushyFault(None, failure.status or 0, failure.maybe_processed)
        return _read(response, shape, self._clock())

    def _followed(self, url: str, link: str) -> str | None:
        """Where a link leads; None when that is not Pushy: the key must not go there."""
        try:
            there, ours = urlsplit(urljoin(url, link)), urlsplit(self._base_url)
        except ValueError:
            return None
        is_ours = (there.scheme, there.netloc) == (ours.scheme, ours.netloc)
        return there.geturl() if is_ours else None


def endpoint(base_url: str, path: str, api_key: str) -> str:
    """A URL of Pushy's; it holds the secret key."""
    return f"{base_url}{path}?api_key={quote(api_key, safe='')}"


def _read(response: Response, shape: type[AnswerT], now: datetime) -> AnswerT | PushyFault:
    is_ok = 200 <= response.status < 300  # noqa: PLR2004 - the success class of HTTP
    try:
        if is_ok:
            return msgspec.json.decode(response.body, type=shape)
        error = msgspec.json.decode(response.body, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = _Error()
    wait = parse_retry_after(response.headers.get("retry-after"), now)
    return PushyFault(error.code, response.status, is_ok, wait)
