"""Every request that leaves: libcurl's multi interface on asyncio, through pycurl.

Use one Transport per provider class (its limits and connection pool are its own), created and used
on one event loop of one process, after any fork. Nothing is retried except a request that the
HTTP/2 peer provably did not process (REFUSED_STREAM, or above GOAWAY's last stream), once.

libcurl hands the GIL back and takes it again for each callback: one CPU-bound Python thread in
the same process takes throughput from thousands of requests a second to tens.
"""

import asyncio
from collections.abc import Mapping

import pycurl

from shared.outbound.easy import Easy
from shared.outbound.interface import AllowAddress, InvalidRequest, NotSent, Response
from shared.outbound.multi import Multi
from shared.outbound.stats import Counts, TransportStats

_STREAMS_MAX = 1000  # libcurl's default of 100 opens more connections than APNs needs
_DNS_CACHE_SECONDS = 60
_BUFFER_BYTES = 16_384


class Transport:
    """A connection pool. `idle_seconds` bounds how old a connection may be and still be reused.

    `client_certificate` is PEM of a certificate, its chain and its private key, for mutual TLS.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        client_certificate: str | None = None,
        require_http2: bool = False,
        allow_http: bool = False,
        max_connections: int = 256,
        max_connections_per_host: int = 4,
        connect_timeout: float = 10.0,
        idle_seconds: int = 60,
        user_agent: str = "fanfare/0.1",
    ) -> None:
        self._require_http2 = require_http2
        self._options = _easy_options(
            require_http2=require_http2,
            allow_http=allow_http,
            connect_timeout=connect_timeout,
            idle_seconds=idle_seconds,
            user_agent=user_agent,
        )
        if ca_file is not None:
            self._options[pycurl.CAINFO] = ca_file
        if client_certificate is not None:
            self._options |= _certificate_options(client_certificate.encode())
        self._multi = Multi(
            {
                pycurl.M_PIPELINING: pycurl.PIPE_MULTIPLEX,
                pycurl.M_MAX_CONCURRENT_STREAMS: _STREAMS_MAX,
                pycurl.M_MAX_TOTAL_CONNECTIONS: max_connections,
                pycurl.M_MAX_HOST_CONNECTIONS: max_connections_per_host,
                pycurl.M_MAXCONNECTS: max_connections,
            }
        )
        self._counts = Counts()
        self._free: list[Easy] = []
        self._closed = False

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
        """One request and its answer; `timeout` counts waiting for a connection too."""
        if self._closed:
            raise NotSent("transport is closed")
        easy = self._free.pop() if self._free else self._new_easy()
        self._counts.in_flight += 1
        try:
            easy.prepare(
                method,
                url,
                headers,
                body,
                timeout=timeout,
                max_response_bytes=max_response_bytes,
                allow=allow_address,
            )
            await self._perform(easy, timeout)
            self._counts.answered += 1
            return easy.response()
        except pycurl.error as error:
            code, text = error.args if len(error.args) > 1 else (0, str(error))
            failure = easy.failure(int(code), text)
            self._counts.count_failure(failure)
            raise failure from None
        except InvalidRequest as failure:
            self._counts.count_failure(failure)
            raise
        except asyncio.CancelledError:
            self._counts.cancelled += 1
            raise
        finally:
            self._counts.in_flight -= 1
            self._free.append(easy)

    def stats(self) -> TransportStats:
        """What happened so far, and what is going on."""
        return self._counts.snapshot()

    async def aclose(self, grace: float = 0.0) -> None:
        """Refuse new requests, give those in flight `grace` seconds, then fail them."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._multi.drain(grace)
        finally:
            await self._multi.close()

    async def _perform(self, easy: Easy, timeout: float) -> None:
        """Carry it out; elsewhere, if the pooled connection was gone before the first byte."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        for elsewhere in (easy.drop_stale, easy.connect_afresh):
            try:
                return await self._multi.perform(easy.curl)
            except pycurl.error:
                if not easy.is_stale or self._closed:
                    raise
            elsewhere(deadline - loop.time())
        return await self._multi.perform(easy.curl)

    def _new_easy(self) -> Easy:
        return Easy(
            self._options,
            self._multi.connections.is_gone,
            self._counts,
            require_http2=self._require_http2,
        )


def _certificate_options(pem: bytes) -> dict[int, object]:
    """Both come from memory: no file ever holds the key."""
    return {
        pycurl.SSLCERT_BLOB: pem,
        pycurl.SSLCERTTYPE: "PEM",
        pycurl.SSLKEY_BLOB: pem,
        pycurl.SSLKEYTYPE: "PEM",
    }


def _easy_options(
    *,
    require_http2: bool,
    allow_http: bool,
    connect_timeout: float,
    idle_seconds: int,
    user_agent: str,
) -> dict[int, object]:
    """No proxy, redirect, scheme or compression that a server or the environment could choose."""
    return {
        pycurl.PROXY: "",
        pycurl.NOPROXY: "*",
        pycurl.NOSIGNAL: True,
        pycurl.PIPEWAIT: True,
        pycurl.TCP_NODELAY: True,
        pycurl.TCP_KEEPALIVE: True,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTPS | (pycurl.PROTO_HTTP if allow_http else 0),
        pycurl.FOLLOWLOCATION: False,
        pycurl.USERAGENT: user_agent,
        pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.HTTP_VERSION: (
            pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
            if require_http2
            else pycurl.CURL_HTTP_VERSION_2TLS
        ),
        pycurl.CONNECTTIMEOUT_MS: int(connect_timeout * 1000),
        pycurl.MAXAGE_CONN: idle_seconds,
        pycurl.DNS_CACHE_TIMEOUT: _DNS_CACHE_SECONDS,
        pycurl.BUFFERSIZE: _BUFFER_BYTES,
    }
