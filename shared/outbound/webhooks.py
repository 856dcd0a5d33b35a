"""One signed call to an app's webhook (Standard Webhooks 1.0), and what came of it."""

import time
from collections.abc import Sequence
from datetime import datetime

import msgspec
from standardwebhooks import Webhook

from shared.domain.apps import WebhookSecret
from shared.ids import new_id
from shared.outbound.addresses import AddressPolicy
from shared.outbound.interface import (
    HttpClient,
    Response,
    Timeout,
    TlsFailure,
    TooLarge,
    TransportError,
    Unknown,
)

CONNECT_SECONDS = 3.0  # for the transport that makes the calls
TIMEOUT_SECONDS = 15.0
READ_BYTES_MAX = 16_384
_OK = range(200, 300)


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted, and the secrets that may sign it, newest first."""

    url: str
    webhook_id: str
    body: bytes
    secrets: tuple[WebhookSecret, ...]


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`problem` is None when the endpoint took the call; `status` is None when no answer came.

    The app may read `problem`: an address that may not be called looks like one where nobody is.
    """

    status: int | None
    problem: str | None
    took_ms: int
    headers: dict[str, str] = {}
    body: bytes = b""


def new_webhook_id(now: datetime) -> str:
    """An id of a call, the same at each attempt; a receiver drops what it has seen under it."""
    return f"msg_{new_id(now).hex}"


async def call_webhook(
    transport: HttpClient, addresses: AddressPolicy, request: WebhookRequest, now: datetime
) -> WebhookAnswer:
    """Post it once. Only a 2xx is success: a redirect is not followed."""
    started = time.monotonic()
    try:
        response = await transport.request(
            "POST",
            request.url,
            sign(request.secrets, request.webhook_id, request.body, now),
            request.body,
            timeout=TIMEOUT_SECONDS,
            max_response_bytes=READ_BYTES_MAX,
            allow_address=addresses.is_public,
        )
    except TooLarge as error:  # its status is known, and nobody wants the rest
        response = Response(error.status, error.headers, error.body[:READ_BYTES_MAX])
    except TransportError as error:
        return WebhookAnswer(
            status=error.status or None, problem=problem_of(error), took_ms=_since(started)
        )
    return WebhookAnswer(
        status=response.status,
        problem=None if response.status in _OK else f"status {response.status}",
        took_ms=_since(started),
        headers=response.headers,
        body=response.body,
    )


def sign(
    secrets: Sequence[WebhookSecret], webhook_id: str, body: bytes, now: datetime
) -> dict[str, str]:
    """The headers: one signature per secret that is still valid, in the order of the secrets."""
    valid = [s.secret for s in secrets if s.expires_at is None or s.expires_at > now]
    text = body.decode()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(s).sign(webhook_id, now, text) for s in valid),
        "content-type": "application/json",
    }


def problem_of(error: TransportError) -> str:
    """Why no answer came, without a hint of what stands at an address that is not to be called."""
    match error:
        case Timeout():
            return "timeout"
        case TlsFailure():
            return "tls"
        case Unknown():
            return "no answer"
        case _:
            return "unreachable"


def _since(started: float) -> int:
    return int((time.monotonic() - started) * 1_000)
