"""aioapns' interface over our own transport.

aioapns 4.0's connections hang for ever on RST_STREAM, a missing `apns-id` or an error without body,
stall after some 1,200 error bodies and resend after GOAWAY what may have been processed: read in
its source and measured. Its requests, results and client stay; its pool is replaced by this one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote

import msgspec
from aioapns import APNs, NotificationRequest, PushType
from aioapns.common import NotificationResult

from shared.domain.credentials import AnyApnsCredential, ApnsCertificate
from shared.outbound.interface import Response
from shared.outbound.rotation import RotatingTransport
from shared.providers.apns_streams import OneFirst

_RESPONSE_BYTES_MAX = 16_384
_TRANSPORTS_MAX = 256
_GRACE_SECONDS = 30.0


class ApnsRequest(NotificationRequest):
    """aioapns' request, with the absolute expiry: its `time_to_live=0` becomes "now", not 0."""

    __slots__ = ("expiration",)

    def __init__(self, *, expiration: int, **fields: Any) -> None:
        super().__init__(**fields)
        self.expiration = expiration


class ApnsResult(NotificationResult):
    """aioapns' result, with the Retry-After field that Apple does not document."""

    __slots__ = ("retry_after",)

    def __init__(self, *, retry_after: str | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        self.retry_after = retry_after


class ApnsPool:
    """What `aioapns.APNs` calls its pool, for one attempt: host, token and time are settled.

    `bearer` is None where the connection's certificate says who we are.
    """

    def __init__(
        self,
        transport: OneFirst,
        base_url: str,
        bearer: Callable[[], str] | None,
        *,
        timeout: float,
    ) -> None:
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._bearer = bearer
        self._timeout = timeout

    async def send_notification(self, request: ApnsRequest) -> ApnsResult:
        """Raises TransportError."""
        fixed = headers_of(request)
        response = await self._transport.request(
            "POST",
            f"{self._base_url}/3/device/{quote(request.device_token, safe='')}",
            lambda: self._authorization() | fixed,
            encode(request.message),
            timeout=self._timeout,
            max_response_bytes=_RESPONSE_BYTES_MAX,
        )
        return result_of(request, response)

    def _authorization(self) -> dict[str, str]:
        return {} if self._bearer is None else {"authorization": f"bearer {self._bearer()}"}

    def close(self) -> None:
        """The transport is shared and outlives the client."""


class ApnsClient(APNs):
    """`aioapns.APNs`, without the constructor that opens its own pool and trust store."""

    def __init__(self, pool: ApnsPool) -> None:
        self.pool = cast("Any", pool)  # aioapns calls nothing of it but send_notification
        self.err_func = _ignore


async def _ignore(_request: NotificationRequest, _result: NotificationResult) -> None:
    """Errors become outcomes; aioapns would log each."""


class ApnsTransports:
    """One transport per signing key, or per certificate: a connection speaks for one of them.

    A connection is bound to the team and key of its first push (UnrelatedKeyIdInToken), and those
    of a revoked key must not be used for the next one. `create` gets the PEM of a certificate's
    chain and key, or None for a signing key's.
    """

    def __init__(self, create: Callable[[str | None], RotatingTransport]) -> None:
        self._create = create
        self._transports: OrderedDict[tuple[str, ...], OneFirst] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    def of(self, credential: AnyApnsCredential) -> OneFirst:
        if isinstance(credential, ApnsCertificate):
            name: tuple[str, ...] = credential.certificate, credential.private_key
        else:  # with the key itself: another app may claim the same ids
            name = credential.team_id, credential.key_id, credential.private_key
        transport = self._transports.get(name)
        if transport is None:
            certificate = "\n".join(name) if isinstance(credential, ApnsCertificate) else None
            transport = self._transports[name] = OneFirst(self._create(certificate))
            self._close_oldest()
        self._transports.move_to_end(name)
        return transport

    async def aclose(self) -> None:
        await asyncio.gather(*(transport.aclose() for transport in self._transports.values()))
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _close_oldest(self) -> None:
        if len(self._transports) <= _TRANSPORTS_MAX:
            return
        _, oldest = self._transports.popitem(last=False)
        task = asyncio.create_task(oldest.aclose(_GRACE_SECONDS))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def headers_of(request: ApnsRequest) -> dict[str, str]:
    headers = {
        "apns-id": request.notification_id,
        "apns-topic": request.apns_topic or "",
        "apns-push-type": (request.push_type or PushType.ALERT).value,
        "apns-priority": str(request.priority),
        "apns-expiration": str(request.expiration),
    }
    if request.collapse_key is not None:
        headers["apns-collapse-id"] = request.collapse_key
    return headers


def encode(message: dict[str, Any]) -> bytes:
    """Compact UTF-8, the bytes that Apple counts."""
    return msgspec.json.encode(message)


def result_of(request: ApnsRequest, response: Response) -> ApnsResult:
    reason, timestamp = _error_of(response.body)
    return ApnsResult(
        notification_id=response.headers.get("apns-id", request.notification_id).lower(),
        status=str(response.status),
        description=reason,
        timestamp=timestamp,
        retry_after=response.headers.get("retry-after"),
    )


def _error_of(body: bytes) -> tuple[str | None, int | None]:
    """Reason and timestamp (ms) of `{"reason": …, "timestamp": …}`, or None of what is not so."""
    if not body:
        return None, None
    try:
        error = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, None
    reason, timestamp = error.get("reason"), error.get("timestamp")
    return (
        reason if isinstance(reason, str) else None,
        timestamp if isinstance(timestamp, int) and not isinstance(timestamp, bool) else None,
    )
