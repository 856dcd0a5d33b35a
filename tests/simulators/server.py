"""Listeners: TLS that switches by ALPN between HTTP/2 and HTTP/1.1, and plain HTTP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from tests.simulators.exchange import Service
from tests.simulators.http1 import Http1Connection
from tests.simulators.http2 import Http2Connection

BACKLOG = 1024
Mode = Literal["open", "refuse", "mute", "no_tls"]


@dataclass(slots=True)
class Listener:
    """A port, open or playing dead."""

    server: asyncio.Server
    host: str
    port: int
    reopen: Callable[[int], Awaitable[asyncio.Server]]

    async def switch(self, mode: Mode) -> None:
        """From now on; open connections are not touched."""
        self.server.close()
        if mode == "refuse":
            return
        if mode == "open":
            self.server = await self.reopen(self.port)
        else:
            kind = _Mute if mode == "mute" else _Stranger
            loop = asyncio.get_running_loop()
            self.server = await loop.create_server(kind, self.host, self.port)


class _Mute(asyncio.Protocol):
    """Takes the connection and nothing more."""


class _Stranger(asyncio.Protocol):
    """Answers the handshake with something else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - asyncio
        self._transport.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        self._transport.close()


class _Switch(asyncio.Protocol):
    """Picks the protocol when the handshake is over, then steps aside."""

    def __init__(self, service: Service, label: str, *, is_h2_only: bool) -> None:
        self._service = service
        self._label = label
        self._is_h2_only = is_h2_only

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop does not derive its own
        tls = transport.get_extra_info("ssl_object")
        chosen = tls.selected_alpn_protocol()
        # aioapns offers no ALPN and speaks HTTP/2 all the same; elsewhere no ALPN means HTTP/1.1.
        is_h2 = self._is_h2_only or chosen == "h2"
        inner = (
            Http2Connection(self._service, self._label)
            if is_h2
            else Http1Connection(self._service, self._label)
        )
        transport.set_protocol(inner)
        inner.connection_made(transport)


async def listen_tls(
    service: Service,
    context: ssl.SSLContext,
    host: str,
    port: int,
    *,
    label: str,
    is_h2_only: bool = False,
) -> Listener:
    """Serve over TLS; HTTP/2 only when asked, else whatever ALPN chose."""

    async def create(port: int) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: _Switch(service, label, is_h2_only=is_h2_only),
            host,
            port,
            ssl=context,
            backlog=BACKLOG,
        )

    return await _listen(create, host, port)


async def listen_plain(service: Service, host: str, port: int, *, label: str) -> Listener:
    """Serve HTTP/1.1 without TLS."""

    async def create(port: int) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: Http1Connection(service, label), host, port, backlog=BACKLOG
        )

    return await _listen(create, host, port)


async def _listen(
    create: Callable[[int], Awaitable[asyncio.Server]], host: str, port: int
) -> Listener:
    server = await create(port)
    return Listener(server, host, server.sockets[0].getsockname()[1], create)


def tls_context(cert_file: Path, key_file: Path, protocols: list[str]) -> ssl.SSLContext:
    """A server context for TLS 1.2 and newer that offers these ALPN protocols."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert_file, key_file)
    context.set_alpn_protocols(protocols)
    return context
