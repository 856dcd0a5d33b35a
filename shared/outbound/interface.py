"""What an outbound transport promises: its answers, its failures and the call that yields them."""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

AllowAddress = Callable[[str], bool]  # may this numeric address, about to be used, be used?


class Response(msgspec.Struct, frozen=True):
    """A complete answer: header names in lower case, repeated fields joined with `, `."""

    status: int
    headers: dict[str, str]
    body: bytes


class TransportError(Exception):
    """`maybe_processed` is False only if the server provably did not act on the request.

    `status` is that of an answer that began and did not complete, else 0.
    """

    def __init__(self, message: str, *, maybe_processed: bool, status: int = 0) -> None:
        super().__init__(message)
        self.maybe_processed = maybe_processed
        self.status = status


class NotSent(TransportError):
    """The request never left, or its receiver refused it unread."""

    def __init__(self, message: str) -> None:
        super().__init__(message, maybe_processed=False)


class StreamRefused(NotSent):
    """The HTTP/2 peer would not begin the stream: above its limit, or above its GOAWAY."""


class TlsFailure(NotSent):
    """The handshake did not complete: reset, no common cipher, bad certificate."""


class CertificateRefused(TlsFailure):
    """The server's certificate does not verify against our trust store."""


class ClientCertificateRefused(CertificateRefused):
    """Our own certificate is unusable, or the server does not take it."""


class AddressDenied(NotSent):
    """The address that would have been dialled is not one that this request may reach."""


class InvalidRequest(NotSent):
    """A header or the URL is not fit to be sent: line breaks, non-ASCII, user information."""


class Unknown(TransportError):
    """The request was written, at least in part, and no complete answer came."""


class Timeout(TransportError):
    """The time was over: while waiting for a connection, or for the answer."""


class TooLarge(TransportError):
    """The answer was longer than asked for; what came of it is known."""

    def __init__(
        self, message: str, *, status: int, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> None:
        super().__init__(message, maybe_processed=True, status=status)
        self.headers = headers or {}
        self.body = body


class HttpClient(Protocol):
    """The seam behind which the engine may change."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        timeout: float,
        max_response_bytes: int,
        allow_address: AllowAddress | None = None,
    ) -> Response:
        """One request and its answer, within `timeout` seconds; raises TransportError only."""
        ...

    async def aclose(self, grace: float = 0.0) -> None: ...
