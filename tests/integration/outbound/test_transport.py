"""The transport against servers that hang, babble, redirect or are not there."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest

from shared.outbound.interface import (
    CertificateRefused,
    NotSent,
    Response,
    Timeout,
    TlsFailure,
    TooLarge,
    Unknown,
)
from shared.outbound.rotation import TIMEOUTS_IN_A_ROW, RotatingTransport
from shared.outbound.transport import Transport
from tests.integration.outbound.conftest import CreateTransport
from tests.integration.outbound.servers import (
    H1Server,
    H2Peer,
    H2Server,
    serve_h1,
    serve_h2,
)
from tests.integration.outbound.test_traps import answer, outcomes, post
from tests.simulators.certificates import Certificates, write_certificates


def hang_on_request(peer: H2Peer, stream_id: int, path: str) -> None:
    if path != "/hang":
        peer.reply(stream_id, body=path.encode())


@pytest.fixture
async def server(certificates: Certificates) -> AsyncIterator[H2Server]:
    async with serve_h2(certificates, hang_on_request) as started:
        yield started


async def test_answer_is_complete(transport: Transport, server: H2Server) -> None:
    response = await post(transport, f"{server.url}/x")

    assert response == Response(200, {}, b"/x")


async def test_hang_times_out_alone_and_the_connection_goes_on(
    transport: Transport, server: H2Server
) -> None:
    began = time.monotonic()
    hanging = asyncio.create_task(post(transport, f"{server.url}/hang", timeout=0.3))
    got = await outcomes(transport, [f"{server.url}/{n}" for n in range(50)])
    with pytest.raises(Timeout) as failure:
        await hanging

    assert failure.value.maybe_processed
    assert 0.25 < time.monotonic() - began < 2
    assert all(isinstance(one, Response) for one in got)
    assert server.connections == 1


async def test_cancel_resets_the_stream_and_keeps_the_connection(
    transport: Transport, server: H2Server
) -> None:
    await post(transport, f"{server.url}/x")
    tasks = [asyncio.create_task(post(transport, f"{server.url}/hang")) for _ in range(20)]
    await server.attempted("/hang", 20)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert (await post(transport, f"{server.url}/y")).body == b"/y"
    assert server.connections == 1


async def test_close_fails_what_is_in_flight(create: CreateTransport, server: H2Server) -> None:
    transport = create()
    hanging = asyncio.create_task(post(transport, f"{server.url}/hang"))
    await server.attempted("/hang")
    await transport.aclose(grace=0.05)

    with pytest.raises(Unknown, match="closed"):
        await hanging


async def test_answer_over_the_cap_is_too_large(
    transport: Transport, certificates: Certificates
) -> None:
    def flood(peer: H2Peer, stream_id: int, _path: str) -> None:
        peer.reply(stream_id, body=b"x" * 66_000)

    async with serve_h2(certificates, flood) as server:
        with pytest.raises(TooLarge) as failure:
            await transport.request(
                "POST", server.url, {}, b"x", timeout=5, max_response_bytes=1_000
            )

    assert failure.value.status == 200


async def test_redirect_is_an_answer(transport: Transport, certificates: Certificates) -> None:
    async def handler(server: H1Server, writer: asyncio.StreamWriter, _path: str) -> None:
        head = f"HTTP/1.1 302 Found\r\nlocation: {server.url}/y\r\ncontent-length: 0\r\n\r\n"
        writer.write(head.encode())

    async with serve_h1(certificates, handler) as server:
        response = await post(transport, f"{server.url}/x")

    assert response.status == 302
    assert server.attempts == ["/x"]


@pytest.mark.parametrize(
    ("answer_bytes", "status"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", 200),
        (b"garbage\r\n\r\n", 0),
        (b"", 0),
    ],
)
async def test_broken_answers_are_unknown_with_what_is_known(
    transport: Transport, certificates: Certificates, answer_bytes: bytes, status: int
) -> None:
    async def handler(_server: H1Server, writer: asyncio.StreamWriter, _path: str) -> None:
        writer.write(answer_bytes)
        writer.close()

    async with serve_h1(certificates, handler) as server:
        with pytest.raises(Unknown) as failure:
            await post(transport, server.url)

    assert failure.value.status == status
    assert len(server.attempts) == 1


async def test_repeated_and_empty_headers(transport: Transport, certificates: Certificates) -> None:
    async def handler(_server: H1Server, writer: asyncio.StreamWriter, _path: str) -> None:
        writer.write(b"HTTP/1.1 204 No\r\nA: 1\r\na:2\r\nB:\r\n\r\n")

    async with serve_h1(certificates, handler) as server:
        response = await post(transport, server.url)

    assert response.headers == {"a": "1, 2", "b": ""}


async def test_proxies_of_the_environment_are_ignored(
    transport: Transport, server: H2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert (await post(transport, f"{server.url}/x")).status == 200


async def test_nobody_there_is_not_sent(transport: Transport) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent):
            await post(transport, f"https://127.0.0.1:{free.getsockname()[1]}/")


async def test_no_such_name_is_not_sent(transport: Transport) -> None:
    with pytest.raises(NotSent):
        await post(transport, "https://no-such-name.invalid/")


async def test_unknown_authority_is_refused(
    server: H2Server, create: CreateTransport, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = write_certificates(tmp_path_factory.mktemp("other"))

    with pytest.raises(CertificateRefused):
        await post(create(ca_file=str(other.ca_file)), server.url)

    assert server.attempts == []


async def test_certificate_of_another_name_is_refused(
    create: CreateTransport, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = write_certificates(tmp_path_factory.mktemp("other"), ("other.example",))

    async with serve_h2(other, answer) as server:
        with pytest.raises(CertificateRefused):
            await post(
                create(ca_file=str(other.ca_file)), server.url.replace("127.0.0.1", "localhost")
            )

    assert server.attempts == []


async def test_handshake_that_is_cut_is_a_tls_failure(transport: Transport) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    listener = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(TlsFailure) as failure:
            await post(transport, f"https://127.0.0.1:{port}/")

    assert not isinstance(failure.value, CertificateRefused)


async def test_handshake_that_is_never_answered_times_out_unsent(transport: Transport) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Timeout) as failure:
            await post(transport, f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.3)

    assert not failure.value.maybe_processed


async def test_connections_to_one_host_are_bounded(
    create: CreateTransport, certificates: Certificates
) -> None:
    async def handler(_server: H1Server, writer: asyncio.StreamWriter, _path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with serve_h1(certificates, handler) as server:
        got = await outcomes(
            create(max_connections_per_host=3), [f"{server.url}/{n}" for n in range(60)]
        )

    assert all(isinstance(one, Response) for one in got)
    assert server.connections <= 3


async def test_wedged_connection_is_left_behind(certificates: Certificates) -> None:
    def wedged(peer: H2Peer, stream_id: int, path: str) -> None:
        if peer.number > 1:
            answer(peer, stream_id, path)

    create = partial(Transport, ca_file=str(certificates.ca_file))
    transport = RotatingTransport(create)
    async with serve_h2(certificates, wedged) as server:
        for _ in range(TIMEOUTS_IN_A_ROW):
            with pytest.raises(Timeout):
                await post(transport, server.url, timeout=0.1)
        response = await post(transport, server.url)
        await transport.aclose()

    assert response.status == 200
    assert server.connections == 2
