"""Pooled connections whose peer has gone: nothing is written to them, and nothing is lost.

The server counts, so a request that went out twice would be seen.
"""

import asyncio
import socket
from collections.abc import Callable

import pytest

from shared.outbound.interface import Response, Unknown
from shared.outbound.transport import Transport
from tests.eventually import eventually
from tests.integration.outbound.conftest import CreateTransport
from tests.integration.outbound.servers import (
    OK_H1,
    H1Server,
    H2Peer,
    H2Server,
    serve_h1,
    serve_h2,
)
from tests.integration.outbound.test_traps import abort_second, answer, outcomes, post
from tests.simulators.certificates import Certificates

Leave = Callable[[asyncio.WriteTransport], None]


def reset(connection: asyncio.WriteTransport) -> None:
    connection.abort()


def finish(connection: asyncio.WriteTransport) -> None:
    """FIN alone: no GOAWAY, no close_notify."""
    borrowed = connection.get_extra_info("socket")
    copy = socket.socket(fileno=socket.dup(borrowed.fileno()))
    copy.shutdown(socket.SHUT_WR)
    copy.close()


LEAVES = pytest.mark.parametrize("leave", [reset, finish])


async def seen_leaving(transport: Transport) -> None:
    """Until our kernel has heard of it, on some connection of the pool."""
    connections = transport._multi.connections

    async def look() -> bool:
        return any(map(connections.is_gone, list(connections._looks)))

    await eventually(look, within_seconds=5)


@LEAVES
async def test_h2_request_finds_another_connection(
    transport: Transport, certificates: Certificates, leave: Leave
) -> None:
    async with serve_h2(certificates, answer) as server:
        await post(transport, f"{server.url}/first")
        leave(server.peers[-1].transport)
        await seen_leaving(transport)
        response = await post(transport, f"{server.url}/second")

    assert response.status == 200
    assert server.attempts == ["/first", "/second"]
    assert transport.stats().met_gone >= 1


@LEAVES
async def test_h1_request_finds_another_connection(
    transport: Transport, certificates: Certificates, leave: Leave
) -> None:
    connections: list[asyncio.WriteTransport] = []

    async def handler(_server: H1Server, writer: asyncio.StreamWriter, _path: str) -> None:
        connections.append(writer.transport)
        writer.write(OK_H1)

    async with serve_h1(certificates, handler) as server:
        await post(transport, f"{server.url}/first")
        leave(connections[-1])
        await seen_leaving(transport)
        response = await post(transport, f"{server.url}/second")

    assert response.status == 200
    assert server.attempts == ["/first", "/second"]


async def test_100_requests_find_another_connection_and_share_it(
    transport: Transport, certificates: Certificates
) -> None:
    async with serve_h2(certificates, answer) as server:
        await post(transport, f"{server.url}/first")
        finish(server.peers[-1].transport)
        await seen_leaving(transport)
        got = await outcomes(transport, [f"{server.url}/{number}" for number in range(100)])

    assert all(isinstance(one, Response) for one in got)
    assert sorted(server.attempts[1:]) == sorted(f"/{number}" for number in range(100))
    assert server.connections <= 4


async def test_request_after_one_that_was_cut_is_answered(
    transport: Transport, certificates: Certificates
) -> None:
    def behaviour(peer: H2Peer, stream_id: int, path: str) -> None:
        answer(peer, stream_id, path) if "cut" not in path else peer.transport.abort()

    async with serve_h2(certificates, behaviour) as server:
        await post(transport, f"{server.url}/first")
        for number in range(20):
            with pytest.raises(Unknown):
                await post(transport, f"{server.url}/cut{number}")
            assert (await post(transport, f"{server.url}/{number}")).status == 200

    assert len(server.attempts) == len(set(server.attempts)) == 41


async def test_connection_that_leaves_under_load_loses_only_what_it_may_have_read(
    transport: Transport, certificates: Certificates
) -> None:
    def behaviour(peer: H2Peer, stream_id: int, path: str) -> None:
        answer(peer, stream_id, path)
        if stream_id % 61 == 0:
            peer.transport.close()

    async with serve_h2(certificates, behaviour) as server:
        got: list[Response | BaseException] = []
        for start in range(0, 1_000, 50):
            got += await outcomes(
                transport, [f"{server.url}/{number}" for number in range(start, start + 50)]
            )

    assert {type(one) for one in got} <= {Response, Unknown}
    assert len(server.attempts) == len(set(server.attempts))


async def test_request_is_unknown_when_the_connection_goes_after_the_first_byte(
    transport: Transport, certificates: Certificates
) -> None:
    async with serve_h2(certificates, abort_second) as server:
        await post(transport, f"{server.url}/first")
        with pytest.raises(Unknown):
            await post(transport, f"{server.url}/second")

    assert (server.attempts, transport.stats().met_gone) == (["/first", "/second"], 0)


async def test_deadline_counts_from_the_first_try(
    create: CreateTransport, certificates: Certificates
) -> None:
    """A server that goes whenever nobody looks, and then only listens."""
    transport = create(connect_timeout=10.0)
    took: list[float] = []

    async def call(server: H2Server) -> None:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Exception, match="curl"):
            await post(transport, f"{server.url}/late", timeout=0.4)
        took.append(asyncio.get_running_loop().time() - began)

    def first_only(peer: H2Peer, stream_id: int, path: str) -> None:
        if path == "/first":
            answer(peer, stream_id, path)

    async with serve_h2(certificates, first_only) as server:
        await post(transport, f"{server.url}/first")
        finish(server.peers[-1].transport)
        await seen_leaving(transport)
        await call(server)

    assert took[0] < 1.0
