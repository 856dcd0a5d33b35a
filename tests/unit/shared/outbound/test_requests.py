"""Requests that are refused before anything is dialled."""

from collections.abc import AsyncIterator

import pytest

from shared.outbound.interface import InvalidRequest, NotSent
from shared.outbound.transport import Transport


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport()
    yield made
    await made.aclose()


async def get(transport: Transport, url: str, **headers: str) -> None:
    await transport.request("GET", url, headers, timeout=1, max_response_bytes=1)


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0", "é", "漢"])
async def test_request_refuses_an_unsafe_header(transport: Transport, value: str) -> None:
    with pytest.raises(InvalidRequest):
        await get(transport, "https://127.0.0.1:1/", name=value)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pw@127.0.0.1:1/",
        "https://user@127.0.0.1:1/",
        "https://127.0.0.1:1/\r\n",
        "https://127.0.0.1:1/é",
    ],
)
async def test_request_refuses_an_unsafe_url(transport: Transport, url: str) -> None:
    with pytest.raises(InvalidRequest):
        await get(transport, url)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "file:///etc/passwd", "ftp://127.0.0.1:1/", "gopher://127.0.0.1:1/"],
)
async def test_request_refuses_other_schemes(transport: Transport, url: str) -> None:
    with pytest.raises(NotSent):
        await get(transport, url)


async def test_request_after_close_is_not_sent() -> None:
    transport = Transport()
    await transport.aclose()

    with pytest.raises(NotSent, match="closed"):
        await get(transport, "https://127.0.0.1:1/")


async def test_close_twice_is_harmless() -> None:
    transport = Transport()

    await transport.aclose()
    await transport.aclose()
