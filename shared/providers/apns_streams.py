"""Apple's stream limit: one until the first success on a connection, then what it announces.

libcurl assumes 100 until it reads otherwise, so a burst on a new connection would be refused but
for one. Here one request goes first, and so again whenever streams were refused: after GOAWAY, or
when Apple lowers the limit. What was refused is provably unprocessed and goes once more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from shared.outbound.interface import Response, StreamRefused
from shared.outbound.rotation import RotatingTransport
from shared.providers.deadline import Deadline

_TURN_SECONDS = 1.0  # one answer that does not come must not hold up the others for longer
_SUCCESS = 200


class _Turnstile:
    """Of one host: whether a request has succeeded since streams were last refused."""

    __slots__ = ("is_open", "turn")

    def __init__(self) -> None:
        self.is_open = False
        self.turn = asyncio.Lock()


class OneFirst:
    """A transport to APNs that lets one request go ahead of the others."""

    def __init__(self, transport: RotatingTransport) -> None:
        self._transport = transport
        self._turnstiles: dict[str, _Turnstile] = {}

    async def request(
        self,
        method: str,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        body: bytes,
        *,
        timeout: float,
        max_response_bytes: int,
    ) -> Response:
        """One request and its answer; raises TransportError.

        `headers` are asked for at the last moment: a token that was renewed meanwhile must not be
        followed by the old one on its new connection.
        """
        host = url.split("/", 3)[2]
        turnstile = self._turnstiles.get(host)
        if turnstile is None:
            turnstile = self._turnstiles[host] = _Turnstile()
        deadline = Deadline(timeout)

        def send() -> Awaitable[Response]:
            return self._transport.request(
                method,
                url,
                headers(),
                body,
                timeout=deadline.rest(),
                max_response_bytes=max_response_bytes,
            )

        try:
            if turnstile.is_open:
                return await send()
            return await self._in_turn(turnstile, send, deadline)
        except StreamRefused:
            turnstile.is_open = False
            return await self._in_turn(turnstile, send, deadline)

    def rotate(self) -> None:
        """Use new connections from now on."""
        self._transport.rotate()

    async def aclose(self, grace: float = 0.0) -> None:
        await self._transport.aclose(grace)

    async def _in_turn(
        self, turnstile: _Turnstile, send: Callable[[], Awaitable[Response]], deadline: Deadline
    ) -> Response:
        try:
            await asyncio.wait_for(
                turnstile.turn.acquire(), min(_TURN_SECONDS, deadline.remaining())
            )
        except TimeoutError:
            return await send()
        try:
            if not turnstile.is_open:
                response = await send()
                turnstile.is_open = response.status == _SUCCESS
                return response
        finally:
            turnstile.turn.release()
        return await send()
