"""Fetching issuers' key sets over the one transport for requests that leave."""

from api.auth.jwks import FetchFailed
from shared.outbound.interface import TransportError
from shared.outbound.transport import Transport

TIMEOUT_SECONDS = 3.0
DOCUMENT_BYTES_MAX = 262_144
_OK = 200


class JwksFetcher:
    """Opens its transport with the first fetch, inside the running event loop."""

    def __init__(self, *, ca_file: str | None, allow_http: bool) -> None:
        self._ca_file = ca_file
        self._allow_http = allow_http
        self._transport: Transport | None = None

    async def fetch(self, url: str) -> bytes:
        """The document at `url`, which settings have named.

        Raises:
            FetchFailed: no answer in time, not 200, or too large.
        """
        if self._transport is None:
            self._transport = Transport(ca_file=self._ca_file, allow_http=self._allow_http)
        try:
            response = await self._transport.request(
                "GET",
                url,
                {"Accept": "application/json"},
                timeout=TIMEOUT_SECONDS,
                max_response_bytes=DOCUMENT_BYTES_MAX,
            )
        except TransportError as error:
            raise FetchFailed(type(error).__name__) from error
        if response.status != _OK:
            raise FetchFailed(f"status {response.status}")
        return response.body

    async def aclose(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
