"""Bounds on request bodies while they arrive: how long one may take, how much all may hold.

A large body's claim on the budget lasts until its request is answered: decoding and recording it
need its memory too.
"""

import asyncio
from typing import Any, cast

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send

from api.errors import BodyBudgetSpentError, BodyTimeoutError
from api.settings import BODY_BUDGET_BYTES, BODY_TIMEOUT_SECONDS

UNBOUNDED = "fanfare.unbounded_receive"  # in a scope: for a route that reads and bounds a stream
SMALL_BYTES_MAX = 1_048_576  # bodies up to this size are not counted
_DIGITS_MAX = 18  # longer lengths are refused elsewhere


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`budget_bytes` are for all large bodies of the process together."""

    budget_bytes: int = BODY_BUDGET_BYTES
    timeout_seconds: float = BODY_TIMEOUT_SECONDS


class BodyBudget:
    """How many more bytes of large bodies this process takes."""

    def __init__(self, budget_bytes: int) -> None:
        self.free_bytes = budget_bytes

    def take(self, count: int) -> None:
        """Take all of it or nothing.

        Raises:
            BodyBudgetSpentError: so much is not left.
        """
        if count > self.free_bytes:
            raise BodyBudgetSpentError
        self.free_bytes -= count

    def give_back(self, count: int) -> None:
        self.free_bytes += count


def bounded(app: ASGIApp, bounds: Bounds) -> ASGIApp:
    """Wrap the application; a refusal is raised where the body is read, so after the guards."""
    budget = BodyBudget(bounds.budget_bytes)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        cast("dict[str, Any]", scope)[UNBOUNDED] = receive
        intake = _Intake(scope, receive, budget, bounds.timeout_seconds)
        try:
            await app(scope, intake.receive, send)
        finally:
            cast("dict[str, Any]", scope).pop(UNBOUNDED)  # servers keep scopes
            intake.release()

    return call


class _Intake:
    """One request's body on its way in, and its share of the budget."""

    def __init__(
        self, scope: Scope, receive: Receive, budget: BodyBudget, timeout_seconds: float
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._budget = budget
        self._timeout_seconds = timeout_seconds
        self._deadline: float | None = None
        self._is_complete = False
        self._arrived_bytes = 0
        self._claimed_bytes = 0

    async def receive(self) -> HTTPReceiveMessage:
        if self._is_complete:
            return await self._message()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._timeout_seconds
            self._claim(_announced_bytes(self._scope))
        message = await self._message_before(self._deadline)
        if message["type"] == "http.request":
            self._arrived_bytes += len(message["body"])
            self._is_complete = not message.get("more_body", False)
        self._claim(self._arrived_bytes)
        return message

    async def _message_before(self, deadline: float) -> HTTPReceiveMessage:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._message()
        except TimeoutError:
            raise BodyTimeoutError from None

    async def _message(self) -> HTTPReceiveMessage:
        return cast("HTTPReceiveMessage", await self._receive())

    def _claim(self, count: int) -> None:
        if count > max(SMALL_BYTES_MAX, self._claimed_bytes):
            self._budget.take(count - self._claimed_bytes)
            self._claimed_bytes = count

    def release(self) -> None:
        self._budget.give_back(self._claimed_bytes)
        self._claimed_bytes = 0


def _announced_bytes(scope: Scope) -> int:
    """Content-Length; 0 when there is none, as with chunked transfer."""
    value = dict(scope["headers"]).get(b"content-length", b"")
    return int(value) if value.isdigit() and len(value) <= _DIGITS_MAX else 0
