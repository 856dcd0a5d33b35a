"""libcurl's traps, each as a regression: resends, refusals, lost wake-ups, fallback to HTTP/1.1.

To be run again, unchanged, at every upgrade of pycurl or libcurl.
"""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from h2.errors import ErrorCodes

from shared.outbound.interface import (
    AddressDenied,
    HttpClient,
    NotSent,
    Response,
    Timeout,
    Unknown,
)
from shared.outbound.transport import Transport
from shared.outbound.turns import take_short_turns
from tests.integration.outbound.conftest import CreateTransport
from tests.integration.outbound.servers import (
    OK_H1,
    H1Server,
    H2Peer,
    serve_h1,
    serve_h2,
)
from tests.simulators.certificates import Certificates

BUSY_SECONDS_MAX = 4.0


async def post(
    transport: HttpClient,
    url: str,
    *,
    timeout: float = 5.0,
    allow: Callable[[str], bool] | None = None,
) -> Response:
    return await transport.request(
        "POST",
        url,
        {"content-type": "application/json"},
        b'{"a":1}',
        timeout=timeout,
        max_response_bytes=65_536,
        allow_address=allow,
    )


async def outcomes(transport: HttpClient, urls: list[str]) -> list[Response | BaseException]:
    return await asyncio.gather(*(post(transport, url) for url in urls), return_exceptions=True)


def answer(peer: H2Peer, stream_id: int, _path: str) -> None:
    peer.reply(stream_id)


def abort_second(peer: H2Peer, stream_id: int, path: str) -> None:
    if path == "/first":
        peer.reply(stream_id)
    else:
        peer.transport.abort()


# -- trap 1: a request on a reused connection that dies is sent again


async def test_h2_request_on_a_reused_connection_is_not_sent_again(
    transport: Transport, certificates: Certificates
) -> None:
    async with serve_h2(certificates, abort_second) as server:
        await post(transport, f"{server.url}/first")
        with pytest.raises(Unknown) as failure:
            await post(transport, f"{server.url}/second")

    assert failure.value.maybe_processed
    assert server.attempts == ["/first", "/second"]


async def test_h1_request_on_a_reused_connection_is_not_sent_again(
    transport: Transport, certificates: Certificates
) -> None:
    async def handler(_server: H1Server, writer: asyncio.StreamWriter, path: str) -> None:
        if path == "/first":
            writer.write(OK_H1)
        else:
            writer.transport.abort()

    async with serve_h1(certificates, handler) as server:
        await post(transport, f"{server.url}/first")
        with pytest.raises(Unknown) as failure:
            await post(transport, f"{server.url}/second")

    assert failure.value.maybe_processed
    assert server.attempts == ["/first", "/second"]


async def test_100_in_flight_on_a_dying_connection_are_each_sent_once(
    transport: Transport, certificates: Certificates
) -> None:
    def behaviour(peer: H2Peer, stream_id: int, path: str) -> None:
        if path == "/first":
            peer.reply(stream_id)
        elif len(peer.server.attempts) > 100:
            peer.transport.abort()

    async with serve_h2(certificates, behaviour) as server:
        await post(transport, f"{server.url}/first")
        got = await outcomes(transport, [f"{server.url}/{n}" for n in range(100)])

    assert all(isinstance(one, Unknown) for one in got)
    assert sorted(server.attempts[1:]) == sorted(f"/{n}" for n in range(100))


# -- trap 2: refusals are safe to send again, once


async def test_a_stream_refused_once_is_sent_again(
    transport: Transport, certificates: Certificates
) -> None:
    def behaviour(peer: H2Peer, stream_id: int, _path: str) -> None:
        if len(peer.server.attempts) == 1:
            peer.reset(stream_id, ErrorCodes.REFUSED_STREAM)
        else:
            peer.reply(stream_id)

    async with serve_h2(certificates, behaviour) as server:
        response = await post(transport, f"{server.url}/x")

    assert response.status == 200
    assert len(server.attempts) == 2


async def test_a_stream_refused_always_is_not_sent(
    transport: Transport, certificates: Certificates
) -> None:
    def behaviour(peer: H2Peer, stream_id: int, _path: str) -> None:
        peer.reset(stream_id, ErrorCodes.REFUSED_STREAM)

    async with serve_h2(certificates, behaviour) as server:
        with pytest.raises(NotSent):
            await post(transport, f"{server.url}/x")

    assert len(server.attempts) == 2
    assert server.processed == []


async def test_50_refused_beside_50_running_are_all_answered(
    transport: Transport, certificates: Certificates
) -> None:
    refused: set[str] = set()

    def behaviour(peer: H2Peer, stream_id: int, path: str) -> None:
        if path.startswith("/refuse") and path not in refused:
            refused.add(path)
            peer.reset(stream_id, ErrorCodes.REFUSED_STREAM)
        else:
            peer.reply(stream_id)

    async with serve_h2(certificates, behaviour) as server:
        urls = [f"{server.url}/{kind}{n}" for n in range(50) for kind in ("refuse", "run")]
        got = await outcomes(transport, urls)

    assert [one for one in got if not isinstance(one, Response)] == []
    assert len(server.processed) == 100


@pytest.mark.parametrize(
    "code",
    [
        ErrorCodes.CANCEL,
        ErrorCodes.INTERNAL_ERROR,
        ErrorCodes.NO_ERROR,
        ErrorCodes.ENHANCE_YOUR_CALM,
    ],
)
async def test_other_resets_are_unknown_after_one_attempt(
    transport: Transport, certificates: Certificates, code: ErrorCodes
) -> None:
    def behaviour(peer: H2Peer, stream_id: int, _path: str) -> None:
        peer.reset(stream_id, code)

    async with serve_h2(certificates, behaviour) as server:
        with pytest.raises(Unknown) as failure:
            await post(transport, f"{server.url}/x")

    assert failure.value.maybe_processed
    assert len(server.attempts) == 1


async def test_http_1_1_required_does_not_send_it_again_over_http_1_1(
    transport: Transport, certificates: Certificates
) -> None:
    """Trap 4."""

    def behaviour(peer: H2Peer, stream_id: int, _path: str) -> None:
        peer.reset(stream_id, ErrorCodes.HTTP_1_1_REQUIRED)

    async with serve_h2(certificates, behaviour, ("h2", "http/1.1")) as server:
        with pytest.raises(Unknown):
            await post(transport, f"{server.url}/x")

    assert (server.attempts, server.not_h2) == (["/x"], 0)


async def test_goaway_under_load_loses_and_doubles_nothing(
    transport: Transport, certificates: Certificates
) -> None:
    answered: list[str] = []

    def behaviour(peer: H2Peer, stream_id: int, path: str) -> None:
        if stream_id % 41 == 0 and stream_id > 40:
            peer.goaway(stream_id - 2)  # this one and later ones are not processed
            return
        if not peer.transport.is_closing() and peer.h2.state_machine.state.name != "CLOSED":
            answered.append(path)
            peer.reply(stream_id)

    async with serve_h2(certificates, behaviour) as server:
        urls = [f"{server.url}/{n}" for n in range(600)]
        got: list[Response | BaseException] = []
        for start in range(0, 600, 50):
            got += await outcomes(transport, urls[start : start + 50])

    lost = [one for one in got if not isinstance(one, Response | NotSent)]
    assert len(answered) == len(set(answered))
    assert lost == []
    assert len(answered) == sum(isinstance(one, Response) for one in got)


# -- trap 3: healthy requests beside refused ones wait for ever


@pytest.fixture
async def refusing_url(certificates: Certificates) -> AsyncIterator[str]:
    """Of a server in another process: in ours, refusals come in one piece and nothing is lost."""
    files = (certificates.ca_file, certificates.cert_file, certificates.key_file)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.outbound.refusing_server"),
        *map(str, files),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    yield (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
    process.kill()
    await process.wait()


async def test_an_answer_is_read_when_its_wake_up_was_lost(
    transport: Transport, certificates: Certificates
) -> None:
    """What libcurl does by chance beside refused streams, done on purpose."""
    asked: list[tuple[H2Peer, int]] = []

    async with serve_h2(certificates, lambda peer, stream, _path: asked.append((peer, stream))) as (
        server
    ):
        waiting = asyncio.create_task(post(transport, f"{server.url}/x", timeout=3.0))
        await server.attempted("/x")
        for descriptor in transport._multi._sockets:
            asyncio.get_running_loop().remove_reader(descriptor)
        [(peer, stream_id)] = asked
        peer.reply(stream_id)
        response = await waiting

    assert response.status == 200


async def test_refusals_do_not_leave_healthy_requests_waiting(
    transport: Transport, refusing_url: str
) -> None:
    """Without the sweep some do in about every other run; the test above needs no luck."""
    numbers = iter(range(6_000))
    stalled: list[int] = []

    async def sender() -> None:
        for number in numbers:
            try:
                await post(transport, f"{refusing_url}/{number}", timeout=3.0)
            except Timeout:
                stalled.append(number)
            except NotSent:
                assert number % 10 == 0

    await asyncio.gather(*(sender() for _ in range(100)))

    assert stalled == []


# -- trap 5: callbacks that wait for the GIL, one switch interval each


@pytest.fixture
def busy_thread() -> Iterator[None]:
    """What no process of ours should have: Python that computes beside the loop."""
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=compute)
    interval = sys.getswitchinterval()
    thread.start()
    yield
    over.set()
    thread.join()
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("busy_thread")
async def test_a_busy_thread_does_not_stop_requests_of_a_process_that_takes_short_turns(
    transport: Transport, refusing_url: str
) -> None:
    """The interval is the guard; how much it gains (three times and more) varies by machine."""
    take_short_turns()
    began = time.monotonic()
    for number in range(60):
        await post(transport, f"{refusing_url}/{number}1")

    assert sys.getswitchinterval() == pytest.approx(1e-4)
    assert time.monotonic() - began < BUSY_SECONDS_MAX


async def test_the_transport_starts_no_python_thread(
    transport: Transport, certificates: Certificates
) -> None:
    """Resolver threads are of libcurl alone: no Python runs in them."""
    before = threading.enumerate()
    async with serve_h2(certificates, answer) as server:
        await outcomes(transport, [server.url.replace("127.0.0.1", "localhost")] * 20)

    assert threading.enumerate() == before


# -- addresses: at connect, and again on a pooled connection


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost.", "127.1", "2130706433"])
async def test_a_denied_address_is_never_dialled(
    transport: Transport, certificates: Certificates, host: str
) -> None:
    async with serve_h2(certificates, answer) as server:
        url = server.url.replace("127.0.0.1", host)
        with pytest.raises(AddressDenied):
            await post(transport, url, allow=lambda _address: False)

    assert server.connections == 0


async def test_a_denied_address_is_not_reached_over_a_pooled_connection(
    transport: Transport, certificates: Certificates
) -> None:
    async with serve_h2(certificates, answer) as server:
        await post(transport, f"{server.url}/open")
        with pytest.raises(AddressDenied):
            await post(transport, f"{server.url}/denied", allow=lambda _address: False)

    assert server.attempts == ["/open"]


async def test_the_check_sees_the_address_that_is_dialled(
    transport: Transport, certificates: Certificates
) -> None:
    seen: list[str] = []

    def allow(address: str) -> bool:
        seen.append(address)
        return address == "127.0.0.1"

    async with serve_h2(certificates, answer) as server:
        await post(transport, server.url.replace("127.0.0.1", "localhost"), allow=allow)

    assert set(seen) <= {"127.0.0.1", "::1"}
    assert seen.count("127.0.0.1") == 2  # before the connection, and before the request


async def test_a_check_that_raises_denies(
    transport: Transport, certificates: Certificates, capfd: pytest.CaptureFixture[str]
) -> None:
    def allow(_address: str) -> bool:
        raise RuntimeError("broken")

    async with serve_h2(certificates, answer) as server:
        with pytest.raises(NotSent):
            await post(transport, server.url, allow=allow)

    assert server.attempts == []
    capfd.readouterr()  # pycurl prints the traceback


# -- HTTP/2 only


async def test_a_server_without_http2_gets_no_request(
    create: CreateTransport, certificates: Certificates
) -> None:
    async def handler(_server: H1Server, writer: asyncio.StreamWriter, _path: str) -> None:
        writer.write(OK_H1)

    async with serve_h1(certificates, handler) as server:
        with pytest.raises(NotSent, match="HTTP/2"):
            await post(create(require_http2=True), server.url)

    assert server.attempts == []
