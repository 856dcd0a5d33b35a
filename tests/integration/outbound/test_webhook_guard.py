"""Webhook calls reach public addresses only, whatever a name resolves to when it is called.

127.0.0.2 stands for a public address, since nothing else can be dialled here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.clock import utc_now
from shared.domain.apps import WebhookSecret
from shared.outbound.addresses import AddressPolicy
from shared.outbound.webhooks import WebhookAnswer, WebhookRequest, call_webhook
from tests.hostile_urls import NUMBERS, RESOLVING
from tests.integration.outbound.resolving import StubbedTransport

SECRETS = (WebhookSecret(secret="whsec_" + "a" * 32),)
PUBLIC, VICTIM = "127.0.0.2", "127.0.0.1"
NAME = "hooks.example.com"


class Listener:
    """Counts who connects; answers 204."""

    def __init__(self, answer: bytes = b"HTTP/1.1 204 X\r\n\r\n") -> None:
        self.connections = 0
        self.answer = answer
        self.port = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await reader.readuntil(b"}")
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    address: str, port: int = 0, answer: bytes = b"HTTP/1.1 204 X\r\n\r\n"
) -> AsyncIterator[Listener]:
    listener = Listener(answer)
    server = await asyncio.start_server(listener.connected, address, port)
    listener.port = server.sockets[0].getsockname()[1]
    yield listener
    server.close()


class OnlyPublic(AddressPolicy, frozen=True):
    """The policy of production, to which one address is public that is not."""

    def is_public(self, address: str) -> bool:
        return address == PUBLIC or super().is_public(address)


@pytest.fixture
async def transport() -> AsyncIterator[StubbedTransport]:
    transport = StubbedTransport(allow_http=True, connect_timeout=3.0)
    yield transport
    await transport.aclose()


@pytest.fixture
async def victim() -> AsyncIterator[Listener]:
    async with listening(VICTIM) as victim:
        yield victim


async def call(
    transport: StubbedTransport, url: str, policy: AddressPolicy | None = None
) -> WebhookAnswer:
    request = WebhookRequest(url=url, webhook_id="msg_1", body=b"{}", secrets=SECRETS)
    return await call_webhook(transport, policy or OnlyPublic(), request, utc_now())


def is_refused(answer: WebhookAnswer) -> bool:
    """The one text for whatever may not be called, or is not there."""
    return (answer.status, answer.problem, answer.body) == (None, "unreachable", b"")


@pytest.mark.parametrize(("name", "addresses"), RESOLVING, ids=[name for name, _ in RESOLVING])
async def test_a_name_of_a_private_address_is_not_called(
    transport: StubbedTransport, victim: Listener, name: str, addresses: tuple[str, ...]
) -> None:
    transport.resolve(name, victim.port, *addresses)

    answer = await call(transport, f"http://{name}:{victim.port}/")

    assert is_refused(answer)
    assert victim.connections == 0


@pytest.mark.parametrize("url", NUMBERS)
async def test_a_number_would_not_be_called_either(transport: StubbedTransport, url: str) -> None:
    """The second wall: had it been registered, no connection would be opened for it."""
    answer = await call(transport, url, AddressPolicy())

    assert is_refused(answer)
    assert transport.stats().connections_opened == 0


async def test_a_name_that_is_rebound_is_not_called_any_more(
    transport: StubbedTransport, victim: Listener
) -> None:
    async with listening(PUBLIC, victim.port) as public:
        url = f"http://{NAME}:{victim.port}/"
        transport.resolve(NAME, victim.port, PUBLIC)
        first = await call(transport, url)
        transport.resolve(NAME, victim.port, VICTIM)
        later = [await call(transport, url) for _ in range(3)]

    assert first.status == 204
    assert [answer for answer in later if not is_refused(answer) and answer.status != 204] == []
    assert (public.connections >= 1, victim.connections) == (True, 0)


async def test_a_name_that_is_rebound_is_refused_on_a_new_connection(victim: Listener) -> None:
    async with listening(PUBLIC, victim.port, b"HTTP/1.1 204 X\r\nconnection: close\r\n\r\n"):
        transport = StubbedTransport(allow_http=True, connect_timeout=3.0)
        url = f"http://{NAME}:{victim.port}/"
        transport.resolve(NAME, victim.port, PUBLIC)
        first = await call(transport, url)
        transport.resolve(NAME, victim.port, VICTIM)
        second = await call(transport, url)
        await transport.aclose()

    assert (first.status, is_refused(second), victim.connections) == (204, True, 0)


@pytest.mark.parametrize("order", [(PUBLIC, VICTIM), (VICTIM, PUBLIC), (VICTIM, "::1", PUBLIC)])
async def test_of_mixed_answers_only_the_public_one_is_called(
    transport: StubbedTransport, victim: Listener, order: tuple[str, ...]
) -> None:
    async with listening(PUBLIC, victim.port) as public:
        transport.resolve(NAME, victim.port, *order)
        answer = await call(transport, f"http://{NAME}:{victim.port}/")

    assert (answer.status, public.connections, victim.connections) == (204, 1, 0)


@pytest.mark.parametrize("order", [(PUBLIC, VICTIM), (VICTIM, PUBLIC)])
async def test_of_mixed_answers_the_private_one_is_no_fallback(
    transport: StubbedTransport, victim: Listener, order: tuple[str, ...]
) -> None:
    """Nobody listens at the public address."""
    transport.resolve(NAME, victim.port, *order)

    answer = await call(transport, f"http://{NAME}:{victim.port}/")

    assert is_refused(answer)
    assert victim.connections == 0


async def test_a_redirect_leads_nowhere(transport: StubbedTransport, victim: Listener) -> None:
    target = f"http://{VICTIM}:{victim.port}/".encode()
    redirect = b"HTTP/1.1 307 X\r\ncontent-length: 0\r\nlocation: " + target + b"\r\n\r\n"
    async with listening(PUBLIC, 0, redirect) as public:
        transport.resolve(NAME, public.port, PUBLIC)
        answer = await call(transport, f"http://{NAME}:{public.port}/")

    assert (answer.status, answer.problem) == (307, "status 307")
    assert (public.connections, victim.connections) == (1, 0)


async def test_nobody_there_and_not_allowed_look_alike(
    transport: StubbedTransport, victim: Listener
) -> None:
    transport.resolve(NAME, victim.port, PUBLIC)
    nobody = await call(transport, f"http://{NAME}:{victim.port}/")
    transport.resolve("x.example.com", victim.port, VICTIM)
    denied = await call(transport, f"http://x.example.com:{victim.port}/")

    assert is_refused(nobody)
    assert is_refused(denied)
