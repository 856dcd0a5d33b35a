"""The trace id of a request (W3C Trace Context): in logs, error bodies and `X-Request-Id`."""

import os
import re
import time
from contextvars import ContextVar

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from shared.logs import get_logger

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-")
_trace_id: ContextVar[str] = ContextVar("trace_id", default="0" * 32)
_PROBES = ("/livez", "/readyz")
_log = get_logger("api")


def current_trace_id() -> str:
    """The trace id of the request that is being answered."""
    return _trace_id.get()


def traced(app: ASGIApp) -> ASGIApp:
    """Wrap the whole application, so that unrouted requests have a trace id too."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        trace_id = _given(dict(scope["headers"]).get(b"traceparent", b"")) or os.urandom(16).hex()
        _trace_id.set(trace_id)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=trace_id)
        await app(scope, receive, _marked(send, scope, trace_id))

    return call


def _given(traceparent: bytes) -> str | None:
    match = _TRACEPARENT.match(traceparent)
    return match[1].decode() if match else None


def _marked(send: Send, scope: Scope, trace_id: str) -> Send:
    started = time.monotonic()

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(b"x-request-id", trace_id.encode())]
            if not any(name == b"cache-control" for name, _ in message["headers"]):
                headers.append((b"cache-control", b"no-store"))  # answers hold secrets
            message["headers"] = [*message["headers"], *headers]
            _tell(scope, message["status"], time.monotonic() - started)
        await send(message)

    return marked


def _tell(scope: Scope, status: int, seconds: float) -> None:
    tell = _log.debug if scope["path"] in _PROBES else _log.info
    tell(
        "request.answered",
        method=scope.get("method"),
        operation=getattr(scope.get("route_handler"), "handler_name", None),
        status=status,
        seconds=round(seconds, 4),
    )
