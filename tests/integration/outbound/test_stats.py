"""What a transport says about itself, after requests of every end."""

import asyncio
import socket

import pytest
from h2.errors import ErrorCodes

from shared.outbound.interface import TransportError
from shared.outbound.stats import TransportStats
from shared.outbound.transport import Transport
from tests.integration.outbound.servers import H2Peer, serve_h2
from tests.integration.outbound.test_traps import post
from tests.simulators.certificates import Certificates


def by_path(peer: H2Peer, stream_id: int, path: str) -> None:
    match path:
        case "/hang":
            return
        case "/refuse" if peer.server.attempts.count(path) == 1:
            peer.reset(stream_id, ErrorCodes.REFUSED_STREAM)
        case "/reset":
            peer.reset(stream_id, ErrorCodes.CANCEL)
        case "/large":
            peer.reply(stream_id, body=b"x" * 70_000)
        case _:
            peer.reply(stream_id)


async def test_stats_count_requests_by_their_end(
    transport: Transport, certificates: Certificates
) -> None:
    async with serve_h2(certificates, by_path) as server:
        for path in ("/a", "/b", "/refuse"):
            await post(transport, server.url + path)
        for path in ("/hang", "/reset", "/large"):
            with pytest.raises(TransportError):
                await post(transport, server.url + path, timeout=0.3)
        cancelled = asyncio.create_task(post(transport, f"{server.url}/hang"))
        await server.attempted("/hang", 2)
        during = transport.stats()
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        for url in (f"https://127.0.0.1:{silent.getsockname()[1]}/", "https://a b/"):
            with pytest.raises(TransportError):
                await post(transport, url)

    assert during.in_flight == 1
    assert transport.stats() == TransportStats(
        answered=3,
        not_sent=2,
        timed_out=1,
        unknown=1,
        too_large=1,
        cancelled=1,
        resent=1,
        on_pooled_connection=1,
        connections_opened=server.connections + 1,
    )
